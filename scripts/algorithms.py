#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The report of algorithms.sh: rows of dwconv bench -> algorithms.md.

    algorithms.py ROWS FOLDER      ROWS: folder with layers-DTYPE-LAYOUT.csv, grid-DTYPE-LAYOUT.csv, info.json, and
                                   perhaps sgemm.csv and torch.csv (see gemm/)
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
    """One entry per problem, in order: its sizes, time and fraction of the limit of each algorithm, which one auto chose.
    `of` has the better of an algorithm for NCHW itself and by way of NHWC (NAME_transposed)."""
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
            figures = {"time": float(row["time_median_s"]), "fraction": float(row["fraction"])}
            if row["source"] == "model":
                entry["chosen"] = {"algo": row["algo"].removesuffix("_transposed"), **figures}
            family = row["algo"].removesuffix("_transposed")
            if family not in entry["of"] or figures["time"] < entry["of"][family]["time"]:
                entry["of"][family] = figures
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
                chosen, direct = entry["chosen"], entry["of"]["direct"]["time"]
                gains = [f"**{show(direct / chosen['time'])}** ({show(gain(entry, algo))})" if chosen["algo"] == algo
                         else show(gain(entry, algo)) for algo in OTHERS]
                cells.append(" / ".join([show(entry["of"]["direct"]["fraction"]), *gains]))
            yield "| " + " | ".join(cells) + " |"
    yield ""


def choices(entries):
    """How auto did: time of its choice by the best, over entries with a choice."""
    regrets, wrong = [], 0
    for entry in entries:
        chosen, best = entry["chosen"], min(algo["time"] for algo in entry["of"].values())
        regrets.append(chosen["time"] / best)
        wrong += chosen["algo"] != "direct" and entry["of"]["direct"]["time"] < chosen["time"]
    others = sum(entry["chosen"]["algo"] != "direct" for entry in entries)
    return mean(regrets), max(regrets), others, wrong


def operations(m, k):
    """Of F(m,k) along the rows and F(m x m, k x k), for each output of a depthwise filter: a part for each output
    channel, and a part that the outputs of an input channel share. n = m + k - 1 elements stand for 0, infinity and
    pairs of points, one of them -1 and 1, which saves products. In two dimensions an element is a single product, so
    that a pair's sum and difference take three operations and the two ends one each; along the rows an element is a sum
    over rows of taps."""
    n = m + k - 1
    pairs = (n - 2) // 2
    combined = pairs + (m - 1) * (pairs - 1) + 1  # m outputs from sums and differences
    forward = 2 * pairs * (pairs + 1)
    along = (k * n + 2 * pairs + combined) / m, forward / m
    square = (n * (3 * pairs + combined) + m * (2 * pairs + combined)) / m**2, (m + n) * forward / m**2
    return along, square


def counts():
    """What minimal filtering can gain, by operations."""
    yield "## What minimal filtering can gain"
    yield ""
    yield ("Operations on vectors (additions, products, multiply-adds) for each output, borders aside, with M outputs of a "
           "channel sharing the forward transform. A depthwise filter has no sum over channels to share the inverse "
           "transform. With up to 16 outputs of a channel F(4,k) along the rows takes the fewest of these, with 32 "
           "F(4x4,kxk) is within a few per cent of it: `winograd` is along the rows; `winograd_2d`, which takes 3x3 taps, "
           "in both directions.")
    yield ""
    yield "| taps | direct | form | M = 1 | 4 | 8 | 16 | 32 |"
    yield "|---|---|---|---|---|---|---|---|"
    for k in (3, 5, 7, 9):
        for m in (2, 4):
            for name, (own, shared) in zip((f"F({m},{k})", f"F({m}x{m},{k}x{k})"), operations(m, k)):
                cells = [f"{k}x{k}", str(k * k), name, *(f"{own + shared / many:.1f}" for many in (1, 4, 8, 16, 32))]
                yield "| " + " | ".join(cells) + " |"
    yield ""
    yield ("On CPUs whose two vector units that multiply also do the additions (Intel's with AVX-512) a count of 2 is a "
           "cycle. AMD's Zen cores have other units for additions, so that these hide behind the products (Zen 4: one vector "
           "of 64 bytes of each a cycle; one loaded, half a one stored): counts say less there, and more is gained with "
           "multipliers. Direct stays below its count at the borders: it skips taps outside the image in both directions, "
           "`winograd` only rows, `winograd_2d` none. Elements and sums go through the first cache on top of that, "
           "(m + k - 1) / m of each for an output along the rows. The points are chosen for small errors, not for products "
           "saved.")
    yield ""


