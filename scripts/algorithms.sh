#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Races the algorithms, each with its best candidate by its cost model, on every layer of a file and on multipliers and
# kernel sizes, and writes the report, a table.
#
#   scripts/algorithms.sh [FOLDER] [SHAPES.csv]     default: tune, tune/layers.csv; takes about 6 minutes
#
# FOLDER/algorithms.md; the rows measured stay in build/algorithms. Nothing else should run on the machine. Needs a build
# (scripts/build.sh). With OpenBLAS (Debian: libopenblas-dev) and PyTorch (python3-torch) im2col_gemm is also measured
# beside these; what is missing is left out.
set -euo pipefail

# shellcheck source=scripts/report-setup.sh
source "$(dirname "${BASH_SOURCE[0]}")/report-setup.sh" algorithms "$@"

grid=() sgemm=() torch=()
for multiplier in 1 2 4 8 16 32; do
    for taps in 3 5 7 9; do
        for size in '28 64' '14 96'; do
            read -r width channels <<<"$size"
            grid+=("n1:${width}x${width}x$channels:k$taps:m$multiplier")
            # The largest product that im2col_gemm makes, see algo/im2col_gemm.c.
            outputs=$((width * width)) most=$(((1 << 18) / (multiplier * taps * taps)))
            sgemm+=("$channels" "$multiplier" $((outputs < most ? outputs : most)) $((taps * taps)))
            torch+=("$channels" "$width" "$taps" "$multiplier")
        done
    done
done
for dtype in f32 f64; do
    for layout in nhwc nchw; do
        printf 'algorithms: %s %s\n' "$dtype" "$layout" >&2
        verify=() algos=direct,winograd,im2col_gemm also=,winograd_2d
        [[ $dtype != f32 ]] || verify=(--verify)
        [[ $layout != nchw ]] || algos=direct,direct_transposed,winograd_transposed,im2col_gemm also=
        "$dwconv" bench --shapes "$shapes" --dtype "$dtype" --layout "$layout" --algo "$algos" \
            --min-time 0.002 "${verify[@]}" --offsets 0,64 --format csv --output "$rows/layers-$dtype-$layout.csv"
        "$dwconv" bench "${grid[@]/#/$dtype:$layout:}" --algo "auto,$algos$also" --min-time 0.002 \
            --offsets 0,64 --format csv --output "$rows/grid-$dtype-$layout.csv"
    done
done
{ "${CC:-cc}" -O2 scripts/gemm/sgemm_rate.c -o "$rows/sgemm_rate" -lopenblas &&
    "$rows/sgemm_rate" "${sgemm[@]}" >"$rows/sgemm.csv"; } || rm -f "$rows/sgemm.csv"
"$python" -B scripts/gemm/torch_times.py "${torch[@]}" >"$rows/torch.csv" || rm -f "$rows/torch.csv"
"$dwconv" info --json > "$rows/info.json"
"$python" scripts/algorithms.py "$rows" "$folder"
