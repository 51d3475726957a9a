# SPDX-License-Identifier: Apache-2.0
"""The program on several nodes, which are namespaces of this machine: what goes wrong only between nodes.

    python3 pseudo_nodes.py PATH_OF_DWCONV MPIRUN [PATH_OF_TEST_MPI_BITS PATH_OF_TEST_MPI_FAULTS]
"""

import hashlib
import json
import os
import random
import signal
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cli"))

import cli_support
import node_support
from cli_support import begin, check, finish, header_text, npy_bytes, pack, read_bytes, run, seen, skip, write_npy

JOB = ["conv", "--input", "in/input.npy", "--filter", "in/filter.npy", "--output", "out/out.npy", "--threads", 1]
REFERENCE = [*JOB[:-1], 2, "--algo", "reference"]
SLOW = [*JOB, "--algo", "reference", "--chunk-images", 1, "--checkpoint", 0.005]


def digest():
    return hashlib.sha256(read_bytes("out/out.npy")).hexdigest() if os.path.exists("out/out.npy") else None


def clean():
    for name in os.listdir("out"):
        os.unlink(os.path.join("out", name))


def timed(ranks, *arguments):
    begun = time.monotonic()
    result = nodes.run(ranks, cli_support.program, *arguments)
    return result, time.monotonic() - begun


def same(name, ranks, whole, *arguments):
    result, _ = timed(ranks, *arguments)
    check(name, result.returncode == 0 and os.listdir("out") == ["out.npy"] and digest() == whole,
          f"{os.listdir('out')} {seen(result)}")
    clean()


def refused(name, words, *arguments):
    """One line of ours with these words, exit 1, soon, nothing left."""
    result, took = timed({"dwcn1": 1, "dwcn2": 1}, *arguments)
    ours = [line for line in result.stderr.splitlines() if line.startswith("dwconv")]
    check(name, result.returncode == 1 and len(ours) == 1 and all(word in ours[0] for word in words) and not result.stdout,
          seen(result))
    check(f"{name}: in time", took < 10, f"{took:.1f} s")
    check(f"{name}: nothing is left", not os.listdir("out"), os.listdir("out"))


class Mounted:
    """A file system of its own for one directory of one node."""

    def __init__(self, node, path, size="10M"):
        self.node, self.path, self.size = node, os.path.abspath(path), size

    def __enter__(self):
        nodes.on(self.node, "mount", "-t", "tmpfs", "-o", f"size={self.size}", "none", self.path)

    def __exit__(self, *_):
        nodes.on(self.node, "umount", "-l", self.path)


def write_job(images):
    rng = random.Random(1)
    image = [rng.uniform(-1, 1) for _ in range(40 * 40 * 16)]
    with open("in/input.npy", "wb") as file:
        file.write(npy_bytes(header_text((images, 40, 40, 16), "<f4"), pack("f32", image) * images))
    write_npy("in/filter.npy", (9, 9, 16, 1), [rng.uniform(-1, 1) for _ in range(81 * 16)])


def alone(job):
    result = run(*job)
    check("one process", result.returncode == 0, seen(result))
    whole = digest()
    clean()
    return whole


def hashes(whole):
    for ranks in ({"dwcn1": 1, "dwcn2": 1}, {"dwcn1": 2, "dwcn2": 1}, {"dwcn1": 1, "dwcn2": 1, "dwcn3": 1}):
        same(f"{ranks}: same bits as one process", ranks, whole, *JOB, "--chunk-images", 3)
    result, _ = timed({"dwcn1": 1, "dwcn2": 1}, *JOB[:-2], "--threads", 2, "--strides", "2,1")
    check("negative control: another problem is another hash", result.returncode == 0 and digest() != whole, seen(result))
    clean()


def paths():
    with Mounted("dwcn2", "in"):
        refused("a node without the input", ["in/input.npy: cannot open", "(rank 1 of 2, on dwcn2)"], *JOB)
    with Mounted("dwcn2", "out"):
        refused("a node with an output directory of its own", ["out.npy.partial", "(rank 1 of 2, on dwcn2)"], *JOB)
        nodes.on("dwcn2", "sh", "-c", f"head -c 10000 /dev/zero > {os.path.abspath('out')}/out.npy.partial")
        refused("and there is a file of that name", ["out.npy.partial: is not the file", "(rank 1 of 2, on dwcn2)"], *JOB)
        nodes.on("dwcn2", "sh", "-c", f"test $(wc -c < {os.path.abspath('out')}/out.npy.partial) = 10000")


