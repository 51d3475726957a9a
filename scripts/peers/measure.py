# SPDX-License-Identifier: Apache-2.0
"""One peer beside dwconv in one process: a case per line on stdin, a row per line on stdout, both JSON.

    measure.py PEER THREADS SHIMS [WISDOM]      started by run.py, which sets environment and CPUs

Both get the same input values, and the same input memory where the peer takes a pointer. Outputs are compared before
and after anything is timed. Then rounds: dwconv, peer; peer, dwconv; ... A sample is one or more calls in a row, 1 ms
or more; the ratio is that of the two samples of a round.

    warm    the calls of a sample work on the same tensors, after one call that is not timed; each round on the next of
            four pairs of buffers, which lie differently in their pages
    cold    every call works on the next copy of the tensors, all copies together larger than twice the last cache
"""

import gc
import json
import math
import os
import sys
import time

import numpy

import adapters
import cases
import tensors

OFFSETS = [(64, 64), (64, 576), (64, 1088), (64, 2112)]  # of input and output in a page
SAMPLE_NS = 1_000_000
ROUNDS = {"warm": (12, 100), "cold": (7, 25)}  # at the least, at most
SECONDS = {"warm": 0.2, "cold": 2.0}
ESTIMATE_NS = 100_000_000
SLOW_SECONDS = 0.5  # with rounds longer than this three are enough
LEAST_SLOW_ROUNDS = 3


def last_cache_bytes():
    folder, most = "/sys/devices/system/cpu/cpu0/cache", 1 << 20
    units = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
    for index in os.listdir(folder) if os.path.isdir(folder) else []:
        path = f"{folder}/{index}/size"
        if os.path.exists(path):
            with open(path, encoding="ascii") as file:
                text = file.read().strip()
            most = max(most, int(text[:-1]) * units[text[-1]])
    return most


def now():
    return time.perf_counter_ns()


def timed(chain):
    begin = now()
    for run in chain:
        run()
    return now() - begin


def estimate(runs):
    """Nanoseconds of one call, roughly, after a call of each that warms up."""
    timed(runs)
    spent = [timed(runs)]
    while len(spent) < 4 and sum(spent) < ESTIMATE_NS:
        spent.append(timed(runs))
    return min(spent) / len(runs)


