#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measures dwconv beside its peers, one process per peer, and keeps every row as it comes.

    run.py [options] BUILD SHAPES.csv       started by scripts/peers.sh; options: --help

BUILD (build/peers) has the shims, venv/PEER with the Python of each peer, missing/PEER with why there is none. Rows go
to BUILD/rows.jsonl: a stopped run goes on where it was; rows of another build of dwconv, of another version of a peer,
or for another number of threads do not count and are measured anew.
"""

import argparse
import csv
import dataclasses
import hashlib
import json
import os
import pathlib
import queue
import subprocess
import sys
import threading
import time

import adapters
import cases

CASE_SECONDS = 300  # a peer that takes longer for one case is ended, and the case refused
STOPPED = 75
BUSY = 0.9  # rows whose process got less of its CPU than this were measured while the machine did something else


class Progress:
    """A bar with the time left on a terminal, else a line now and then; the rate is that of each regime so far."""

    def __init__(self, regimes):
        self.left = {regime: regimes.count(regime) for regime in set(regimes)}
        self.total, self.spent, self.shown = len(regimes), {regime: [0, 0.0] for regime in self.left}, 0.0

    def skip(self, case):
        self.left[case.regime] -= 1
        self.total -= 1

    def step(self, case, seconds, what):
        self.left[case.regime] -= 1
        count, spent = self.spent[case.regime]
        self.spent[case.regime] = [count + 1, spent + seconds]
        self.show(what)

    def show(self, what):
        terminal, now = sys.stderr.isatty(), time.monotonic()
        if now - self.shown < (0.2 if terminal else 30):
            return
        self.shown = now
        guess = {"warm": 1.0, "cold": 12.0}
        seconds = sum(
            n * (self.spent[r][1] / self.spent[r][0] if self.spent[r][0] else guess[r]) for r, n in self.left.items()
        )
        done = self.total - sum(self.left.values())
        filled = 24 * done // max(1, self.total)
        bar = f"peers: [{'#' * filled}{'.' * (24 - filled)}] {done}/{self.total}, {seconds / 60:.0f} min left, {what}"
        sys.stderr.write(f"\r{bar[:110]:<110}" if terminal else bar + "\n")
        sys.stderr.flush()

    @staticmethod
    def say(text):
        sys.stderr.write(("\r" + " " * 110 + "\r" if sys.stderr.isatty() else "") + f"peers: {text}\n")


class Rows:
    """The journal: a JSON object a line; the last of a key counts, a torn line counts not."""

    def __init__(self, path):
        self.path, self.rows = path, {}
        if path.exists():
            for line in path.read_text(encoding="utf-8").splitlines():
                try:
                    row = json.loads(line)
                    self.rows[tuple(row["key"])] = row
                except (ValueError, KeyError):
                    continue
            if not path.read_bytes().endswith(b"\n"):
                with path.open("a", encoding="utf-8") as file:
                    file.write("\n")

    def has(self, key, stamp, least_share):
        row = self.rows.get(key)
        return row is not None and row["stamp"] == stamp and row.get("cpu_share", 1) >= least_share

    def add(self, key, stamp, row):
        row = {"key": list(key), "stamp": stamp, **row}
        self.rows[key] = row
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")


class Child:
    """measure.py for one peer."""

    def __init__(self, options, name, cpus):
        peer = adapters.PEERS[name]
        home = options.build / "venv" / (peer.installed_as or name)
        python = home / "bin" / "python" if peer.requires else options.python
        threads = str(options.threads)
        environment = {
            key: value for key, value in os.environ.items() if not key.startswith(("DWC_", "OMP_", "GOMP_", "KMP_"))
        }
        environment |= {
            "OMP_NUM_THREADS": threads,
            "OPENBLAS_NUM_THREADS": threads,
            "MKL_NUM_THREADS": threads,
            "OMP_DYNAMIC": "false",
            "TF_CPP_MIN_LOG_LEVEL": "2",
            "CUDA_VISIBLE_DEVICES": "",
            # Memory once freed stays with the process, or peers that allocate their outputs would pay for fresh pages.
            "MALLOC_MMAP_MAX_": "0",
            "MALLOC_TRIM_THRESHOLD_": str(1 << 34),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        (options.build / "logs").mkdir(exist_ok=True)
        with (options.build / "logs" / f"{name}.log").open("a", encoding="utf-8") as log:
            self.process = subprocess.Popen(
                [
                    str(python),
                    str(pathlib.Path(__file__).parent / "measure.py"),
                    name,
                    threads,
                    str(options.build),
                    *([str(options.wisdom)] if options.wisdom else []),
                ],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=environment | peer.environment,
                start_new_session=True,
                preexec_fn=lambda: os.sched_setaffinity(0, cpus),
            )
        self.lines = queue.Queue()
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.process.stdout:
            self.lines.put(line)
        self.lines.put("")

    def answer(self, seconds=CASE_SECONDS):
        """An object; None when the process has ended; TimeoutError."""
        try:
            line = self.lines.get(timeout=seconds)
        except queue.Empty as error:
            raise TimeoutError from error
        return json.loads(line) if line else None

    def ask(self, case):
        try:
            self.process.stdin.write(json.dumps(dataclasses.asdict(case)) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass
        return self.answer()

    def end(self):
        self.process.kill()
        self.process.wait()


def measure_peer(options, name, wanted, rows, progress, library):
    """All cases that have no row yet; returns the peer's version, or raises Missing."""
    peer, child, stamp = adapters.PEERS[name], None, None
    note = options.build / "missing" / (peer.installed_as or name)
    if note.exists():
        raise adapters.Missing(note.read_text(encoding="utf-8").strip())
    try:
        for case in wanted:
            key = (name, case.regime, case.text(), options.threads)
            if child is None:
                child = Child(options, name, options.cpus)
                hello = child.answer() or {"missing": f"ends when it starts, see logs/{name}.log"}
                if "missing" in hello:
                    raise adapters.Missing(hello["missing"])
                stamp = f"{library} {hello['version']}"
            if rows.has(key, stamp, BUSY if options.repeat_busy else 0):
                progress.skip(case)
                continue
            begin, reason = time.monotonic(), peer.why_not(case)
            try:
                row = {"reason": reason} if reason else child.ask(case)
            except TimeoutError:
                row = {"reason": f"takes longer than {CASE_SECONDS} s"}
            if (
                row is None
                or (not reason and child.process.poll() is not None)
                or "takes longer" in row.get("reason", "")
            ):
                row = row or {"reason": f"its process ended, status {child.process.wait()}"}
                child.end()
                child = None
            rows.add(key, stamp, {"case": dataclasses.asdict(case), "version": stamp.split(" ", 1)[1], **row})
            progress.step(case, time.monotonic() - begin, f"{peer.title}: {case.layer} {case.dtype} {case.layout}")
        return stamp
    finally:
        if child is not None:
            child.end()


