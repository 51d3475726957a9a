#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Simulates the communication of libdwconv_mpi on a cluster of 8 to 256 nodes with SimGrid's SMPI, and writes the report.
#
#   scripts/simgrid.sh [BUILD_DIR] [FOLDER]     default: build/release, scripts/simgrid; takes about half an hour
#
# The code of lib/mpi runs as it is, on the cluster of simgrid/cluster.xml; the kernels do not: what they take is measured
# on this machine first, and the simulated clock waits as long. See simgrid/study.c. FOLDER gets scaling.csv, scaling.md
# and, where there is matplotlib (Debian: python3-matplotlib), scaling.png. Nothing else should run on the machine while it
# measures; what was measured is kept in BUILD_DIR/simgrid/measured.csv. Needs a build with MPI (scripts/build.sh) and
# SimGrid (Debian: libsimgrid-dev).
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
build=$(realpath "${1-build/release}") folder=$(realpath "${2-scripts/simgrid}")
dwconv=$build/apps/dwconv work=$build/simgrid
[[ -x $dwconv && -e $build/lib/libdwconv.a ]] || { echo 'simgrid: build first: scripts/build.sh' >&2; exit 1; }
for tool in smpicc smpirun pkg-config; do
    command -v "$tool" >/dev/null || { echo "simgrid: no $tool (Debian: libsimgrid-dev pkg-config)" >&2; exit 77; }
done
mkdir -p "$work/rows"
rm -f "$work"/rows/*

# The description of the cluster, and what SMPI adds to it: nothing but 1 us for every look at a message.
link=12.5e9 latency=2e-6 look=1e-6 ranks=(8 16 32 64 128 256)
options=(smpi/simulate-computation:no smpi/test:0 smpi/grow-injected-times:no smpi/bw-factor:0:1 smpi/lat-factor:0:1
    smpi/coll-selector:ompi network/crosstraffic:0 smpi/shared-malloc:global smpi/shared-malloc-blocksize:67108864)
seq -f 'node-%g' 0 255 > "$work/hosts"

libraries=$(PKG_CONFIG_PATH=$build/lib pkg-config --static --libs --define-variable=libdir="$build/lib" dwconv)
wrapped=MPI_Query_thread,MPI_Iallreduce,MPI_Ibcast,MPI_Iallgather,MPI_Test,MPI_Testsome
# shellcheck disable=SC2086
smpicc -O2 -std=gnu11 -Ilib scripts/simgrid/study.c lib/mpi/*.c -o "$work/study" "-Wl,--wrap=${wrapped//,/,--wrap=}" \
    ${libraries/-ldwconv/$build/lib/libdwconv.a}

# Seconds of a problem on one core, its tensors out of the caches: the fastest of all runs. Kept for the next time.
measure() { # PROBLEM
    local command=(bench "$1" --threads 1 --cache cold --offsets 0 --min-time 0.5)
    if ! grep -qF "$1," "$work/measured.csv" 2>/dev/null; then
        printf 'simgrid: 3 times dwconv %s\n' "${command[*]}" >&2
        for _ in 1 2 3; do
            printf '%s,%s\n' "$1" "$("$dwconv" "${command[@]}" --format csv | python3 -c \
                'import csv, sys; print(next(csv.DictReader(sys.stdin))["time_min_s"])')" >> "$work/measured.csv"
        done
    fi
    grep -F "$1," "$work/measured.csv" | sed 's/.*,//' | sort -g | head -n 1
}
scaled() { python3 -c "print(f'{$1:.6g}')"; }

jobs=()
job() { # CASE RANKS STUDY PROBLEM IMAGE_S
    printf '%s,%s,%s\n' "$1" "$4" "$5" >> "$work/rows/images-$1.csv"
    jobs+=("$*")
}
root() { # CASE SHAPE IMAGE_S
    local p
    for p in "${ranks[@]}"; do job "$1" "$p" root "f32:nhwc:n1024:$2" "$3"; done
}
# Each number of ranks by the time of the band that a rank in the middle has, for the whole image.
spatial() { # CASE TAPS DILATION
    local p rows halo band
    for p in "${ranks[@]}"; do
        rows=$((4096 / p)) halo=$((($2 - 1) * $3))
        band=f32:nhwc:n1:$((rows + halo))x4096x32:k$2x$2:d$3x$3:p0,0,$((halo / 2)),$((halo / 2))
        job "$1" "$p" spatial "f32:nhwc:n1:4096x4096x32:k$2x$2:d$3x$3" "$(scaled "$p * $(measure "$band")")"
    done
}
small=112x112x64:k3x3 large=56x56x64:k31x31
root small "$small" "$(scaled "$(measure "f32:nhwc:n16:$small") / 16")"
root large "$large" "$(scaled "$(measure "f32:nhwc:n16:$large") / 16")"
spatial bands3 3 1
spatial bands31 31 2
# Nodes that compute as fast as a memory of 64 or 200 GB/s lets them.
root smallmid "$small" 100e-6
root smallfast "$small" 32e-6
for p in "${ranks[@]}"; do job bands3fast "$p" spatial f32:nhwc:n1:4096x4096x32:k3x3:d1x1 0.0215; done

simulate() { # CASE RANKS STUDY PROBLEM IMAGE_S
    read -r name p study problem image_s <<< "$1"
    printf 'simgrid: %s on %s ranks\n' "$study $problem $image_s" "$p" >&2
    # shellcheck disable=SC2086
    smpirun -np "$p" -no-privatize -platform scripts/simgrid/cluster.xml -hostfile "$work/hosts" --log=root.thresh:critical \
        $cfg "$work/study" "$study" "$problem" "$image_s" "$link" "$latency" "$look" > "$work/rows/$name-$p.txt"
    sed "s/^/$name,/" "$work/rows/$name-$p.txt" > "$work/rows/$name-$p.csv"
}
export -f simulate
cfg=$(printf -- '--cfg=%s ' "${options[@]}")
export cfg work link latency look
# The largest ones take longest: first.
# shellcheck disable=SC2016
printf '%s\n' "${jobs[@]}" | sort -k2,2nr | tr '\n' '\0' | xargs -0 -P "$(nproc)" -I{} bash -euc 'simulate "$1"' _ {}

{
    echo 'case,ranks,mode,simulated_s,predicted_s,note'
    for name in small smallmid smallfast large bands3 bands3fast bands31; do
        for p in "${ranks[@]}"; do cat "$work/rows/$name-$p.csv"; done
    done
} > "$folder/scaling.csv"
cat "$work"/rows/images-*.csv | sort -u > "$work/images.csv"
"$dwconv" info --json > "$work/info.json"
version=$(smpirun -version | sed -n 's/.*version //p')
python3 scripts/simgrid/scaling.py "$folder" "$work" "$version" "$cfg"
