#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The report of performance.sh: rows of dwconv bench -> performance.md, and roofline.png where matplotlib is there.

    performance.py ROWS FOLDER      ROWS: the files that performance.sh makes
"""

import csv
import json
import math
import pathlib
import re
import sys

LONG_S = 30e-6  # of one thread: enough work for several
RUNS = [("warm", "one image, in cache"), ("cold", "64 images from memory, one thread"),
        ("cold-all", "64 images from memory, all cores")]
KINDS = [("3x3", "#1f77b4", "o"), ("3x3, stride 2", "#ff7f0e", "s"), ("5x5, 7x7", "#2ca02c", "^"),
         ("13x13 and larger", "#7f7f7f", "D"), ("dilated", "#d62728", "v")]


def mean(values):
    values = list(values)
    return math.exp(sum(map(math.log, values)) / len(values)) if values else float("nan")


def read(path):
    rows = []
    with open(path, newline="") as file:
        for row in csv.DictReader(file):
            shape = re.search(r":(\d+x\d+x\d+):k(\d+)x(\d+):s(\d+)x(\d+):d(\d+)x", row["problem"])
            size, taps, stride, dilation = shape[1], int(shape[2]), int(shape[4]), int(shape[6])
            time, limit = float(row["time_median_s"]), float(row["limit_s"])
            rows.append({
                "problem": row["problem"], "algo": row["algo"], "network": row["network"], "layer": row["layer"], "size": size, "taps": taps, "stride": stride,
                "dilation": dilation, "time": time, "limit": limit, "limit_by": row["limit_by"],
                "worst": limit / time, "best": limit / float(row["time_best_offset_s"]),
                "gflops": float(row["gflops"]), "intensity": float(row["gflops"]) / float(row["gbps"]),
                "params": row["params"], "verified": row["verified"],
            })
    return rows


def kind(row):
    if row["dilation"] > 1:
        return "dilated"
    if row["taps"] > 7:
        return "13x13 and larger"
    if row["taps"] == 3:
        return "3x3, stride 2" if row["stride"] > 1 else "3x3"
    return "5x5, 7x7"


def summary(rows):
    groups = [("stride 1, up to 7x7", lambda r: r["taps"] <= 7 and r["stride"] == 1),
              ("stride 2, up to 7x7", lambda r: r["taps"] <= 7 and r["stride"] > 1),
              ("larger kernels", lambda r: r["taps"] > 7)]
    for name, chosen in groups:
        some = [row for row in rows if chosen(row)]
        if some:
            yield name, len(some), some


def machine_of(info, script):
    machine = info["machine"]
    caches = ", ".join(f"{label} {machine[key] // 1024} KiB" for label, key in
                       (("L1", "l1d_bytes"), ("L2", "l2_bytes"), ("L3", "l3_bytes")) if machine.get(key))
    return (f"Machine: {machine['cpu']}, {machine['usable_cores']} cores, {caches}; instruction set {machine['isa']}; "
            f"dwconv {info['program']['version']} ({info['program']['build']}). Made by `scripts/{script}`, which "
            "says the commands as it runs them; figures move with the machine and its neighbours.")


def ratio_row(what, ratios, worst=max):
    return f"| {what} | {len(ratios)} | {mean(ratios):.2f} | {worst(ratios):.2f} |"


def others(runs, rows):
    """Worst over best buffer offset, types, threads, plans."""
    warm, gains = runs["warm"], {}
    for one, everyone in zip(warm, runs["warm-all"]):
        gains.setdefault(one["time"] > LONG_S, []).append(one["time"] / everyone["time"])
    yield from ["", "| float32, NHWC, one image, in cache | layers | geometric mean | worst |", "|---|---|---|---|",
                ratio_row("time at the worst buffer offset over that at the best", [r["best"] / r["worst"] for r in warm]),
                ratio_row("time of float64 over that of float32",
                          [f64["time"] / f32["time"] for f32, f64 in zip(warm, runs["f64"])])]
    for is_long, what in ((True, "more than"), (False, "at most")):
        if is_long in gains:
            yield ratio_row(f"speed-up by all cores, of layers that take {what} {LONG_S * 1e6:.0f} us", gains[is_long],
                            min)
    with open(rows / "plans.csv", newline="") as file:
        costs = "; ".join(f"`{row['problem']}` making a plan {row['plan_us']} us, an execution {row['execute_us']} us, "
                          f"one of a single pixel, nearly all overhead, {row['overhead_us']} us"
                          for row in csv.DictReader(file))
    yield from ["", f"One thread, no records (`build/release/tests/api/plan_bench`): {costs}."]


def order(path):
    """Bare loops beside direct."""
    yield from [
        "", "## Why not nearer, in cache", "",
        "A limit is what streams from the first byte to the last. A convolution touches lines of several rows and pixels "
        "in turn, some of them more than once. Bare loops that load a line, do nine multiply-adds and store a line, as for "
        "3x3, nanoseconds for a line of outputs beside `direct` (`build/release/tests/kern/order_bench`), one thread: "
        "*linear* from the first byte to the last; in the order of *strips*; and with the pixels beside and above that a "
        "3x3 filter takes as well (*halo*). The distance is that of the output from the input, modulo a page.", "",
        "| input | distance | linear | strips | halo | direct |", "|---|---|---|---|---|---|"]
    with open(path, newline="") as file:
        for row in csv.DictReader(file):
            yield "| " + " | ".join(row.values()) + " |"


def write_text(runs, info, rows, path):
    lines = ["# How fast, beside the machine's limits", "", machine_of(info, "performance.sh"), "",
             "The limit of a layer is the larger of two times: its taps inside the image at the peak arithmetic rate, "
             "and its tensors streamed once at the bandwidth of their size; both measured in the same run, the limit of "
             "the *direct* algorithm. Each figure is limit / time, 1 being the limit: at the worst of the buffer offsets "
             "measured, then at the best.", "",
             "![every layer under its roofline](roofline.png)", "",
             "The slanting lines are the lowest and the highest bandwidth that limits a layer; it depends on the layer's size.",
             "",
             "| float32, NHWC | layers | geometric mean, worst offset | best offset | lowest, worst offset | best offset |",
             "|---|---|---|---|---|---|"]
    for name, title in RUNS:
        for group, count, some in summary(runs[name]):
            lines.append(f"| {title}: {group} | {count} | {mean(r['worst'] for r in some):.2f} | "
                         f"{mean(r['best'] for r in some):.2f} | {min(r['worst'] for r in some):.2f} | "
                         f"{min(r['best'] for r in some):.2f} |")
    lines += others(runs, rows)
    checked = sum(row["verified"] == "true" for row in runs["warm"])
    lines += ["", f"In the same run {checked} of the {len(runs['warm'])} outputs of one image were compared with the exact "
              "result and found within its bound.", *order(rows / "order.csv"), "", "## Every layer", "",
              "| network | layer | image | taps | stride | dilation | us | GFLOP/s | warm: worst / best | "
              "cold, one thread | cold, all cores |",
              "|---|---|---|---|---|---|---|---|---|---|---|"]
    for warm, cold, everyone in zip(runs["warm"], runs["cold"], runs["cold-all"]):
        lines.append(f"| {warm['network']} | {warm['layer']} | {warm['size']} | {warm['taps']}x{warm['taps']} | "
                     f"{warm['stride']} | {warm['dilation']} | {warm['time'] * 1e6:.1f} | {warm['gflops']:.1f} | "
                     f"{warm['worst']:.2f} / {warm['best']:.2f} | {cold['worst']:.2f} | {everyone['worst']:.2f} |")
    path.write_text("\n".join(lines) + "\n")


def draw(runs, info, path):
    try:
        import matplotlib
    except ModuleNotFoundError:
        print("performance: no picture without matplotlib (Debian: python3-matplotlib)", file=sys.stderr)
        return
    matplotlib.use("Agg")
    import matplotlib.pyplot as plot
    figure, axes = plot.subplots(1, len(RUNS), figsize=(16.5, 6), sharey=True)
    for axis, (name, title) in zip(axes, RUNS):
        rows = runs[name]
        peaks = [r["gflops"] / r["worst"] for r in rows if r["limit_by"] == "arithmetic"]
        streams = sorted(r["gflops"] / r["worst"] / r["intensity"] for r in rows if r["limit_by"] == "memory")
        peak = sorted(peaks)[len(peaks) // 2] if peaks else 200
        for stream, style in ((streams[0], "-"), (streams[-1], ":")) if streams else ():
            axis.plot([0.3, peak / stream], [0.3 * stream, peak], style, color="black", linewidth=1, zorder=1)
        if streams:
            axis.text(0.03, 0.95, f"streams {streams[0]:.0f} to {streams[-1]:.0f} GB/s", transform=axis.transAxes, fontsize=8)
        if peaks:
            axis.axhline(peak, color="black", linewidth=1, zorder=1)
            axis.annotate(f"peak {peak:.0f} GFLOP/s", (60, peak * 1.05), fontsize=8)
        for label, color, marker in KINDS:
            some = [r for r in rows if kind(r) == label]
            axis.scatter([r["intensity"] for r in some], [r["gflops"] for r in some], s=26, color=color, marker=marker,
                         label=f"{label} ({len(some)})", alpha=0.85, zorder=3, linewidths=0)
            for r in some:
                axis.plot([r["intensity"]] * 2, [r["gflops"], r["gflops"] / r["worst"]], color=color, linewidth=0.6,
                          alpha=0.35, zorder=2)
        axis.set(xscale="log", yscale="log", xlim=(0.3, 300), ylim=(2, 600),
                 xlabel="operations per byte of input, filter and output",
                 title=f"{title}: {mean(r['worst'] for r in rows):.2f} of the limit")
        axis.grid(which="major", linewidth=0.4, alpha=0.6)
    axes[0].set_ylabel("GFLOP/s (taps inside the image), worst buffer offset")
    axes[0].legend(fontsize=8, loc="lower right")
    figure.suptitle(f"dwconv {info['program']['version']} on {info['machine']['cpu']}, {info['machine']['isa']}: every layer "
                    "under its roofline (a line leads up to the layer's own limit)", fontsize=11)
    figure.tight_layout()
    figure.savefig(path, dpi=110)


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    rows, folder = map(pathlib.Path, sys.argv[1:])
    runs = {name: read(rows / f"{name}.csv") for name in [*(name for name, _ in RUNS), "f64", "warm-all"]}
    info = json.loads((rows / "info.json").read_text())
    write_text(runs, info, rows, folder / "performance.md")
    draw(runs, info, folder / "roofline.png")


if __name__ == "__main__":
    main()
