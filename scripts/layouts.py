#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The report of layouts.sh: rows of dwconv bench -> layouts.md, and layouts.png where matplotlib is there.

    layouts.py ROWS FOLDER      ROWS: folder with warm.csv, cold.csv, info.json
"""

import json
import pathlib
import sys

from performance import machine_of, mean, read

RUNS = [("warm", "one image, in cache"), ("cold", "64 images from memory")]
FORMS = ["nhwc f32", "nchw f32", "nhwc f16", "nchw f16", "nhwc bf16", "nchw bf16"]


def by_layer(path):
    """(network, layer) -> form -> row"""
    layers = {}
    for row in read(path):
        dtype, layout = row["problem"].split(":")[:2]
        layers.setdefault((row["network"], row["layer"]), {})[f"{layout} {dtype}"] = row
    return layers


def ratios(layers, form, base):
    return [rows[form]["time"] / rows[base]["time"] for rows in layers.values() if form in rows and base in rows]


def text(runs, info):
    yield "# The other layout and the half types beside NHWC float32\n"
    yield machine_of(info, "layouts.sh") + " One thread; all forms of a layer in one run.\n"
    yield "![time of each form over NHWC float32](layouts.png)\n"
    yield "| run | form | layers | time over NHWC f32, geometric mean | most | of its own limit | lowest |"
    yield "|---|---|---|---|---|---|---|"
    for name, title in RUNS:
        for form in FORMS:
            some = ratios(runs[name], form, "nhwc f32")
            limits = [rows[form]["worst"] for rows in runs[name].values() if form in rows]
            if some:
                yield (f"| {title} | {form} | {len(some)} | {mean(some):.2f} | {max(some):.2f} | {mean(limits):.2f} | "
                       f"{min(limits):.2f} |")
    yield "\n## Every layer, one image in cache\n"
    yield "Microseconds in NHWC float32, then the time of each form over that, and what `auto` took for NCHW float32.\n"
    yield "| network | layer | image | taps | stride | us | " + " | ".join(FORMS[1:]) + " | NCHW by |"
    yield "|---" * (7 + len(FORMS)) + "|"
    for (network, layer), rows in runs["warm"].items():
        base = rows["nhwc f32"]
        cells = [f"{rows[form]['time'] / base['time']:.2f}" if form in rows else "" for form in FORMS[1:]]
        yield (f"| {network} | {layer} | {base['size']} | {base['taps']}x{base['taps']} | {base['stride']} | "
               f"{base['time'] * 1e6:.1f} | " + " | ".join(cells) + f" | {rows['nchw f32']['algo']} |")


def draw(runs, path):
    try:
        import matplotlib
    except ImportError:
        print("layouts: no matplotlib, no picture", file=sys.stderr)
        return
    matplotlib.use("Agg")
    from matplotlib import pyplot
    figure, axes = pyplot.subplots(1, 2, figsize=(12, 4.5), sharey=True)
    for axis, (name, title) in zip(axes, RUNS):
        for form, marker in zip(FORMS[1:], "osD^v"):
            some = sorted(ratios(runs[name], form, "nhwc f32"))
            axis.plot([(i + 0.5) / len(some) * 100 for i in range(len(some))], some, marker=marker, markersize=3,
                      linewidth=1, label=form)
        axis.axhline(1, color="black", linewidth=0.8)
        axis.set_yscale("log", base=2)
        axis.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axis.set_title(title)
        axis.set_xlabel("layers, sorted, %")
        axis.grid(True, alpha=0.3)
    axes[0].set_ylabel("time over NHWC float32")
    axes[0].legend()
    figure.tight_layout()
    figure.savefig(path, dpi=110)


def main():
    rows, folder = map(pathlib.Path, sys.argv[1:3])
    info = json.loads((rows / "info.json").read_text())
    runs = {name: by_layer(rows / f"{name}.csv") for name, _ in RUNS}
    (folder / "layouts.md").write_text("\n".join(text(runs, info)) + "\n")
    draw(runs, folder / "layouts.png")


if __name__ == "__main__":
    main()
