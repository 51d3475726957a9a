#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Draws the race behind a tuning record: every candidate's ratio to the choice, with its interval.

    race.py WISDOM.jsonl PROBLEM OUT.png [--threads N]

PROBLEM is the beginning of a record's key, for example f32:nhwc:n1:14x14x512:k3x3. Needs matplotlib.
"""

import argparse
import json
import pathlib
import sys

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt


def find(path, problem, threads):
    for line in pathlib.Path(path).read_text().splitlines():
        record = json.loads(line)
        if record.get("key", "").startswith(problem) and f" t{threads} " in record["key"]:
            return record
    sys.exit(f"race.py: {path}: no record for {problem} with {threads} thread(s)")


def label(entry):
    """The parameters that are not 0."""
    pairs = [pair for pair in entry["params"].split(",") if pair and not pair.endswith("=0")]
    return f"{entry['algo']}  {' '.join(pairs)}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("wisdom")
    parser.add_argument("problem")
    parser.add_argument("out")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    record = find(options.wisdom, options.problem, options.threads)
    entries = [e for e in [record["choice"]] + record["runners_up"] if e["rounds"] > 0]
    entries.sort(key=lambda e: e["ratio"])
    figure, axes = plt.subplots(figsize=(9, 1.2 + 0.24 * len(entries)))
    most = max(min(e["ratio"], 3) for e in entries)
    for y, e in enumerate(entries):
        chosen = e is record["choice"]
        colour = "#c03020" if chosen else "#3060a0" if e["rounds"] >= 7 else "#a0a0a0"
        ratio = min(e["ratio"], 3)
        axes.plot([min(e["low"], 3), min(e["high"], 3)], [y, y], color=colour, linewidth=4, alpha=0.4,
                  solid_capstyle="butt")
        axes.plot(ratio, y, "o" if e["ratio"] <= 3 else ">", color=colour, markersize=5)
        model = e["model_s"] / record["choice"]["median_s"]
        if model <= 3:
            axes.plot(model, y, "|", color="black", markersize=9)
        axes.text(most * 1.03, y, f"{1e6 * e['median_s']:.4g} µs, {e['rounds']} rounds", va="center", fontsize=7)
    axes.set_yticks(range(len(entries)), [label(e) for e in entries], fontsize=7)
    axes.set_ylim(len(entries) - 0.3, -0.7)
    axes.axvline(1, color="#c03020", linewidth=0.8)
    axes.axvline(1.01, color="#808080", linewidth=0.8, linestyle=":")
    axes.set_xlim(min(0.95, min(e["low"] for e in entries)), most * 1.3)
    axes.set_xlabel("time / time of the choice: median and interval; grey: left early; bars: the cost model", fontsize=8)
    tie = ", a tie" if record["tie"] else ""
    axes.set_title(f"{record['key'].split()[0]}, {options.threads} thread(s)\n{record['machine']}, {record['effort']}, "
                   f"{record['tried']} of {record['legal']} candidates{tie}", fontsize=9)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    figure.tight_layout()
    figure.savefig(options.out, dpi=110)


main()
