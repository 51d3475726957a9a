#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How good are the tuner's and the cost model's choices on this machine? Figures, no verdict.

    tuning.py DWCONV SHAPES.csv [--runs N] [--layout nhwc|nchw,...] [--dtype f32,...] [--batch N,...] [--effort measure]
              [--paired N]

Races every candidate of every layer (dwconv tune --effort exhaustive), then tunes N times at the effort asked for, each
time from nothing, all on one thread. Regret is the time of a choice over that of the fastest candidate, both from the
exhaustive race, in which they ran side by side. Prints for the cost model and for the tuner: geometric mean, 95th
percentile and worst, the worst layers, how much of the regret comes from candidates that were never raced, and how often
two runs chose differently without a declared tie; the choices of some runs are also timed beside the cost model's, each
pair interleaved. Beside it what the judge is worth: the regret of the choices of a second exhaustive race by the first
one (noise, for both tried everything), and how near the fastest candidates come to the machine's limit (dwconv bench).
Nothing else should run on the machine.
"""

import argparse
import csv
import json
import math
import pathlib
import subprocess
import sys
import tempfile
import time


def tune(dwconv, arguments, effort, wisdom):
    """Seconds that it took."""
    start = time.monotonic()
    subprocess.run([dwconv, "tune", *arguments, "--threads", "1", "--effort", effort, "--wisdom", wisdom],
                   check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - start


def geometric_mean(values):
    return math.exp(sum(map(math.log, values)) / len(values)) if values else math.nan


def records(wisdom):
    """Records of problems by key."""
    lines = [json.loads(line) for line in pathlib.Path(wisdom).read_text().splitlines()]
    return {record["key"]: record for record in lines if ":" in record.get("key", "")}


def entries(record):
    return [entry for entry in [record["choice"]] + record["runners_up"] if entry["rounds"] > 0]


def name(entry):
    return f"{entry['algo']}({entry['params']})"


def regrets(record):
    """Candidate -> its time over the fastest one's. Of those that left after a few rounds only the order counts."""
    best = min(entry["ratio"] for entry in entries(record) if entry["rounds"] >= 7 or entry is record["choice"])
    return {name(entry): max(1, entry["ratio"] / best) for entry in entries(record)}


def regret_of(found, known):
    """Key -> regret of the choice recorded, by the regrets of all candidates."""
    return {key: known[key][name(record["choice"])] for key, record in found.items()
            if key in known and name(record["choice"]) in known[key]}


def bench(dwconv, problems, *options):
    """Rows of dwconv bench by problem."""
    rows = {}
    table = subprocess.run([dwconv, "bench", *problems, *options, "--threads", "1", "--format", "csv"], check=True,
                           stdout=subprocess.PIPE, text=True).stdout
    for row in csv.DictReader(table.splitlines()):
        rows.setdefault(row["problem"], []).append(row)
    return rows


def paired(dwconv, found, wisdom):
    """Time of the recorded choice over that of what the cost model would take, the two interleaved in a run of their own;
    only where they differ."""
    problems = {key.split()[0]: name(record["choice"]) for key, record in found.items()}
    model = {problem: rows[0] for problem, rows in
             bench(dwconv, problems, "--effort", "estimate", "--min-time", "0", "--offsets", "0").items()}
    groups, ratios = {}, []
    for problem, choice in problems.items():
        if name(model[problem]) != choice:
            groups.setdefault(model[problem]["algo"], []).append(problem)
    for algo, some in groups.items():
        for problem, rows in bench(dwconv, some, "--algo", f"auto,{algo}", "--effort", "wisdom", "--wisdom", wisdom,
                                   "--min-time", "0.02").items():
            recorded, other = rows
            if recorded["source"] == "record" and name(other) == name(model[problem]):
                ratios.append(float(recorded["time_median_s"]) / float(other["time_median_s"]))
    return ratios


def summary(what, values):
    ordered = sorted(values.values())
    if not ordered:
        print(f"{what}: no problem")
        return
    print(f"{what}: {len(ordered)} problems, geometric mean {geometric_mean(ordered):.4f}, "
          f"95 % {ordered[int(0.95 * len(ordered))]:.3f}, worst {ordered[-1]:.3f}")
    for key in sorted(values, key=values.get)[-3:]:
        print(f"    {values[key]:.3f}  {key.split()[0]}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("dwconv")
    parser.add_argument("shapes")
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--layout", default="nhwc")
    parser.add_argument("--dtype", default="f32")
    parser.add_argument("--batch", default="1")
    parser.add_argument("--effort", default="measure", choices=["measure", "patient"])
    parser.add_argument("--paired", type=int, default=3, help="runs whose choices are timed beside the cost model's")
    options = parser.parse_args()
    problems = ["--shapes", options.shapes, "--layout", options.layout, "--dtype", options.dtype,
                "--batch", options.batch]

    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/exhaustive.jsonl"
        print(f"exhaustive: {tune(options.dwconv, problems, 'exhaustive', path):.0f} s", flush=True)
        truth = records(path)
        known = {key: regrets(record) for key, record in truth.items()}
        reached = [float(row["fraction"]) for rows in bench(options.dwconv, problems, "--effort", "wisdom", "--wisdom",
                                                            path).values() for row in rows]
        print(f"fastest candidates, limit / time: geometric mean {geometric_mean(reached):.2f}, "
              f"lowest {min(reached):.2f}")
        again = f"{folder}/again.jsonl"
        tune(options.dwconv, problems, "exhaustive", again)
        summary("noise, choices of a second exhaustive race", regret_of(records(again), known))
        summary("cost model", {key: max(1, record["default_ratio"]) for key, record in truth.items()
                               if record["default_ratio"] > 0})

        chosen = {key: [] for key in truth}
        worse = []
        means = []
        side_by_side = []
        worst = 1
        never = total = 0
        for run in range(options.runs):
            path = f"{folder}/run{run}.jsonl"
            seconds = tune(options.dwconv, problems, options.effort, path)
            found = records(path)
            values = regret_of(found, known)
            for key, regret in values.items():
                record = found[key]
                chosen[key].append((name(record["choice"]), record["tie"]))
                reachable = min(known[key].get(name(entry), math.inf) for entry in entries(record))
                never += math.log(reachable)
                total += math.log(regret)
                worse.append(regret / max(1, truth[key]["default_ratio"]))
            means.append(geometric_mean(values.values()))
            worst = max([worst, *values.values()])
            side_by_side += paired(options.dwconv, found, path) if run < options.paired else []
            summary(f"{options.effort}, run {run + 1}, {seconds:.0f} s", values)
            sys.stdout.flush()
        print(f"all runs: mean {geometric_mean(means):.4f}, {min(means):.4f} to {max(means):.4f} by run, "
              f"worst {worst:.3f}")
        print(f"of all regret {100 * never / total if total else 0:.0f} % comes from candidates that were never raced")
        print(f"choices over 2 % slower than the cost model's, by the exhaustive race: "
              f"{sum(value > 1.02 for value in worse)} of {len(worse)}")
        print(f"beside the cost model's, where they differ: {len(side_by_side)}, {geometric_mean(side_by_side):.3f} of "
              f"its time, over 1.02 in {sum(value > 1.02 for value in side_by_side)}, most "
              f"{max(side_by_side, default=1):.3f}")
        changed = {key: picks for key, picks in chosen.items() if len({pick for pick, _ in picks}) > 1}
        outside = [key for key, picks in changed.items() if not any(tie for _, tie in picks)]
        print(f"problems with more than one winner over the runs: {len(changed)}, without any declared tie: {len(outside)}")


main()
