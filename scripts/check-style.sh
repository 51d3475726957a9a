#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Checks the form of the source files and prints one line per finding; exit 1 if there is any.
#
#   scripts/check-style.sh [ROOT]
#
#   licence   every source file has an SPDX line among its first five
#   width     C: at most 120 columns
#   space     no white space at a line's end, no tab in C; a newline ends the file
#   length    more than 600 lines is too long for a C or script file (a warning, no finding)
#   names     no two C files of the tree have the same name
#   paths     no path of somebody's machine
set -euo pipefail

max_lines=600
cd "${1-$(dirname "${BASH_SOURCE[0]}")/..}"

findings=0
finding() { printf '%s\n' "$*"; findings=$((findings + 1)); }
# Turns grep's "file:line:text" into findings, "-" standing for no match.
findings_of() { # MESSAGE < grep output
    local where line
    while IFS=: read -r where line _; do finding "$where:$line: $1"; done
}

folders=()
for folder in lib tune apps tests scripts .ci; do
    if [[ -d $folder ]]; then folders+=("$folder"); fi
done
((${#folders[@]} > 0)) || { printf 'check-style: no source folders in %s\n' "$PWD" >&2; exit 2; }

mapfile -t sources < <(
    find "${folders[@]}" -name __pycache__ -prune -o -type f \( -name '*.[ch]' -o -name '*.def' -o -name '*.inc' -o -name '*.sh' \
        -o -name '*.py' -o -name '*.cmake' -o -name CMakeLists.txt -o -path '.ci/run' \) -print | LC_ALL=C sort
    if [[ -f CMakeLists.txt ]]; then echo CMakeLists.txt; fi
)
mapfile -t c_sources < <(printf '%s\n' "${sources[@]}" | grep -E '\.([ch]|def|inc)$' || true)
mapfile -t texts < <(
    printf '%s\n' "${sources[@]}"
    find . -maxdepth 1 -type f \( -name '*.md' -o -name '*.cff' -o -name '*.json' \) -printf '%P\n'
    find "${folders[@]}" -type f \( -name '*.md' -o -name '*.json' -o -name '*.in' \)
)

for file in "${sources[@]}"; do
    [[ $(head -n 5 "$file") == *'SPDX-License-Identifier: Apache-2.0'* ]] || finding "$file:1: no SPDX line"
    lines=$(wc -l <"$file")
    ((lines <= max_lines)) || printf 'warning: %s: %d lines, more than %d\n' "$file" "$lines" "$max_lines" >&2
    [[ ! -s $file || -z $(tail -c 1 "$file") ]] || finding "$file:$lines: no newline at the end"
done

findings_of 'white space at the end of the line' < <(grep -nHE '[[:space:]]+$' "${sources[@]}")
if ((${#c_sources[@]} > 0)); then
    findings_of 'longer than 120 columns' < <(grep -nHE '^.{121}' "${c_sources[@]}")
    findings_of 'tab' < <(grep -nHF $'\t' "${c_sources[@]}")
    while read -r name; do
        mapfile -t twins < <(printf '%s\n' "${c_sources[@]}" | grep -E "(^|/)${name//./\\.}\$")
        finding "${twins[0]}:1: the same file name as ${twins[*]:1}"
    done < <(printf '%s\n' "${c_sources[@]##*/}" | LC_ALL=C sort | uniq -d)
fi
findings_of 'path of one machine' < <(
    grep -nHE '(^|[^A-Za-z0-9_.})*-])/(work|home|root|Users|nix|scratch)/' "${texts[@]}")

if ((findings > 0)); then
    printf 'check-style: %d finding(s)\n' "$findings" >&2
    exit 1
fi
printf 'check-style: %d files, no finding\n' "${#sources[@]}"
