#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Real photographs through a bank of real filters: installs what is missing, builds, convolves, by
# one process and by two, checks some of the result with numpy, and leaves a contact sheet to look
# at in build/demo.
#
#   scripts/demo.sh [FOLDER]      FOLDER: your own pictures instead (its first 16)
#
# The photographs come from Debian's package lomiri-wallpapers-16.04, decoded where it puts them;
# none is part of this repository. Its debian/copyright gives, file by file, CC BY 4.0 (Aitzol
# Berasategi, Trevor "Freespace", Jakub Mede), CC BY-SA 4.0 (Peter Nerlich, Sander Klootwijk,
# "Bolly") and CC0 1.0 (Clemens Engelhardt); the sheet names author and licence under each.
set -euo pipefail
exec </dev/null

start=$PWD
cd "$(dirname "${BASH_SOURCE[0]}")/.."
case "${1-}" in
'') photographs=/usr/share/backgrounds ;;
-h | --help) sed -n '4,8s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 0 ;;
*) photographs=$(cd "$start" && cd "$1" && pwd) ;;
esac

step() { printf '\n== %s\n' "$*"; }

step 'Setting up'
./scripts/build.sh release
dwconv=build/release/apps/dwconv
work=build/demo
mkdir -p "$work"

# The python3 of the path may be another than Debian's and lack Debian's numpy.
python=
for candidate in python3 /usr/bin/python3; do
    if "$candidate" -c 'import numpy, PIL' 2>/dev/null; then python=$candidate; break; fi
done
if [[ -z $python ]]; then
    printf 'demo: no python3 with numpy and Pillow\n' >&2
    exit 1
fi
export PYTHONDONTWRITEBYTECODE=1

step 'Photographs and filters'
"$python" scripts/demo.py prepare "$photographs" "$work"

step 'Depthwise convolution'
conv=("$dwconv" conv --input "$work/input.npy" --filter "$work/filter.npy"
    --output "$work/output.npy" --padding same --force)
printf '$ %s\n' "${conv[*]}"
"${conv[@]}"
printf '\nThe same for a program to read:\n$ %s --json\n' "${conv[*]}"
"${conv[@]}" --json >"$work/result.json"
cat "$work/result.json"

if command -v mpirun >/dev/null; then
    step 'The same by two processes'
    # Containers often have root only, machines may have one core.
    ((EUID != 0)) || export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
    rm -f "$work"/output-2.npy*
    conv=(mpirun --oversubscribe -n 2 "$dwconv" conv --input "$work/input.npy" --filter "$work/filter.npy"
        --output "$work/output-2.npy" --padding same)
    printf '$ %s\n' "${conv[*]}"
    "${conv[@]}"
    cmp "$work/output.npy" "$work/output-2.npy"
    printf 'Not a bit differs from what one process computed.\n'
    rm -f "$work/output-2.npy"
fi

step 'Check'
"$python" scripts/demo.py check "$work"

step 'Contact sheet'
"$python" scripts/demo.py sheet "$work"
printf '\nLook at it: %s\n' "$PWD/$work/contact-sheet.png"
