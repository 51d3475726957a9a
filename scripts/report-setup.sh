# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# What the scripts that measure and write a report share; they source it as
#
#   source report-setup.sh NAME [FOLDER] [SHAPES.csv]     default: tune, tune/layers.csv
#
# Goes to the project's folder; sets dwconv, folder (of the report), shapes, rows (build/NAME, for what is measured) and
# python (Debian's, which has Debian's packages, where it is).

report=$1
root=$(realpath "$(dirname "${BASH_SOURCE[0]}")/..")
folder=$(realpath "${2-$root/tune}")
shapes=$(realpath "${3-$root/tune/layers.csv}")
cd "$root"
dwconv=build/release/apps/dwconv
python=/usr/bin/python3
[[ -x $python ]] || python=python3
rows=build/$report
[[ -x $dwconv ]] || { echo "$report: build first: scripts/build.sh" >&2; exit 1; }
[[ -d $folder ]] || { echo "$report: no folder $folder" >&2; exit 1; }
mkdir -p "$rows"

# bench NAME ARGUMENT...: the layers by dwconv bench, into a file of rows.
bench() {
    local name=$1
    shift
    printf '%s: %s: dwconv bench --shapes %s %s\n' "$report" "$name" "${shapes##*/}" "$*" >&2
    "$dwconv" bench --shapes "$shapes" "$@" --format csv --output "$rows/$name.csv"
}
