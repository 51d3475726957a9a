#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Installs the build into a scratch prefix and uses it from there as an outside project does:
# the examples by find_package and by pkg-config, the installed program, the symbols. Where it was built with MPI,
# libdwconv_mpi is there too.
#
#   test_install.sh SOURCE_DIR BUILD_DIR C_COMPILER
set -euo pipefail
source_dir=$1 build_dir=$2 compiler=$3
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
prefix=$scratch/prefix
expected='196 216 272 296 252 280 344 376'

fail() { printf 'FAILED: %s\n' "$*"; exit 1; }

cmake --install "$build_dir" --prefix "$prefix" >"$scratch/install.log"
libdir=$(dirname "$(find "$prefix" -name libdwconv.so)")
for file in bin/dwconv include/dwconv.h share/man/man1/dwconv.1 share/man/man1/dwconv-conv.1; do
    [[ -e $prefix/$file ]] || fail "$file is not installed"
done
[[ -e $libdir/libdwconv.a ]] || fail "libdwconv.a is not installed"

with_mpi=
if [[ -e $libdir/libdwconv_mpi.so ]]; then with_mpi=yes; fi
[[ -e $prefix/include/dwconv_mpi.h ]] && [[ ! $with_mpi ]] && fail 'dwconv_mpi.h is installed without its library'

# By CMake.
cmake -S "$source_dir/apps/examples" -B "$scratch/cmake" -DCMAKE_PREFIX_PATH="$prefix" -DCMAKE_C_COMPILER="$compiler" \
    >"$scratch/cmake.log" || { cat "$scratch/cmake.log"; fail 'find_package(dwconv)'; }
cmake --build "$scratch/cmake" >"$scratch/cmake.log" || { cat "$scratch/cmake.log"; fail 'building with find_package'; }
for example in "$source_dir"/apps/examples/*.c; do
    name=$(basename "$example" .c)
    if [[ $name == mpi_* && ! $with_mpi ]]; then continue; fi
    output=$("$scratch/cmake/$name") || fail "$name exits $?"
    [[ $output == "$expected" ]] || fail "$name by CMake prints: $output"
done

# By pkg-config, shared.
export PKG_CONFIG_PATH=$libdir/pkgconfig
read -ra flags < <(pkg-config --cflags --libs dwconv)
"$compiler" -std=c99 -Wall -Werror "$source_dir/apps/examples/minimal.c" -o "$scratch/minimal" "${flags[@]}"
output=$(LD_LIBRARY_PATH=$libdir "$scratch/minimal")
[[ $output == "$expected" ]] || fail "minimal by pkg-config prints: $output"
if [[ $with_mpi ]]; then
    read -ra flags < <(pkg-config --cflags --libs dwconv_mpi)
    "$compiler" -std=c99 -Wall -Werror "$source_dir/apps/examples/mpi_batch.c" -o "$scratch/mpi_batch" "${flags[@]}"
    output=$(LD_LIBRARY_PATH=$libdir mpirun --timeout 60 -n 3 "$scratch/mpi_batch")
    [[ $output == "$expected" ]] || fail "mpi_batch by pkg-config prints: $output"
fi

# The program starts from its new place.
LD_LIBRARY_PATH=$libdir "$prefix/bin/dwconv" --version | grep -q "$(pkg-config --modversion dwconv)" || fail 'dwconv --version'

# The libraries show their own names only, and cannot end the process; only the one for it calls MPI.
for library in libdwconv.so ${with_mpi:+libdwconv_mpi.so}; do
    if foreign=$(nm -D --defined-only "$libdir/$library" | awk '{print $3}' | grep -vE '^dwc_|^_init$|^_fini$'); then
        fail "$library also exports: $foreign"
    fi
    if ending=$(nm -D --undefined-only "$libdir/$library" |
        grep -E ' (abort|exit|_exit|quick_exit|__assert_fail|MPI_Abort|MPI_Init|MPI_Init_thread|MPI_Finalize)(@|$)'); then
        fail "$library calls: $ending"
    fi
done
if calls=$(nm -D "$libdir/libdwconv.so" | grep -E ' P?MPI_| ompi_'); then
    fail "libdwconv.so has names of MPI: $calls"
fi
printf 'installed, found by CMake and pkg-config, exports dwc_ names only\n'