def measure_limits(options, wanted, progress):
    """Limits of every problem by dwconv bench, the same for both layouts; a file per regime, rows are added to it."""
    for regime in {case.regime for case in wanted}:
        path = options.build / f"limits-{regime}-{options.threads}.csv"
        known = {row["problem"] for row in read_limits(path)}
        problems = sorted({case.text(layout="nhwc") for case in wanted if case.regime == regime} - known)
        for at in range(0, len(problems), 8):
            progress.say(f"limits, {regime}: {at} of {len(problems)} problems")
            command = [
                str(options.dwconv),
                "bench",
                *problems[at : at + 8],
                "--algo",
                "direct",
                "--cache",
                regime,
                "--offsets",
                "64",
                "--min-time",
                "0.001",
                "--threads",
                str(options.threads),
                "--format",
                "csv",
            ]
            text = subprocess.run(
                command,
                check=True,
                stdout=subprocess.PIPE,
                text=True,
                preexec_fn=lambda: os.sched_setaffinity(0, options.cpus),
            ).stdout
            with path.open("a", encoding="utf-8") as file:
                file.write(text)


def read_limits(path):
    if not path.exists():
        return []
    lines = path.read_text(encoding="utf-8").splitlines()
    return [row for row in csv.DictReader(lines) if row["limit_s"] != "limit_s"]


def cpu_list(text, threads):
    """Set of CPUs; by default the last of those that this process may use, which have the fewest interrupts."""
    if not text:
        return set(sorted(os.sched_getaffinity(0))[-threads:])
    cpus = set()
    for part in text.split(","):
        first, _, last = part.partition("-")
        cpus |= set(range(int(first), int(last or first) + 1))
    return cpus


