#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Installs the Debian packages that building, testing and the demo need: only those that are
# missing, as root or through sudo. With nothing missing it runs no apt and needs no rights.
#
#   scripts/install-deps.sh           install what is missing
#   scripts/install-deps.sh --check   only say what is missing (exit 1 when the build needs it)
#
# DWC_SKIP_DEPS=1 makes it do nothing, for a system where the tools come from elsewhere.
set -euo pipefail

# Building and testing need these (make: for the outside projects of the install test, which take
# CMake's default generator); python3 with numpy and Pillow is the demo's picture side.
required=(
    gcc libc6-dev cmake ninja-build make pkg-config
    libjansson-dev libhwloc-dev libcmocka-dev libopenblas-openmp-dev libopenmpi-dev openmpi-bin
    python3 python3-numpy python3-pil
)

# Useful, not needed: without valgrind its test is skipped, without the font the contact sheet
# uses Pillow's own, without the photographs (13 of them, Creative Commons) the demo asks for a
# folder of yours.
optional=(valgrind fonts-dejavu-core lomiri-wallpapers-16.04)

# The same on systems without dpkg.
generic="  a C11 compiler (gcc or clang), CMake 3.21 or later, Ninja, make, pkg-config
  jansson, hwloc, OpenBLAS (of its OpenMP or pthread kind), Open MPI and cmocka, each with its C headers
  Python 3 with numpy and Pillow (demo), valgrind (optional)"

say() { printf 'install-deps: %s\n' "$*"; }
die() { printf 'install-deps: %s\n' "$*" >&2; exit 1; }

check=0
case "${1-}" in
'') ;;
--check) check=1 ;;
-h | --help) sed -n '4,10s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 0 ;;
*) printf 'install-deps: unknown argument: %s\n' "$1" >&2; exit 2 ;;
esac
[[ -z ${DWC_SKIP_DEPS-} ]] || { say 'skipped (DWC_SKIP_DEPS is set)'; exit 0; }

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    printf 'install-deps: this is no Debian or Ubuntu system. Please install yourself:\n%s\n' "$generic" >&2
    printf 'then run again with DWC_SKIP_DEPS=1 in the environment.\n' >&2
    exit 1
fi

# Sets `missing` to those of the given packages that are not installed.
find_missing() {
    local package status
    missing=()
    for package in "$@"; do
        # shellcheck disable=SC2016 # ${Status} is dpkg-query's own
        status=$(dpkg-query -W -f='${Status}' "$package" 2>/dev/null) || status=
        [[ $status == *' ok installed' ]] || missing+=("$package")
    done
}

# Sets `known` to those of the given packages that apt can install.
find_known() {
    known=()
    (($# > 0)) || return 0
    local list
    list=$(LC_ALL=C apt-cache policy "$@" 2>/dev/null | awk '
        /^[^ ].*:$/ { package = substr($0, 1, length($0) - 1) }
        $1 == "Candidate:" && $2 != "(none)" { print package }')
    [[ -z $list ]] || mapfile -t known <<<"$list"
}

find_missing "${required[@]}"
need=("${missing[@]}")
find_missing "${optional[@]}"
want=("${missing[@]}")

if ((${#need[@]} + ${#want[@]} == 0)); then
    say 'every package is already installed'
    exit 0
fi
if ((check)); then
    ((${#need[@]} == 0)) || say "missing: ${need[*]}"
    ((${#want[@]} == 0)) || say "missing, optional: ${want[*]}"
    exit $((${#need[@]} > 0))
fi

apt=(env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 -q)
if ((EUID != 0)); then
    # Ask for a password only where somebody can answer.
    if command -v sudo >/dev/null && { sudo -n true 2>/dev/null || [[ -t 2 && -r /dev/tty ]]; }; then
        apt=(sudo "${apt[@]}")
    else
        packages=("${need[@]}" "${want[@]}")
        command_line="apt-get install --no-install-recommends ${packages[*]}"
        if ((${#need[@]} == 0)); then
            say "going on without optional packages; to have them, as root: $command_line"
            exit 0
        fi
        die "neither root nor sudo. As root, run:
  apt-get update && $command_line"
    fi
fi

updated=0
update() {
    say 'apt-get update'
    "${apt[@]}" update || say 'apt-get update failed; trying with the lists at hand'
    updated=1
}

# Package lists that do not know what we need are absent or too old.
find_known "${need[@]}" "${want[@]}"
if ((${#known[@]} < ${#need[@]} + ${#want[@]})); then
    update
    find_known "${need[@]}"
    if ((${#known[@]} < ${#need[@]})); then
        for package in "${need[@]}"; do
            [[ " ${known[*]} " == *" $package "* ]] || say "apt knows no package $package"
        done
        die "cannot install what is needed. This system needs:
$generic"
    fi
    find_known "${want[@]}"
    for package in "${want[@]}"; do
        [[ " ${known[*]} " == *" $package "* ]] || say "apt knows no package $package (optional, left out)"
    done
    want=("${known[@]}")
    ((${#need[@]} + ${#want[@]} > 0)) || exit 0
fi

packages=("${need[@]}" "${want[@]}")
say "installing: ${packages[*]}"
install=("${apt[@]}" install -y --no-install-recommends "${packages[@]}")
if ! "${install[@]}"; then
    # Lists older than the archive name files that are gone: refresh them once and retry.
    ((updated == 0)) || die 'apt-get install failed'
    update
    "${install[@]}" || die 'apt-get install failed'
fi
say 'done'
