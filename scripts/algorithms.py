#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The report of algorithms.sh: rows of dwconv bench -> algorithms.md.

    algorithms.py ROWS FOLDER      ROWS: folder with layers-DTYPE-LAYOUT.csv, grid-DTYPE-LAYOUT.csv, info.json
"""

import csv
import json
import math
import pathlib
import re
import sys

OTHERS = ["winograd", "im2col_gemm"]
CLASSES = [("3x3, up to 28 wide", lambda r: r["taps"] == 3 and r["stride"] == 1 and r["width"] <= 28),
           ("3x3, wider", lambda r: r["taps"] == 3 and r["stride"] == 1 and r["width"] > 28),
           ("5x5", lambda r: r["taps"] == 5 and r["stride"] == 1), ("7x7", lambda r: r["taps"] == 7 and r["stride"] == 1),
           ("larger kernels", lambda r: r["taps"] > 7), ("stride 2", lambda r: r["stride"] > 1 and r["taps"] <= 7)]


def mean(values):
    values = list(values)
    return math.exp(sum(map(math.log, values)) / len(values)) if values else float("nan")


def read(path):
    """One entry per problem, in order: its sizes, and of each algorithm time, fraction of the limit, parameters."""
    problems = {}
    with open(path, newline="") as file:
        for row in csv.DictReader(file):
            shape = re.search(r":n1:((\d+)x(\d+)x(\d+)):k(\d+)x(\d+):s(\d+)x\d+:d(\d+)x\d+:m(\d+)", row["problem"])
            entry = problems.setdefault((row.get("network"), row.get("layer"), row["problem"]), {
                "network": row.get("network"), "layer": row.get("layer"), "size": shape[1], "width": int(shape[3]),
                "taps": max(int(shape[5]), int(shape[6])), "stride": int(shape[7]), "dilation": int(shape[8]),
                "multiplier": int(shape[9]), "chosen": None, "of": {}})
            if row["verified"] and row["verified"] not in ("true", "1"):
                sys.exit(f"algorithms: {row['problem']} {row['algo']}: wrong output")
            figures = {"time": float(row["time_median_s"]), "fraction": float(row["fraction"]), "params": row["params"]}
            if row["source"] == "model":
                entry["chosen"] = row["algo"]
                entry["of"].setdefault(row["algo"], figures)
            else:
                entry["of"][row["algo"]] = figures
    return list(problems.values())


def gain(entry, algo):
    """Time of direct by that of the algorithm; None where it does not apply."""
    return entry["of"]["direct"]["time"] / entry["of"][algo]["time"] if algo in entry["of"] else None


def show(value):
    return "-" if value is None or value != value else f"{value:.2f}"


def summary(name, entries):
    yield f"| {name} | layers | direct, of its limit | winograd | its least, most | im2col_gemm | its least, most |"
    yield "|---|---|---|---|---|---|---|"
    for label, chosen in CLASSES:
        some = [entry for entry in entries if chosen(entry)]
        if not some:
            continue
        cells = [label, str(len(some)), show(mean(entry["of"]["direct"]["fraction"] for entry in some))]
        for algo in OTHERS:
            gains = [gain(entry, algo) for entry in some if algo in entry["of"]]
            cells += [show(mean(gains)) if gains else "-", f"{min(gains):.2f}, {max(gains):.2f}" if gains else "-"]
        yield "| " + " | ".join(cells) + " |"
    yield ""


def grid(name, entries):
    yield f"| {name} | multiplier | " + " | ".join(f"{taps}x{taps}" for taps in (3, 5, 7, 9)) + " |"
    yield "|---|---|---|---|---|---|"
    for size in dict.fromkeys(entry["size"] for entry in entries):
        for multiplier in sorted({entry["multiplier"] for entry in entries}):
            cells = [size, str(multiplier)]
            for taps in (3, 5, 7, 9):
                entry = next(entry for entry in entries if (entry["size"], entry["multiplier"], entry["taps"]) == (
                    size, multiplier, taps))
                gains = [f"**{show(gain(entry, algo))}**" if entry["chosen"] == algo else show(gain(entry, algo))
                         for algo in OTHERS]
                cells.append(" / ".join([show(entry["of"]["direct"]["fraction"]), *gains]))
            yield "| " + " | ".join(cells) + " |"
    yield ""


def choices(entries):
    """How auto did: time of its choice by the best, over entries with a choice."""
    regrets, wrong = [], 0
    for entry in entries:
        best = min(algo["time"] for algo in entry["of"].values())
        regrets.append(entry["of"][entry["chosen"]]["time"] / best)
        wrong += entry["chosen"] != "direct" and gain(entry, entry["chosen"]) < 1
    others = sum(entry["chosen"] != "direct" for entry in entries)
    return mean(regrets), max(regrets), others, wrong


def report(rows, info):
    machine, program = info["machine"], info["program"]
    yield "# Which algorithm where"
    yield ""
    yield (f"Machine: {machine['cpu']}, {machine['cores']} cores, L1 {machine['l1d_bytes'] >> 10} KiB, L2 "
           f"{machine['l2_bytes'] >> 10} KiB; instruction set {machine['isa']}; dwconv {program['version']} "
           f"({program['build']}). Made by `scripts/algorithms.sh`: `dwconv bench --algo ...`, one image in cache, one "
           "thread, the algorithms of a problem interleaved, each with the parameters that its cost model takes, at the "
           "worse of two buffer offsets. The f32 outputs of the layers were compared with the exact result.")
    yield ""
    yield ("Figures are the time of `direct` divided by that of the other algorithm: above 1 the other one is faster. "
           "Beside them, how near `direct` itself comes to its limit; where that is far from 1 a gain over it says "
           "little about the algorithm.")
    yield ""
    yield "## The layers"
    yield ""
    for name, entries in rows["layers"].items():
        yield from summary(name, entries)
    yield "## Multipliers and kernel sizes"
    yield ""
    yield "direct of its limit / gain of winograd / gain of im2col_gemm; bold: what `auto` chose (else direct)."
    yield ""
    for name, entries in rows["grid"].items():
        regret, most, others, wrong = choices(entries)
        yield from grid(name, entries)
        yield (f"`auto`: {regret:.2f} times the time of the fastest (geometric mean; at most {most:.2f}); not direct in "
               f"{others} of {len(entries)} problems, slower than direct in {wrong} of these.")
        yield ""
    yield "## Every layer, f32 nhwc"
    yield ""
    yield "| network | layer | image | taps | stride | dilation | direct, us | of its limit | winograd | im2col_gemm |"
    yield "|---|---|---|---|---|---|---|---|---|---|"
    for entry in rows["layers"].get("f32 nhwc", []):
        direct = entry["of"]["direct"]
        yield (f"| {entry['network']} | {entry['layer']} | {entry['size']} | {entry['taps']}x{entry['taps']} | "
               f"{entry['stride']} | {entry['dilation']} | {direct['time'] * 1e6:.1f} | {show(direct['fraction'])} | "
               f"{show(gain(entry, 'winograd'))} | {show(gain(entry, 'im2col_gemm'))} |")


def main():
    source, folder = map(pathlib.Path, sys.argv[1:3])
    rows = {kind: {f"{dtype} {layout}": read(source / f"{kind}-{dtype}-{layout}.csv") for dtype in ("f32", "f64")
                   for layout in ("nhwc", "nchw")} for kind in ("layers", "grid")}
    info = json.loads((source / "info.json").read_text())
    (folder / "algorithms.md").write_text("\n".join(report(rows, info)) + "\n")


main()
