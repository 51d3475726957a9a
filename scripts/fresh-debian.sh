#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# For maintainers: runs the README's two commands in a Debian 12 that has nothing else, made by
# debootstrap in DIR. Needs root, debootstrap and an apt that is configured for Debian 12: mirror,
# proxy and keys are taken from there. Logs and the contact sheet go to build/fresh-debian.
#
#   scripts/fresh-debian.sh [--worktree] DIR
#
# DIR must not exist yet; it stays behind for a look. --worktree tries the files as they are on
# disk instead of the last commit.
set -euo pipefail

suite=bookworm
usage() { sed -n '8,11s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; }
die() { printf 'fresh-debian: %s\n' "$*" >&2; exit 1; }
say() { printf '\nfresh-debian: %s\n' "$*"; }

worktree=0
case "${1-}" in
--worktree) worktree=1; shift ;;
-h | --help) usage; exit 0 ;;
esac
(($# == 1)) || { usage >&2; exit 2; }
[[ $1 != -* ]] || { usage >&2; exit 2; }
((EUID == 0)) || die 'debootstrap and chroot need root'
command -v debootstrap >/dev/null || die 'debootstrap is not installed'
[[ ! -e $1 ]] || die "$1 exists; the system must be a fresh one"
mkdir -p "$1"
root=$(cd "$1" && pwd)
cd "$(dirname "${BASH_SOURCE[0]}")/.."
out=$PWD/build/fresh-debian
mkdir -p "$out"
rm -f "$out"/*.log "$out/contact-sheet.png"

mounted=()
cleanup() {
    local i
    for ((i = ${#mounted[@]} - 1; i >= 0; i--)); do
        umount "${mounted[i]}" 2>/dev/null || umount -l "${mounted[i]}" ||
            printf 'fresh-debian: %s is still mounted\n' "${mounted[i]}" >&2
    done
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
mount_if_possible() { # MOUNT-OPTIONS... TARGET
    local target=${!#}
    mkdir -p "$target"
    if mount "$@" 2>/dev/null; then
        mounted+=("$target")
    else
        printf 'fresh-debian: cannot mount %s, going on without\n' "$target"
    fi
}

# shellcheck disable=SC2016 # apt fills these in
mirror=$(apt-get indextargets --format '$(RELEASE) $(REPO_URI)' 'Created-By: Packages' |
    awk -v suite="$suite" '$1 == suite && !found++ { print $2 }')
[[ -n $mirror ]] || die "apt's sources on this system name no $suite"
for setting in http https; do # debootstrap does not read apt's own proxy setting
    eval "$(apt-config shell proxy "Acquire::${setting}::Proxy")"
    if [[ -n ${proxy-} && ${proxy-} != DIRECT ]]; then export "${setting}_proxy=$proxy"; fi
    proxy=
done

say "debootstrap $suite (minbase) into $root"
debootstrap --variant=minbase "$suite" "$root" "$mirror" >"$out/debootstrap.log" 2>&1 ||
    { tail -n 5 "$out/debootstrap.log" >&2; die "debootstrap failed, see $out/debootstrap.log"; }

# The network as this system reaches it: apt's sources and keys, name resolution, certificates.
rm -rf "$root/etc/apt"
cp -a /etc/apt "$root/etc/apt"
if [[ -d /usr/share/keyrings ]]; then cp -a /usr/share/keyrings/. "$root/usr/share/keyrings/"; fi
for file in /etc/resolv.conf /etc/hosts; do
    if [[ -e $file ]]; then cp -L "$file" "$root$file"; fi
done
if grep -rqs 'https://' /etc/apt/sources.list /etc/apt/sources.list.d && [[ -d /etc/ssl/certs ]]; then
    mkdir -p "$root/etc/ssl"
    cp -aL /etc/ssl/certs "$root/etc/ssl/"
fi

mkdir -p "$root/src/dwconv"
if ((worktree)); then
    say 'the files of the working tree go to /src/dwconv'
    git ls-files -z --cached --others --exclude-standard |
        tar --create --null --files-from=- --ignore-failed-read | tar --extract -C "$root/src/dwconv"
else
    say "commit $(git rev-parse --short HEAD) goes to /src/dwconv"
    git archive HEAD | tar --extract -C "$root/src/dwconv"
fi

mount_if_possible -t proc proc "$root/proc"
mount_if_possible -t sysfs -o ro sysfs "$root/sys"
mount_if_possible --bind /dev "$root/dev"
mount_if_possible -t devpts devpts "$root/dev/pts"
mount_if_possible -t tmpfs tmpfs "$root/dev/shm"

environment=(PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8)
for name in http_proxy https_proxy no_proxy; do
    if [[ -n ${!name-} ]]; then environment+=("$name=${!name}"); fi
done
run() { # LOG COMMAND...: in the fresh system, in the clone, as root
    local log=$out/$1 begin=$SECONDS code=0
    shift
    say "\$ $*"
    chroot "$root" env -i "${environment[@]}" /bin/bash -c 'cd /src/dwconv && exec "$@"' run "$@" </dev/null 2>&1 |
        tee "$log" || code=$?
    say "$* ended with exit code $code after $((SECONDS - begin)) s"
    return "$code"
}

failed=0
run demo.log ./scripts/demo.sh || failed=1
if [[ -f $root/src/dwconv/build/demo/contact-sheet.png ]]; then
    cp "$root/src/dwconv/build/demo/contact-sheet.png" "$out/"
    say "contact sheet: $out/contact-sheet.png"
fi
run test.log ./scripts/test.sh || failed=1

if ((failed)); then say "FAILED; the system stays in $root"; exit 1; fi
say "both commands succeeded; the system stays in $root"
