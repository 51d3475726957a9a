#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Times dwconv beside oneDNN (Debian: libdnnl-dev), both NHWC float32, one thread, same tensors, same process, in turn.
#
#   scripts/compare-onednn.sh SHAPES.csv [BATCH] [warm|cold]     a CSV row per layer, then the summary on stderr
#
# SHAPES.csv: network,layer,H,W,C,kh,kw,sh,sw,dh,dw,M,padding as for dwconv bench. Default: batch 1, warm.
set -euo pipefail

shapes=$(realpath "${1:?usage: scripts/compare-onednn.sh SHAPES.csv [BATCH] [warm|cold]}")
cd "$(dirname "${BASH_SOURCE[0]}")/.."
batch=${2-1}
cold=$([[ ${3-warm} == cold ]] && echo 1 || echo 0)
build=build/release
[[ -e $build/lib/libdwconv.a ]] || { echo 'compare-onednn: build first: scripts/build.sh' >&2; exit 1; }
[[ -e /usr/include/dnnl.h ]] || { echo 'compare-onednn: oneDNN is not installed (Debian: libdnnl-dev)' >&2; exit 77; }

mkdir -p "$build/peers"
"${CC:-cc}" -O2 -std=gnu11 -Ilib scripts/peers/onednn.c -o "$build/peers/onednn" "$build/lib/libdwconv.a" -ldnnl $(pkg-config --libs hwloc openblas) \
    -fopenmp -lm
OMP_NUM_THREADS=1 "$build/peers/onednn" "$shapes" "$batch" "$cold" | tee "$build/peers/onednn.csv"
python3 - "$build/peers/onednn.csv" >&2 <<'EOF'
import csv, math, sys
rows = list(csv.DictReader(open(sys.argv[1])))
ratios = sorted((float(row["ratio"]), row["layer"], row["problem"]) for row in rows)
mean = math.exp(sum(math.log(r[0]) for r in ratios) / len(ratios))
print(f"{len(ratios)} layers: geometric mean {mean:.2f} times as fast as oneDNN; slower on "
      f"{sum(r[0] < 1 for r in ratios)}; least {ratios[0][0]:.2f} ({ratios[0][1]} {ratios[0][2]})")
EOF
