#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Measures the layers of a file in both layouts and in f16 and bf16 beside NHWC float32 (from memory every third): a
# table and a picture.
#
#   scripts/layouts.sh [FOLDER] [SHAPES.csv]     default: tune, tune/layers.csv; takes about 15 minutes
#
# FOLDER/layouts.md and FOLDER/layouts.png; the rows measured stay in build/layouts. Nothing else should run on the
# machine. Needs a build (scripts/build.sh) and, for the picture, matplotlib (Debian: python3-matplotlib).
set -euo pipefail

# shellcheck source=scripts/report-setup.sh
source "$(dirname "${BASH_SOURCE[0]}")/report-setup.sh" layouts "$@"

rm -f "$rows"/wisdom.jsonl*
forms=(--layout "nhwc,nchw" --dtype "f32,f16,bf16" --offsets 64)
bench warm "${forms[@]}" --effort measure --wisdom "$rows/wisdom.jsonl" --min-time 0.01 --verify
awk 'NR == 1 || NR % 3 == 2' "$shapes" > "$rows/third.csv"
shapes=$rows/third.csv
bench cold "${forms[@]}" --batch 64 --cache cold --min-time 0.003
"$dwconv" info --json > "$rows/info.json"
"$python" scripts/layouts.py "$rows" "$folder"
