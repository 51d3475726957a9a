#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How good are the tuner's and the cost model's choices on this machine? Figures, no verdict.

    tuning.py DWCONV SHAPES.csv [--runs N] [--layout nhwc|nchw,...] [--dtype f32,...] [--batch N,...] [--effort measure]
              [--paired N] [--again N]

Races every candidate of every layer (dwconv tune --effort exhaustive), then tunes N times at the effort asked for, each
time from nothing, all on one thread. Regret is the time of a choice over that of the fastest candidate, both from the
exhaustive race, in which they ran side by side. Prints for the cost model and for the tuner: geometric mean, 95th
percentile and worst, the worst layers, how much of the regret comes from candidates that were never raced, and how often
two runs chose differently without a declared tie; the choices of some runs are also timed beside the cost model's, each
pair interleaved. A race is one snapshot of where tensors happened to lie, so regret is also given by the medians over all
races of each candidate's ratio to the fastest, and choices that look slow are timed again, in processes of their own,
beside what they look slower than. Beside it what the judge is worth: the regret of the choices
of a second exhaustive race by the first one (noise, for both tried everything), and how near the fastest candidates come
to the machine's limit (dwconv bench).
Nothing else should run on the machine.
"""

import argparse
import csv
import json
import math
import pathlib
import statistics
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


def by_all_races(exhaustive, tuned):
    """Key -> candidate -> the median of its regrets over the races that it ran in; only of those that all of the
    exhaustive races or most of all races have."""
    races = exhaustive + tuned
    all_regrets = {}
    for race in races:
        for key, record in race.items():
            for candidate, regret in regrets(record).items():
                all_regrets.setdefault(key, {}).setdefault(candidate, []).append(regret)
    medians = {key: {candidate: statistics.median(values) for candidate, values in some.items()
                     if 2 * len(values) > len(races) or
                     all(key in race and candidate in regrets(race[key]) for race in exhaustive)}
               for key, some in all_regrets.items()}
    return {key: {candidate: value / min(some.values()) for candidate, value in some.items()}
            for key, some in medians.items()}


def regret_of(found, known):
    """Key -> regret of the choice recorded, by the regrets of all candidates."""
    return {key: known[key][name(record["choice"])] for key, record in found.items()
            if key in known and name(record["choice"]) in known[key]}


def bench(dwconv, found, *options):
    """Rows of dwconv bench by key of these records; so many images, from the caches or from memory, as the tuner races
    them."""
    rows = {}
    for cache, batch_class in ("warm", " resident "), ("cold", " streaming "):
        some = {key.split()[0].replace(":n1:", f":n{record['images']}:", 1): key for key, record in found.items()
                if batch_class in key}
        if not some:
            continue
        table = subprocess.run([dwconv, "bench", *some, *options, "--cache", cache, "--threads", "1", "--format", "csv"],
                               check=True, stdout=subprocess.PIPE, text=True).stdout
        for row in csv.DictReader(table.splitlines()):
            rows.setdefault(some[row["problem"]], []).append(row)
    return rows


def paired(dwconv, found, wisdom):
    """(key, recorded choice, the cost model's) -> time of the first over that of the second, the two interleaved in a
    run of their own; only where they differ."""
    choices = {key: name(record["choice"]) for key, record in found.items()}
    model = {key: rows[0] for key, rows in
             bench(dwconv, found, "--effort", "estimate", "--min-time", "0", "--offsets", "0").items()}
    groups, ratios = {}, {}
    for key, choice in choices.items():
        if name(model[key]) != choice:
            groups.setdefault(model[key]["algo"], {})[key] = found[key]
    for algo, some in groups.items():
        for key, rows in bench(dwconv, some, "--algo", f"auto,{algo}", "--effort", "wisdom", "--wisdom", wisdom,
                               "--min-time", "0.02").items():
            recorded, other = rows
            if recorded["source"] == "record" and name(other) == name(model[key]):
                ratios[key, name(recorded), name(other)] = (float(recorded["time_median_s"]) /
                                                            float(other["time_median_s"]))
    return ratios


def duel(dwconv, key, record, one, other, runs):
    """Median time of a candidate over that of another, in so many processes that interleave them; NaN: they are of two
    algorithms, of which dwconv bench takes no parameters."""
    (algo, first), (other_algo, second) = (text[:-1].split("(", 1) for text in (one, other))
    if algo != other_algo:
        return math.nan
    ratios = []
    for _ in range(runs):
        times = [float(row["time_median_s"]) for row in
                 bench(dwconv, {key: record}, "--algo", algo, "--params", f"{first};{second}", "--min-time", "0.1")[key]]
        ratios.append(times[0] / times[1])
    return statistics.median(ratios)


def timed_again(dwconv, what, found, suspects, limit, runs):
    """suspects: (key, candidate, other candidate) that look slower than `limit`, each printed with what is left."""
    ratios = {(key, *pair): duel(dwconv, key, found[key], *pair, runs) for key, *pair in sorted(set(suspects))}
    known = [ratio for ratio in ratios.values() if not math.isnan(ratio)]
    print(f"{what}: {len(ratios)} different pairs; timed again, {runs} processes each: over {limit} in "
          f"{sum(ratio > limit for ratio in known)} of {len(known)}, most {max(known, default=1):.3f}")
    for (key, one, other), ratio in ratios.items():
        if not ratio <= limit:
            print(f"    {ratio:.3f}  {key.split()[0]}  {one} beside {other}")


def summary(what, values, of="problems", key_of=lambda key: key):
    ordered = sorted(values.values())
    if not ordered:
        print(f"{what}: no problem")
        return
    print(f"{what}: {len(ordered)} {of}, geometric mean {geometric_mean(ordered):.4f}, "
          f"95 % {ordered[int(0.95 * len(ordered))]:.3f}, worst {ordered[-1]:.3f}")
    worst = {key_of(key): values[key] for key in sorted(values, key=values.get)}
    for key in sorted(worst, key=worst.get)[-3:]:
        print(f"    {worst[key]:.3f}  {key.split()[0]}")


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
    parser.add_argument("--again", type=int, default=5, help="processes that time a choice again that looks slow")
    options = parser.parse_args()
    problems = ["--shapes", options.shapes, "--layout", options.layout, "--dtype", options.dtype,
                "--batch", options.batch]

    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/exhaustive.jsonl"
        print(f"exhaustive: {tune(options.dwconv, problems, 'exhaustive', path):.0f} s", flush=True)
        truth = records(path)
        known = {key: regrets(record) for key, record in truth.items()}
        reached = [float(row["fraction"]) for rows in bench(options.dwconv, truth, "--effort", "wisdom", "--wisdom",
                                                            path).values() for row in rows]
        print(f"fastest candidates, limit / time: geometric mean {geometric_mean(reached):.2f}, "
              f"lowest {min(reached):.2f}")
        again = f"{folder}/again.jsonl"
        tune(options.dwconv, problems, "exhaustive", again)
        tuned = []
        summary("noise, choices of a second exhaustive race", regret_of(records(again), known))
        summary("cost model", {key: max(1, record["default_ratio"]) for key, record in truth.items()
                               if record["default_ratio"] > 0})

        chosen = {key: [] for key in truth}
        worse = []
        means = []
        side_by_side, slow = [], []
        worst = 1
        never = total = 0
        for run in range(options.runs):
            path = f"{folder}/run{run}.jsonl"
            seconds = tune(options.dwconv, problems, options.effort, path)
            found = records(path)
            tuned.append(found)
            values = regret_of(found, known)
            for key, regret in values.items():
                record = found[key]
                chosen[key].append((name(record["choice"]), record["tie"]))
                reachable = min(known[key].get(name(entry), math.inf) for entry in entries(record))
                if regret > 1.05:
                    slow.append((key, name(record["choice"]), min(known[key], key=known[key].get)))
                never += math.log(reachable)
                total += math.log(regret)
                worse.append(regret / max(1, truth[key]["default_ratio"]))
            means.append(geometric_mean(values.values()))
            worst = max([worst, *values.values()])
            side_by_side += paired(options.dwconv, found, path).items() if run < options.paired else []
            summary(f"{options.effort}, run {run + 1}, {seconds:.0f} s", values)
            sys.stdout.flush()
        print(f"all runs: mean {geometric_mean(means):.4f}, {min(means):.4f} to {max(means):.4f} by run, "
              f"worst {worst:.3f}")
        consensus = by_all_races([truth, records(again)], tuned)
        judged = {(key, run): regret for run, found in enumerate(tuned)
                  for key, regret in regret_of(found, consensus).items()}
        summary(f"all runs, by the medians over {len(tuned) + 2} races, "
                f"{sum(map(len, tuned)) - len(judged)} choices left out", judged, "choices", key_of=lambda pair: pair[0])
        print(f"of all regret {100 * never / total if total else 0:.0f} % comes from candidates that were never raced")
        print(f"choices over 2 % slower than the cost model's, by the exhaustive race: "
              f"{sum(value > 1.02 for value in worse)} of {len(worse)}")
        ratios = [ratio for _, ratio in side_by_side]
        print(f"beside the cost model's, where they differ: {len(ratios)}, {geometric_mean(ratios):.3f} of its time, over "
              f"1.02 in {sum(value > 1.02 for value in ratios)}, most {max(ratios, default=1):.3f}")
        timed_again(options.dwconv, "over 1.02 beside the cost model's", truth,
                    [pair for pair, ratio in side_by_side if ratio > 1.02], 1.02, options.again)
        timed_again(options.dwconv, "regret over 1.05", truth, slow, 1.05, options.again)
        changed = {key: picks for key, picks in chosen.items() if len({pick for pick, _ in picks}) > 1}
        outside = [key for key, picks in changed.items() if not any(tie for _, tie in picks)]
        print(f"problems with more than one winner over the runs: {len(changed)}, without any declared tie: {len(outside)}")


main()
