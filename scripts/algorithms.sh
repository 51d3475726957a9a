#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Races the algorithms, each with its best candidate by its cost model, on every layer of a file and on multipliers and
# kernel sizes, and writes the report, a table.
#
#   scripts/algorithms.sh [FOLDER] [SHAPES.csv]     default: tune, tune/layers.csv; takes about 15 minutes
#
# FOLDER/algorithms.md; the rows measured stay in build/algorithms. Nothing else should run on the machine. Needs a build
# (scripts/build.sh).
set -euo pipefail

# shellcheck source=scripts/report-setup.sh
source "$(dirname "${BASH_SOURCE[0]}")/report-setup.sh" algorithms "$@"

grid=()
for multiplier in 1 2 4 8 16 32; do
    for taps in 3 5 7 9; do
        for size in 28x28x64 14x14x96; do
            grid+=("n1:$size:k$taps:m$multiplier")
        done
    done
done
for dtype in f32 f64; do
    for layout in nhwc nchw; do
        printf 'algorithms: %s %s\n' "$dtype" "$layout" >&2
        verify=()
        [[ $dtype != f32 ]] || verify=(--verify)
        "$dwconv" bench --shapes "$shapes" --dtype "$dtype" --layout "$layout" --algo direct,winograd,im2col_gemm \
            --min-time 0.002 "${verify[@]}" --offsets 0,64 --format csv --output "$rows/layers-$dtype-$layout.csv"
        "$dwconv" bench "${grid[@]/#/$dtype:$layout:}" --algo auto,direct,winograd,im2col_gemm --min-time 0.002 \
            --offsets 0,64 --format csv --output "$rows/grid-$dtype-$layout.csv"
    done
done
"$dwconv" info --json > "$rows/info.json"
"$python" scripts/algorithms.py "$rows" "$folder"