def parse(arguments):
    words = lambda text: text.split(",")
    parser = argparse.ArgumentParser(
        prog="peers.sh", description="dwconv beside other libraries: a CSV, a table, a plot"
    )
    parser.add_argument("build", type=pathlib.Path, help=argparse.SUPPRESS)
    parser.add_argument("shapes", type=pathlib.Path, help=argparse.SUPPRESS)
    parser.add_argument("folder", type=pathlib.Path, help=argparse.SUPPRESS)
    parser.add_argument("--quick", action="store_true", help="few layers, float32: about 5 minutes")
    parser.add_argument("--peers", type=words, default=list(adapters.PEERS), help=",".join(adapters.PEERS))
    parser.add_argument("--regimes", type=words, default=list(cases.REGIMES), help="warm,cold")
    parser.add_argument("--types", type=words, default=["f32", "f64", "bf16", "f16"], help="f32,f64,bf16,f16")
    parser.add_argument("--layouts", type=words, default=["nhwc", "nchw"], help="nhwc,nchw")
    parser.add_argument(
        "--sample", type=int, default=0, metavar="N", help="so many layers from memory; 0 (default): all"
    )
    parser.add_argument(
        "--type-sample",
        type=int,
        default=16,
        metavar="N",
        help="so many layers for types other than f32; 0: all; default 16",
    )
    parser.add_argument(
        "--warm-sample", type=int, default=0, metavar="N", help="so many layers in cache; 0 (default): all"
    )
    parser.add_argument("--seed", type=int, default=1, help="of the samples")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--cpus", help="CPUs to run on, as 0-3,6; default: the last THREADS of those allowed")
    parser.add_argument(
        "--wisdom", type=pathlib.Path, help="tuning records for dwconv; default: none, its cost model chooses"
    )
    parser.add_argument(
        "--repeat-busy", action="store_true", help="measure again what was measured while the machine was busy"
    )
    parser.add_argument(
        "--report-only", action="store_true", help="measure nothing, write the report of the rows at hand"
    )
    options = parser.parse_args(arguments)
    if options.quick:
        options.warm_sample, options.sample, options.types = options.warm_sample or 12, options.sample or 4, ["f32"]
    for name, allowed in (
        ("peers", adapters.PEERS),
        ("regimes", cases.REGIMES),
        ("types", cases.BYTES),
        ("layouts", ("nhwc", "nchw")),
    ):
        unknown = [word for word in getattr(options, name) if word not in allowed]
        if unknown:
            parser.error(f"--{name}: unknown: {', '.join(unknown)}; known: {', '.join(allowed)}")
    options.dwconv = options.build.parent / "release" / "apps" / "dwconv"
    options.python = sys.executable
    options.cpus = cpu_list(options.cpus, options.threads)
    return options


def library_stamp(options):
    """Which dwconv: the library's bytes, those of the records in use, and how it is measured."""
    digest = hashlib.sha256((options.dwconv.parent.parent / "lib" / "libdwconv.so").read_bytes())
    for name in ("adapters.py", "measure.py", "tensors.py", "ours.c", "onednn.c"):
        digest.update((pathlib.Path(__file__).parent / name).read_bytes())
    if options.wisdom:
        digest.update(options.wisdom.read_bytes())
    return digest.hexdigest()[:12]


def main():
    options = parse(sys.argv[1:])
    counts = {
        ("warm", "f32"): options.warm_sample,
        ("cold", "f32"): options.sample,
        ("warm", "other"): options.type_sample,
        ("cold", "other"): options.type_sample,
    }
    wanted = cases.all_cases(
        cases.read_layers(options.shapes), options.regimes, options.types, options.layouts, counts, options.seed
    )
    rows, missing, stamps = Rows(options.build / "rows.jsonl"), {}, {}
    progress = Progress([case.regime for case in wanted] * len(options.peers))
    library = library_stamp(options)
    try:
        if options.report_only:
            keys = list(rows.rows)
            stamps = {
                name: next((rows.rows[k]["stamp"] for k in reversed(keys) if k[0] == name), None)
                for name in options.peers
            }
        else:
            measure_limits(options, wanted, progress)
            for name in options.peers:
                try:
                    stamps[name] = measure_peer(options, name, wanted, rows, progress, library)
                except adapters.Missing as why:
                    missing[name] = str(why)
                    progress.say(f"{name} is left out: {why}")
    except KeyboardInterrupt:
        progress.say("stopped; the same command goes on, --report-only writes what is there")
        return STOPPED
    import report

    return report.write(options, wanted, rows.rows, stamps, missing)


if __name__ == "__main__":
    sys.exit(main())
