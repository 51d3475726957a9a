# SPDX-License-Identifier: Apache-2.0
"""Figures for people: modes of jobs whose data are on one of two nodes; see scripts/mpi-nodes.sh.

    python3 nodes_bench.py PATH_OF_MPI_BENCH MPIRUN RATE...
"""

import os
import sys
import tempfile

import node_support

# The pipeline's first and last pieces are on their way for nothing else: a small part of long batches only.
PROBLEMS = ("f32:nhwc:n256:56x56x64:k3x3", "f32:nhwc:n64:56x56x64:k31x31", "f32:nhwc:n256:56x56x64:k31x31",
            "f32:nhwc:n256:56x56x64:k45x45")

if __name__ == "__main__":
    reason = node_support.enter()
    if reason:
        sys.exit(f"mpi-nodes: {reason}")
    bench, mpirun, rates = os.path.abspath(sys.argv[1]), sys.argv[2], sys.argv[3:]
    with tempfile.TemporaryDirectory(prefix="dwconv-nodes-") as directory:
        nodes = node_support.Nodes(["dwcn1", "dwcn2"], directory, mpirun)
        for rate in rates:
            nodes.shape(rate)
            for problem in PROBLEMS:
                # Each node its own cores, as nodes have.
                words = ["sh", "-c", 'exec taskset -c "$OMPI_COMM_WORLD_RANK" "$0" "$@"', bench, "modes", problem]
                result = nodes.run({"dwcn1": 1, "dwcn2": 1}, *words, environment={"OMP_NUM_THREADS": "1"})
                print(f"---- {rate}\n{result.stdout}{result.stderr}", flush=True)
