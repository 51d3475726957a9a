#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Measures what libdwconv_mpi costs beside its kernels, on this machine:
#
#   scripts/mpi-bench.sh [BUILD_DIR] [RANKS]     default: build/release, 2
#
#   overhead  a batch and one image cut into bands, 50 ms and 1 ms of work per rank, against the same kernels without
#             the library; "kernel again" is what two runs of the same kernels differ by
#   modes     data on rank 0: alone, scattered and gathered, pipelined; predicted and measured
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
build=${1-build/release} ranks=${2-2}
bench=$build/tests/mpi/mpi_bench
[[ -x $bench ]] || { printf 'mpi-bench: %s is not there: build with MPI and tests first\n' "$bench" >&2; exit 1; }

run() { mpirun -n "$ranks" "$bench" "$@"; printf '\n'; }

for seconds in 0.05 0.001; do
    run overhead f32:nhwc:n1:56x56x64:k3x3 "$seconds"
done
run modes f32:nhwc:n256:56x56x64:k3x3
run modes f32:nhwc:n64:56x56x64:k31x31
