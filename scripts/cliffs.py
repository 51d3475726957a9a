#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Are there sizes that take far longer than their neighbours? Figures, no verdict.

    cliffs.py DWCONV [FOLDER]      FOLDER/cliffs.md; default: tune; takes about a minute

Times unusual problems beside the nearest usual one, whose channels fill vectors and whose taps are 3x3, 5x5 or 7x7: time
for each tap inside the image, one image in cache, one thread, the parameters that the cost model takes, at the worse of
two buffer offsets. Nothing else should run on the machine.
"""

import csv
import json
import math
import pathlib
import subprocess
import sys

CLIFF = 1.6
COLUMNS = [("f32", "nhwc"), ("f32", "nchw"), ("f64", "nhwc"), ("f64", "nchw"), ("f16", "nhwc"), ("f16", "nchw"),
           ("bf16", "nhwc"), ("bf16", "nchw")]


def text(size=28, channels=96, kh=3, kw=3, stride=1, dilation=1, multiplier=1):
    return f"{size}x{size}x{channels}:k{kh}x{kw}:s{stride}x{stride}:d{dilation}x{dilation}:m{multiplier}"


def taps():
    """Square ones and oblong ones beside the square of the nearest number of taps."""
    oblong = [(1, 3), (3, 1), (1, 7), (7, 1), (1, 11), (11, 1), (2, 3), (3, 5), (5, 3), (4, 7), (3, 9), (9, 3), (2, 10)]
    for kh, kw in [(k, k) for k in range(1, 16)] + oblong:
        usual = min((3, 5, 7), key=lambda k: abs(math.log(kh * kw / k**2)))
        if (kh, kw) != (usual, usual):
            yield text(kh=kh, kw=kw), text(kh=usual, kw=usual)


def channels():
    for count in (1, 3, 17, 24, 58, 116, 249, 728, 999, 1008, 1024, 1040):
        near = max(16, round(count / 16) * 16)
        yield text(14, count), text(14, near if near != count else near + 16)


def others():
    for size in (7, 9, 13, 15, 17, 27, 29, 31, 33, 55, 57):
        yield text(size), text(size + 1 if size % 4 != 1 else size - 1)
    for k in (3, 5, 7):
        yield text(57, 96, k, k, stride=3), text(57, 96, k, k, stride=2)
        for dilation in (2, 6, 18):
            yield text(33, 96, k, k, dilation=dilation), text(33, 96, k, k)
        for multiplier in (2, 3, 8):
            yield text(28, 96 // multiplier, k, k, multiplier=multiplier), text(28, 96, k, k)


def rates(dwconv, problems, dtype, layout):
    """Problem -> operations on taps inside the image a second, part of the limit."""
    rows = subprocess.run([dwconv, "bench", *(f"{dtype}:{layout}:n1:{problem}" for problem in problems), "--algo", "auto",
                           "--effort", "estimate", "--threads", "1", "--offsets", "0,64", "--min-time", "0.005",
                           "--format", "csv"], check=True, stdout=subprocess.PIPE, text=True).stdout
    return dict(zip(problems, ((float(row["gflops"]), float(row["fraction"])) for row in csv.DictReader(rows.splitlines()))))


def report(info, groups, slower, fraction):
    machine, program = info["machine"], info["program"]
    heads = [f"{dtype} {layout}" for dtype, layout in COLUMNS]
    yield "# Unusual sizes beside usual ones"
    yield ""
    yield (f"Machine: {machine['cpu']}, L1 {machine['l1d_bytes'] >> 10} KiB, L2 {machine['l2_bytes'] >> 10} KiB; instruction "
           f"set {machine['isa']}; dwconv {program['version']} ({program['build']}). Made by `scripts/cliffs.py`: time for each "
           "tap inside the image by that of the problem beside it; one image in cache, one thread, the parameters that the "
           f"cost model takes, at the worse of two buffer offsets. Bold: above {CLIFF}. Behind it the part of the problem's own "
           "limit, arithmetic or bandwidth, that is reached: where taps are few for each element, as in 1x1 or far apart, it is "
           "bandwidth and not the kernel that costs.")
    yield ""
    yield "| | " + " | ".join(heads) + " |"
    yield "|---|" + "---|" * len(heads)
    everything = [pair for pairs in groups.values() for pair in pairs]
    for name, pairs in {**groups, "all": everything}.items():
        cells = []
        for column in COLUMNS:
            values = [slower[column][pair] for pair in pairs]
            mean = math.exp(sum(map(math.log, values)) / len(values))
            cells.append(f"{mean:.2f}, most {max(values):.2f}, {sum(value > CLIFF for value in values)} of {len(values)}")
        yield f"| {name} | " + " | ".join(cells) + " |"
    yield ""
    yield "Geometric mean, the largest, how many above."
    yield ""
    yield "| problem | beside | " + " | ".join(heads) + " |"
    yield "|---|---|" + "---|" * len(heads)
    for problem, usual in everything:
        cells = []
        for column in COLUMNS:
            value = slower[column][problem, usual]
            cells.append((f"**{value:.2f}**" if value > CLIFF else f"{value:.2f}") + f" / {fraction[column][problem]:.2f}")
        yield f"| {problem} | {usual} | " + " | ".join(cells) + " |"


def main():
    dwconv, folder = sys.argv[1], pathlib.Path(sys.argv[2] if len(sys.argv) > 2 else "tune")
    groups = {"taps": list(taps()), "channels": list(channels()), "sizes, strides, dilations, multipliers": list(others())}
    problems = list(dict.fromkeys(problem for pairs in groups.values() for pair in pairs for problem in pair))
    info = json.loads(subprocess.run([dwconv, "info", "--json"], check=True, stdout=subprocess.PIPE, text=True).stdout)
    slower, fraction = {}, {}
    for dtype, layout in COLUMNS:
        print(f"cliffs: {dtype} {layout}", file=sys.stderr, flush=True)
        of = rates(dwconv, problems, dtype, layout)
        slower[dtype, layout] = {(problem, usual): of[usual][0] / of[problem][0]
                                 for pairs in groups.values() for problem, usual in pairs}
        fraction[dtype, layout] = {problem: values[1] for problem, values in of.items()}
    (folder / "cliffs.md").write_text("\n".join(report(info, groups, slower, fraction)) + "\n")


main()
