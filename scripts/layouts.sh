#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Measures the layers of a file in both layouts and in f16 and bf16 beside NHWC float32: a table and a picture.
#
#   scripts/layouts.sh [FOLDER] [SHAPES.csv]     default: tune, tune/layers.csv; takes about 15 minutes
#
# FOLDER/layouts.md and FOLDER/layouts.png; the rows measured stay in build/layouts. Nothing else should run on the
# machine. Needs a build (scripts/build.sh) and, for the picture, matplotlib (Debian: python3-matplotlib).
set -euo pipefail

root=$(realpath "$(dirname "${BASH_SOURCE[0]}")/..")
folder=$(realpath "${1-$root/tune}")
shapes=$(realpath "${2-$root/tune/layers.csv}")
cd "$root"
dwconv=build/release/apps/dwconv
rows=build/layouts
[[ -x $dwconv ]] || { echo 'layouts: build first: scripts/build.sh' >&2; exit 1; }
[[ -d $folder ]] || { echo "layouts: no folder $folder" >&2; exit 1; }

mkdir -p "$rows"
bench() { # NAME ARGUMENTS...
    local name=$1
    shift
    printf 'layouts: %s: dwconv bench --shapes %s %s\n' "$name" "${shapes##*/}" "$*" >&2
    "$dwconv" bench --shapes "$shapes" --layout nhwc,nchw --dtype f32,f16,bf16 --offsets 64 "$@" --format csv \
        --output "$rows/$name.csv"
}
bench warm --effort measure --wisdom "$rows/wisdom.jsonl" --min-time 0.01 --verify
bench cold --batch 64 --cache cold --min-time 0.003
"$dwconv" info --json > "$rows/info.json"
python3 scripts/layouts.py "$rows" "$folder"
