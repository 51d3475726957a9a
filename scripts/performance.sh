#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Measures every layer of a file beside the machine's limits and writes the report: a table and a picture.
#
#   scripts/performance.sh [FOLDER] [SHAPES.csv]     default: tune, tune/layers.csv; takes about 10 minutes
#
# FOLDER/performance.md and FOLDER/roofline.png; the rows measured stay in build/performance. Nothing else should run on
# the machine. Needs a build (scripts/build.sh) and, for the picture, matplotlib (Debian: python3-matplotlib).
set -euo pipefail

root=$(realpath "$(dirname "${BASH_SOURCE[0]}")/..")
folder=$(realpath "${1-$root/tune}")
shapes=$(realpath "${2-$root/tune/layers.csv}")
cd "$root"
dwconv=build/release/apps/dwconv
rows=build/performance
[[ -x $dwconv ]] || { echo 'performance: build first: scripts/build.sh' >&2; exit 1; }
[[ -d $folder ]] || { echo "performance: no folder $folder" >&2; exit 1; }

mkdir -p "$rows"
bench() { # NAME ARGUMENTS...
    local name=$1
    shift
    printf 'performance: %s: dwconv bench --shapes %s %s\n' "$name" "${shapes##*/}" "$*" >&2
    "$dwconv" bench --shapes "$shapes" "$@" --format csv --output "$rows/$name.csv"
}
bench warm --min-time 0.02 --verify
bench cold --batch 64 --cache cold --offsets 0,64 --min-time 0.003
bench cold-all --batch 64 --cache cold --offsets 0,64 --min-time 0.003 --threads "$(nproc)"
"$dwconv" info --json > "$rows/info.json"
python3 scripts/performance.py "$rows" "$folder"