def both_directions(grids):
    """winograd_2d beside winograd, 3x3, NHWC."""
    some = {name: [entry for entry in entries if "winograd_2d" in entry["of"]] for name, entries in grids.items()}
    some = {name: entries for name, entries in some.items() if entries}
    yield "`winograd_2d` beside `winograd`, 3x3, both against `direct` as above; bold where `auto` took the former:"
    yield ""
    sizes = dict.fromkeys((entry["size"], entry["multiplier"]) for entries in some.values() for entry in entries)
    yield f"| image | multiplier | {' | '.join(f'{name}: winograd | winograd_2d' for name in some)} |"
    yield "|---|---|" + "---|---|" * len(some)
    for size in sizes:
        cells = [size[0], str(size[1])]
        for entries in some.values():
            entry = next(entry for entry in entries if (entry["size"], entry["multiplier"]) == size)
            square = show(gain(entry, "winograd_2d"))
            cells += [show(gain(entry, "winograd")),
                      f"**{square}**" if entry["chosen"]["algo"] == "winograd_2d" else square]
        yield "| " + " | ".join(cells) + " |"
    yield ""


def numbers(path):
    """Rows of numbers; none if there is no such file."""
    return [list(map(float, line.split(","))) for line in path.read_text().split()] if path.exists() else []


def products(source, entries):
    """im2col_gemm, f32 NCHW, beside OpenBLAS alone and PyTorch; entries: the grid's."""
    sgemm = {(c, taps, m): rate for c, m, n, taps, rate in numbers(source / "sgemm.csv")}
    torch = {(c, size, taps, m): (own, onednn) for c, size, taps, m, own, onednn in numbers(source / "torch.csv")}
    if not (sgemm or torch) or not all("im2col_gemm" in entry["of"] for entry in entries):
        return
    yield "## im2col_gemm beside OpenBLAS alone and PyTorch"
    yield ""
    yield ("f32 NCHW. GFLOP/s of im2col_gemm, counting the zeros outside the image, which its products include / part of "
           "the rate of `cblas_sgemm` alone on a matrix at hand, inner size taps, in the largest products that im2col_gemm "
           "makes / PyTorch's time by its own im2col and GEMM, and by oneDNN, which has no depthwise kernel for multipliers "
           "above 1, by that of im2col_gemm.")
    yield ""
    yield "| f32 nchw | multiplier | 3x3 | 5x5 | 7x7 | 9x9 |"
    yield "|---|---|---|---|---|---|"
    parts, own_times, onednn_times = [], [], []
    for size in dict.fromkeys(entry["size"] for entry in entries):
        for m in sorted({entry["multiplier"] for entry in entries}):
            cells = [size, str(m)]
            for k in (3, 5, 7, 9):
                entry = next(e for e in entries if (e["size"], e["multiplier"], e["taps"]) == (size, m, k))
                width, _, c = map(int, size.split("x"))
                seconds = entry["of"]["im2col_gemm"]["time"]
                rate = 2e-9 * width * width * c * m * k * k / seconds
                part = rate / sgemm.get((c, k * k, m), math.nan)
                own, onednn = (other / seconds for other in torch.get((c, width, k, m), (math.nan, math.nan)))
                cells.append(f"{rate:.0f} / {show(part)} / {show(own)}, {show(onednn)}")
                parts.append(part)
                own_times.append(own)
                if m > 1:
                    onednn_times.append(onednn)
            yield "| " + " | ".join(cells) + " |"
    yield ""
    yield (f"Geometric means: {show(mean(parts))} of sgemm's rate; PyTorch's own form takes {show(mean(own_times))} times "
           f"as long, by oneDNN with a multiplier above 1 {show(mean(onednn_times))} times.")
    yield ""


def report(rows, info, source):
    machine, program = info["machine"], info["program"]
    yield "# Which algorithm where"
    yield ""
    yield (f"Machine: {machine['cpu']}, {machine['cores']} cores, L1 {machine['l1d_bytes'] >> 10} KiB, L2 "
           f"{machine['l2_bytes'] >> 10} KiB; instruction set {machine['isa']}; dwconv {program['version']} "
           f"({program['build']}). Made by `scripts/algorithms.sh`: `dwconv bench --algo ...`, one image in cache, one "
           "thread, the algorithms of a problem interleaved, each with the parameters that its cost model takes, at the "
           "worse of two buffer offsets. The f32 outputs of the layers were compared with the exact result. In NCHW "
           "`direct` stands for the faster of `direct` and `direct_transposed`, `winograd` for `winograd_transposed`; the "
           "transposed ones go by way of NHWC.")
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
    yield ("direct of its limit / gain of winograd / gain of im2col_gemm; bold: of what `auto` chose (else direct), which "
           "keeps to an error limit (1e-5, f64 1e-13), as the others here do not.")
    yield ""
    for name, entries in rows["grid"].items():
        regret, most, others, wrong = choices(entries)
        yield from grid(name, entries)
        yield (f"`auto`: {regret:.2f} times the time of the fastest (geometric mean; at most {most:.2f}); not direct in "
               f"{others} of {len(entries)} problems, slower than direct in {wrong} of these.")
        yield ""
    yield from products(source, rows["grid"]["f32 nchw"])
    yield from counts()
    yield from both_directions(rows["grid"])
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
    (folder / "algorithms.md").write_text("\n".join(report(rows, info, source)) + "\n")


main()
