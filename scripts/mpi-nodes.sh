#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Measures jobs whose data are on one of two nodes, for three speeds of the link between them:
#
#   scripts/mpi-nodes.sh [BUILD_DIR] [RATE...]     default: build/release 1gbit 4gbit 10gbit
#
# The nodes are namespaces of this machine, a rank of one thread on each, and tc shapes what leaves them. For four problems:
# alone, scattered and gathered, pipelined; predicted and measured, medians of rounds; and how well the pipeline overlaps.
# Needs what tests/mpi/node_support.py needs, as root, and two cores that have nothing else to do.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
build=${1-build/release}
bench=$build/tests/mpi/mpi_bench
[[ -x $bench ]] || { printf 'mpi-nodes: %s is not there: build with MPI and tests first\n' "$bench" >&2; exit 1; }
(($# > 1)) || set -- "$build" 1gbit 4gbit 10gbit
exec python3 -B tests/mpi/nodes_bench.py "$bench" "$(command -v mpirun)" "${@:2}"