def small_memory(whole):
    """/dev/shm of one node, on which two ranks are."""
    for size in ("40M", "4M", "64k"):
        with Mounted("dwcn2", "/dev/shm", size):
            result, took = timed({"dwcn1": 2, "dwcn2": 2}, *JOB)
        good = result.returncode == 0 and digest() == whole
        said = result.returncode != 0 and result.stderr.strip() and not os.listdir("out")
        check(f"/dev/shm of {size}: {'works' if good else 'is an error'}", good or said,
              f"{os.listdir('out')} {seen(result)}")
        check(f"/dev/shm of {size}: in time", took < 20, f"{took:.1f} s")
        clean()


def killed():
    """A rank of the other node dies when some chunks are recorded."""
    whole = alone(REFERENCE)
    for then in ({"dwcn1": 1, "dwcn2": 1, "dwcn3": 1}, {"dwcn3": 1}):
        process = nodes.start({"dwcn1": 1, "dwcn2": 1}, cli_support.program, *SLOW)
        journals = []
        while process.poll() is None and sum(map(os.path.getsize, journals)) < 2 * 1024 + 8 * 64:
            journals = [f"out/{name}" for name in os.listdir("out") if name.endswith(".journal")]
            time.sleep(0.005)
        ranks = nodes.processes("dwcn2", cli_support.program)
        check("one rank is on the other node", len(ranks) == 1, ranks)
        for rank in ranks:
            os.kill(rank, signal.SIGKILL)
        begun = time.monotonic()
        result = nodes.end(process, SLOW)
        took = time.monotonic() - begun
        check("a rank of the other node is killed: the job ends", result.returncode == 137 and took < 10,
              f"{took:.1f} s, {seen(result)}")
        check("and has no output", "out.npy" not in os.listdir("out") and "out.npy.partial" in os.listdir("out"),
              os.listdir("out"))
        same(f"resumed on {then}: same bits", then, whole, *SLOW, "--resume")


def look_around():
    expected = (({"dwcn1": 1}, 1, 1), ({"dwcn1": 2}, 1, 2), ({"dwcn1": 1, "dwcn2": 1}, 2, 1),
                ({"dwcn1": 1, "dwcn2": 2}, 2, 1), ({"dwcn1": 2, "dwcn2": 1, "dwcn3": 2}, 3, 2))
    for ranks, count, sharing in expected:
        result, _ = timed(ranks, "info", "--mpi", "--shared", "out", "--json")
        row = json.loads(result.stdout or "{}").get("mpi", {})
        if sum(ranks.values()) == 1:
            check("one rank sees the directory", row.get("shared") == "seen by all ranks", seen(result))
            continue
        check(f"{ranks}: {count} nodes, {sharing} ranks on the first one's cores", row.get("nodes") == count and
              row.get("sharing_cores") == sharing and row.get("shared") == "seen by all ranks", seen(result))
    with Mounted("dwcn2", "out"):
        result, _ = timed({"dwcn1": 1, "dwcn2": 1}, "info", "--mpi", "--shared", "out", "--json")
    text = json.loads(result.stdout or "{}").get("mpi", {}).get("shared", "")
    check("info names the node that does not see the directory", "on dwcn2" in text and "rank 1 of 2" in text, seen(result))
    check("and leaves nothing there", not os.listdir("out"), os.listdir("out"))


def library(bits, faults):
    """Places, bits, measurements and failures, as its tests see them, which compare the names of the hosts themselves."""
    for ranks, program, *arguments in (({"dwcn1": 2, "dwcn2": 1, "dwcn3": 1}, bits, "--count", 2),
                                       ({"dwcn1": 1, "dwcn2": 1}, faults), ({"dwcn1": 2, "dwcn2": 1}, faults)):
        result = nodes.run(ranks, program, *arguments, environment={"OMPI_MCA_mpi_yield_when_idle": "1"})
        check(f"{os.path.basename(program)} on {ranks}", result.returncode == 0, seen(result))


if __name__ == "__main__":
    reason = node_support.enter()
    if reason:
        skip(reason)
    arguments = begin()
    mpirun, *programs = arguments
    nodes = node_support.Nodes(["dwcn1", "dwcn2", "dwcn3"], cli_support.directory, mpirun)
    os.mkdir("in")
    os.mkdir("out")
    write_job(64)
    hash_of_all = alone(JOB)
    hashes(hash_of_all)
    paths()
    look_around()
    small_memory(hash_of_all)
    killed()
    if programs:
        library(*programs)
    finish()