class Pair:
    """dwconv and a peer on the tensors of one case."""

    def __init__(self, case, ours, peer, normals):
        self.case = case
        places = OFFSETS
        if case.regime == "cold":
            copies = (
                1 if case.tensor_bytes > 4 * last_cache_bytes() else 2 * last_cache_bytes() // case.tensor_bytes + 2
            )
            places = [OFFSETS[i % len(OFFSETS)] for i in range(copies)]
        count_in, count_out = math.prod(case.in_shape), math.prod(case.out_shape)
        self.kernel = normals.fill(tensors.place(math.prod(case.filter_shape), case.dtype, 0), case.dtype, 12345)
        self.kernel = self.kernel.reshape(case.filter_shape)
        self.x = [
            normals.fill(tensors.place(count_in, case.dtype, at), case.dtype).reshape(case.in_shape)
            for at, _ in places
        ]
        self.y = [
            [tensors.place(count_out, case.dtype, at).reshape(case.out_shape) for _, at in places] for _ in range(2)
        ]
        self.scale = self.largest_sum(ours)

        made = ours.compile(case, self.kernel, "")
        self.notes = [made.note]
        self.runs, self.outputs = [None, None], [None, None]
        self.bind(0, made)
        self.bind(1, self.best_variant(peer))

    def bind(self, who, made):
        bound = [made(x, y) for x, y in zip(self.x, self.y[who])]
        self.runs[who], self.outputs[who] = [run for run, _ in bound], [output for _, output in bound]

    def best_variant(self, peer):
        best, why = None, None
        for variant in peer.variants:
            try:
                made = peer.compile(self.case, self.kernel, variant)
                run, _ = made(self.x[0], self.y[1][0])
                spent = estimate([run])
            except adapters.Refused as refusal:
                why = why or refusal
                continue
            if best is None or spent < best[0]:
                best = spent, made, variant
            del made, run
        if best is None:
            raise why
        self.notes.append(getattr(best[1], "note", best[2]))
        return best[1]

    def largest_sum(self, ours):
        """max over the outputs of the first image of sum |input * filter|: the measure of errors."""
        x = numpy.abs(tensors.to_float(self.x[0][:1], self.case.dtype)).astype(numpy.float32)
        kernel = numpy.abs(tensors.to_float(self.kernel, self.case.dtype)).astype(numpy.float32)
        one = cases.dataclasses.replace(self.case, n=1, dtype="f32")
        run, output = ours.compile(one, kernel, "")(x, numpy.empty(one.out_shape, numpy.float32))
        run()
        return float(output().max())

    def error(self):
        worst = 0.0
        for slot in {0, len(self.x) - 1}:
            got, expected = self.outputs[1][slot](), self.outputs[0][slot]()
            if got.shape != expected.shape:
                raise adapters.Refused(f"output has shape {got.shape}")
            for a, b in zip(got, expected):
                difference = numpy.abs(
                    tensors.to_float(a, self.case.dtype) - tensors.to_float(b, self.case.dtype)
                ).max()
                worst = float(max(worst, difference)) if difference == difference else math.inf
        return worst / self.scale

    def check(self):
        error = self.error()
        if not error <= tensors.TOLERANCE[self.case.dtype]:
            raise adapters.Refused(f"output differs from ours by {error:.2g}")
        return error

    def chains(self, length, start):
        if self.case.regime == "warm":
            return [[runs[start % len(runs)]] * n for runs, n in zip(self.runs, length)]
        return [[runs[(start + i) % len(runs)] for i in range(n)] for runs, n in zip(self.runs, length)]

    def race(self, seconds):
        warm = self.case.regime == "warm"
        guess = [estimate(runs) for runs in self.runs]
        error = self.check()
        length = [max(1, math.ceil(SAMPLE_NS / max(spent, 100))) for spent in guess]
        least, most = ROUNDS[self.case.regime]
        if sum(n * spent for n, spent in zip(length, guess)) > SLOW_SECONDS * 1e9:
            least = LEAST_SLOW_ROUNDS
        spent, at, begin, begin_busy = [[], []], 0, now(), time.process_time()
        gc.collect()
        gc.disable()
        while len(spent[0]) < least or (len(spent[0]) < most and now() - begin < seconds * 1e9):
            number = len(spent[0])
            for who in (number % 2, 1 - number % 2):
                if warm:
                    at = number
                chain = self.chains(length, at)[who]
                if warm:
                    chain[0]()
                spent[who].append(timed(chain) / len(chain) / 1e3)
                at += len(chain)
        busy = (time.process_time() - begin_busy) / ((now() - begin) * 1e-9)
        gc.enable()
        error = max(error, self.check())
        ratios = [b / a for a, b in zip(*spent)]
        row = {
            "rounds": len(ratios),
            "our_calls": length[0],
            "peer_calls": length[1],
            "error": float(f"{error:.2g}"),
            "cpu_share": round(min(busy, 1.0), 2),
            "ours": self.notes[0],
            "variant": self.notes[1],
        }
        for name, values in (("our_us", spent[0]), ("peer_us", spent[1]), ("ratio", ratios)):
            for suffix, quartile in zip(("_q1", "", "_q3"), numpy.percentile(values, (25, 50, 75))):
                row[name + suffix] = float(f"{quartile:.4g}")
        return row


class Bench:
    def __init__(self, ours, peer):
        self.ours, self.peer, self.normals, self.calls = ours, peer, tensors.Normals(1), {}

    def measure(self, case, seconds):
        if self.peer.why_not(case):
            raise adapters.Refused(self.peer.why_not(case))
        return Pair(case, self.ours, self.peer, self.normals).race(seconds)

    def call_us(self, case):
        """What a call costs, ours and the peer's, measured once per type and layout on a tiny problem."""
        key = case.dtype, case.layout
        if key not in self.calls:
            try:
                row = self.measure(cases.tiny_case(*key), 0.05)
                self.calls[key] = {"our_call_us": row["our_us"], "peer_call_us": row["peer_us"]}
            except adapters.Refused:
                self.calls[key] = {}
        return self.calls[key]

    def row(self, case):
        try:
            return {**self.measure(case, SECONDS[case.regime]), **self.call_us(case)}
        except adapters.Refused as refusal:
            return {"reason": str(refusal)}
        except MemoryError:
            return {"reason": "not enough memory"}
        except Exception as error:  # a peer's own, of a type that no adapter knows
            return {"reason": f"{type(error).__name__}: {adapters.first_line(error)}"}


def main():
    name, threads, folder, *wisdom = sys.argv[1:]
    # Libraries that print do it to stderr; the answers have a descriptor of their own.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(2, 1)
    try:
        setup = adapters.Setup(int(threads), folder, *wisdom)
        ours, peer = adapters.Ours(setup), adapters.PEERS[name](setup)
    except (adapters.Missing, ImportError, OSError) as error:
        answers.write(json.dumps({"missing": adapters.first_line(error)}) + "\n")
        return
    answers.write(json.dumps({"version": peer.version, "ours": ours.version}) + "\n")
    bench = Bench(ours, peer)
    for line in sys.stdin:
        answers.write(json.dumps(bench.row(cases.Case(**json.loads(line)))) + "\n")


if __name__ == "__main__":
    main()
