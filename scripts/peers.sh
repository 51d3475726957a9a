#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Measures dwconv beside other libraries: the same problems, tensors, process and threads, in turn, outputs compared.
#
#   scripts/peers.sh [OPTION...] [SHAPES.csv [FOLDER]]     default: tune/layers.csv, tune; --help lists the options
#   scripts/peers.sh --quick                               a few layers, into build/peers/quick: minutes
#
# FOLDER/peers.md (tables), peers.csv (every row), peers.png (plot). Debian's libdnnl-dev and python3-torch are
# installed if that can be done without asking for a password; the others come from the Python registry, each into an
# environment of its own in build/peers. A library that cannot be had, or does not do a problem, is named with the
# reason. A run that was stopped goes on when it is started again. Nothing else should run on the machine. Needs a
# build (scripts/build.sh), and for the system's Python numpy and matplotlib (Debian: python3-numpy,
# python3-matplotlib, python3-venv).
set -euo pipefail

root=$(realpath "$(dirname "${BASH_SOURCE[0]}")/..")
options=() places=() peers='' quick=0
while (($# > 0)); do
    case $1 in
    -h | --help) options+=(--help) ;;
    --quick) options+=("$1"); quick=1 ;;
    --report-only | --repeat-busy) options+=("$1") ;;
    --*=*) options+=("$1"); [[ $1 != --peers=* ]] || peers=${1#*=} ;;
    --*)
        (($# > 1)) || { echo "peers: $1 needs a value" >&2; exit 2; }
        options+=("$1" "$2"); [[ $1 != --peers ]] || peers=$2
        shift ;;
    *) places+=("$1") ;;
    esac
    shift
done
shapes=$(realpath "${places[0]-$root/tune/layers.csv}")
python=/usr/bin/python3 # Debian's, which has Debian's PyTorch
[[ -x $python ]] || python=python3
cd "$root"
build=$root/build/peers
if ((quick)); then folder=${places[1]-$build/quick}; else folder=${places[1]-$root/tune}; fi
run=("$python" -B scripts/peers/run.py "${options[@]}" "$build" "$shapes" "$folder")
[[ " ${options[*]-} " != *' --help '* ]] || exec "${run[@]}"
[[ -e $shapes ]] || { echo "peers: no file $shapes" >&2; exit 1; }
[[ -e build/release/lib/libdwconv.so ]] || { echo 'peers: build first: scripts/build.sh' >&2; exit 1; }
mkdir -p "$folder" "$build/missing" "$build/venv" "$build/logs"

say() { printf 'peers: %s\n' "$*" >&2; }
wanted() { [[ -z $peers || ,$peers, == *,$1,* ]]; }
miss() { printf '%s\n' "$2" >"$build/missing/$1"; }

# debian PEER PACKAGE: has the package, or notes why not.
debian() {
    rm -f "$build/missing/$1"
    # shellcheck disable=SC2016 # ${Status} is dpkg-query's own
    [[ $(dpkg-query -W -f='${Status}' "$2" 2>/dev/null) != *' ok installed' ]] || return 0
    local apt=(env DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends "$2")
    ((EUID == 0)) || apt=(sudo -n "${apt[@]}")
    say "installing Debian's $2"
    "${apt[@]}" >"$build/logs/apt-$2.log" 2>&1 || { miss "$1" "Debian's $2 could not be installed"; return 1; }
}

# registry PEER PACKAGE...: an environment with the packages, or notes why not.
registry() {
    local name=$1 venv=$build/venv/$1 log=$build/logs/pip-$1.log
    shift
    rm -f "$build/missing/$name"
    [[ $(cat "$venv/complete" 2>/dev/null) != "$*" ]] || return 0
    say "installing $* into build/peers/venv/$name"
    if { [[ -x $venv/bin/pip ]] || "$python" -m venv "$venv"; } >"$log" 2>&1 &&
        "$venv/bin/pip" install --prefer-binary "$@" >>"$log" 2>&1; then
        printf '%s\n' "$*" >"$venv/complete"
    else
        miss "$name" "could not be installed: $(grep -v '^$' "$log" | tail -n 1)"
    fi
}

# shim PEER SOURCE LIBRARY...: build/peers/PEER.so
shim() {
    local name=$1 source=$2
    shift 2
    "${CC:-cc}" -O2 -std=gnu11 -shared -fPIC -fvisibility=hidden -Ilib "scripts/peers/$source" -o "$build/$name.so" \
        -Lbuild/release/lib -ldwconv "-Wl,-rpath,$root/build/release/lib" "$@" 2>"$build/logs/cc-$name.log"
}

if [[ " ${options[*]-} " != *' --report-only '* ]]; then
    shim dwconv ours.c || { cat "$build/logs/cc-dwconv.log" >&2; exit 1; }
    if wanted onednn && debian onednn libdnnl-dev; then
        shim onednn onednn.c -ldnnl ||
            miss onednn "its shim does not build: $(grep -m1 error "$build/logs/cc-onednn.log" || true)"
    fi
    if wanted pytorch; then debian pytorch python3-torch || true; fi
    while read -r name packages; do
        # shellcheck disable=SC2086 # several words
        registry "$name" $packages
    done < <("$python" -B -c '
import sys
sys.path.insert(0, "scripts/peers")
from adapters import PEERS
wanted = sys.argv[1].split(",") if sys.argv[1] else PEERS
for peer in PEERS.values():
    if peer.requires and peer.name in wanted:
        print(peer.installed_as or peer.name, *peer.requires)' "$peers" | sort -u)
fi
exec "${run[@]}"
