# SPDX-License-Identifier: Apache-2.0
"""The report of simgrid.sh: scaling.csv -> scaling.md, and scaling.png where matplotlib is there.

    scaling.py FOLDER WORK SIMGRID OPTIONS

FOLDER: with scaling.csv, gets the report. WORK: folder with images.csv, measured.csv, info.json. SIMGRID: its version.
OPTIONS: those of smpirun.
"""

import csv
import json
import pathlib
import re
import sys

MODES = ["alone", "phased", "pipelined"]
COLORS = {"alone": "#7f7f7f", "phased": "#ff7f0e", "pipelined": "#1f77b4", "resident": "#2ca02c", "spatial": "#d62728"}
ROOT = {"small": "3x3 taps on 112x112x64, an image as measured",
        "smallmid": "3x3 taps on 112x112x64, an image as on 64 GB/s",
        "smallfast": "3x3 taps on 112x112x64, an image as on 200 GB/s",
        "large": "31x31 taps on 56x56x64, an image as measured"}
BANDS = {"bands3": "3x3 taps, bands as measured", "bands3fast": "3x3 taps, bands as on 200 GB/s",
         "bands31": "31x31 taps, dilation 2, bands as measured"}
WORTH_IT = 0.8  # of predict.h


def read(path):
    """case -> ranks -> mode -> row"""
    cases = {}
    with open(path, newline="") as file:
        for row in csv.DictReader(file):
            entry = {"simulated": float(row["simulated_s"]), "predicted": float(row["predicted_s"]), "note": row["note"]}
            cases.setdefault(row["case"], {}).setdefault(int(row["ranks"]), {})[row["mode"]] = entry
    return cases


def best(modes, which):
    """The library's rule: alone, unless another takes at most four fifths of its time."""
    shared = min(MODES[1:], key=lambda mode: modes[mode][which])
    return shared if modes[shared][which] < WORTH_IT * modes["alone"][which] else "alone"


def ratio(entry):
    return entry["simulated"] / entry["predicted"]


def cell(entry):
    return f"{1e3 * entry['simulated']:.4g} / {1e3 * entry['predicted']:.4g} / {ratio(entry):.2f}"


def root_table(ranks):
    yield "| ranks | alone | phased | pipelined | resident | best, simulated | best, predicted |"
    yield "|---|---|---|---|---|---|---|"
    for count, modes in ranks.items():
        cells = [cell(modes[mode]) for mode in [*MODES, "resident"]]
        yield f"| {count} | {' | '.join(cells)} | {best(modes, 'simulated')} | {best(modes, 'predicted')} |"


def bands_table(ranks):
    yield "| ranks | kernel, ms | bytes received | messages | simulated / formula / ratio, ms | kernel's part of it |"
    yield "|---|---|---|---|---|---|"
    for count, modes in ranks.items():
        entry = modes["spatial"]
        size, messages, kernel = re.match(r"(\d+) bytes in (\d+) messages; kernel (\S+)", entry["note"]).groups()
        yield (f"| {count} | {1e3 * float(kernel):.4g} | {int(size):,} | {messages} | {cell(entry)} | "
               f"{float(kernel) / entry['simulated']:.2f} |")


def others_table(cases, images, link):
    """Of the pipeline: what the others did for the root, beside what the formula takes them to do."""
    yield "| case | ranks | pieces by the root | others, images/s | that is of the link | of their kernels | root, computing |"
    yield "|---|---|---|---|---|---|---|"
    for name in ROOT:
        for count, modes in cases[name].items():
            pieces, own = map(int, re.match(r"(\d+) pieces; (\d+) by", modes["pipelined"]["note"]).groups())
            seconds, image_s, bytes_each = modes["pipelined"]["simulated"], images[name][1], images[name][2]
            rate = (pieces - own) / seconds
            yield (f"| {name} | {count} | {own} of {pieces} | {rate:.0f} | {rate * bytes_each / link:.2f} | "
                   f"{rate * image_s / (count - 1):.2f} | {own * image_s / seconds:.2f} |")


def read_images(path):
    """case -> problem, seconds, bytes of an image's input"""
    images = {}
    for name, problem, seconds in csv.reader(open(path, newline="")):
        h, w, c = map(int, re.search(r":(\d+)x(\d+)x(\d+):", problem).groups())
        images[name] = (problem, float(seconds), 4 * h * w * c)
    return images


# Written for the run whose report is kept; the experiments were made beside it.
WHY = """
**alone, phased, resident**: as the formulas say. What phased takes beyond its formula at 128 and 256 ranks is the root's
last sleep, up to 1 ms, for each group of 16 ranks that it serves: with sleeps of 20 us in place of 1 ms (an experiment)
smallfast takes 522.7 ms on 128 ranks, its formula says 522.8.

**pipelined**: its formula is what link and kernels allow, and the code does not get there. It is a bound, not an estimate,
and `auto` is wrong where the bound wins and the code does not: with 100 us an image it would choose pipelined, which takes
1.1 to 4 times as long as alone, and for 31x31 taps on 8 and 16 ranks phased is the faster one. Three things cost time:

1. *Two slots are too few while the root computes.* The root answers between its pieces only. A worker's slot waits for the
   root to see the verdict, then again to see that the output is through, before it gets another image; where a piece of
   the root takes as long as one of the workers (large), a round of a slot takes three pieces or more, two slots cover two,
   and the workers compute for 0.6 of the time.
2. *All slots in step.* The root sends to all free slots at once, so their inputs share its link and end together, the
   kernels run together, and the outputs come back together: input and output take turns on a link that could carry both
   (small on 8 and 16 ranks: 0.5 of the link). At 256 ranks 510 inputs share the link before the first kernel
   starts, and 1024 images are two such rounds.
3. *Looking.* A look at all slots takes 1 us for each message under way, and the root computes only when a look finds that
   nothing has moved, which with hundreds of slots is rare: its own share falls from 0.9 of the time on 8 ranks to
   0.2 on 256 (small), from 0.4 to 0.01 (smallfast).

Experiments, simulated too, that are not in the script or not in the library; pipelined, milliseconds:

| what | case | ranks | as it is | changed | formula |
|---|---|---|---|---|---|
| a look takes 0.1 us | smallmid | 8 | 117.7 | 93.5 | 73.7 |
| | | 16 | 143.8 | 95.0 | 73.7 |
| | | 64 | 245.3 | 134.5 | 73.7 |
| 4 slots | large | 8 | 973 | 697 | 665 |
| | | 32 | 269 | 193 | 166 |
| | | 64 | 152 | 130 | 83 |
| | small | 8 | 320 | 239 | 195 |
| | | 32 | 255 | 279 | 195 |
| | smallmid | 8 | 117.7 | 140.8 | 73.7 |
| | | 16 | 143.8 | 194.8 | 73.7 |
| at most 4 inputs under way (512 images) | small | 8 | 161 | 136 | 97 |
| the root computes nothing (512 images) | large | 8 | 492 | 401 | 332 |

So 1 is the cause for large on few ranks, 3 for smallmid; that 2 takes the rest is concluded from the link's share and from
what fewer inputs at a time bring, no trace was made. More slots are the remedy for 1 alone, at the price of
memory: where looks are what costs they make it worse. With looks of 0.1 us pipelined beats alone for smallmid on 8 and 16
ranks, as predicted if not by as much; on 64 it still loses.

**bands**: as the formula says while the kernel takes most of the time. It leaves out the agreement of all ranks before and
after, two reductions of about 2 us for each doubling of the ranks, and the looks at the rows: together 45 us at 256 ranks, a
fifth of what bands3fast takes there. The times of bands31 do not halve from step to step because the measured
kernels do not: single runs of seconds on a machine with neighbours.
"""


def report(cases, work, simgrid, options):
    info = json.loads((work / "info.json").read_text())
    images = read_images(work / "images.csv")
    machine, program = info["machine"], info["program"]
    first = cases["small"][min(cases["small"])]
    yield "# The communication of libdwconv_mpi, simulated"
    yield ""
    yield ("No cluster was used: every time here is **simulated**, by SimGrid " + simgrid + "'s SMPI, or predicted by a "
           "formula. Made by `scripts/simgrid.sh`.")
    yield ""
    yield ("- **Cluster** (`cluster.xml`): a fat tree of 256 nodes, 16 to a leaf switch, full bisection; every cable 100 Gb/s "
           "in each direction and 0.5 us, so 1 or 2 us from node to node; one rank per node.")
    yield ("- **As it is**: the code of `lib/mpi`, on the public interface of `dwconv_mpi.h`, with its messages, its waiting and "
           "its order of things.")
    yield (f"- **Replaced**: kernels by waiting, where tests put kernels that fail. The times \"as measured\" are of one core of {machine['cpu']}, instruction set "
           f"{machine['isa']}, the fastest of several runs on tensors that are not in the caches: `dwconv bench PROBLEM "
           "--threads 1 --cache cold --offsets 0 --min-time 0.5`, for bands each band of a rank in the middle as a problem "
           "of its own. The times \"as on 64 and on 200 GB/s\" are assumed, not measured: what the tensors take at that bandwidth. "
           "Tensors are memory that all ranks share, outputs mean nothing; collectives that do not block are those that do, "
           "of the kind that Open MPI chooses; packing, copying in memory and fresh memory take no time.")
    yield ("- **Added**: a look at a message (`MPI_Test`) takes 1 us. Open MPI 4.1.4 was measured to take 0.1 us through shared "
           "memory and 3 us over TCP, both within one machine. SMPI's own corrections of bandwidth and latency, made for another network, are off.")
    yield "- **Not in it**: MPI libraries that move long messages only while somebody looks; other traffic; noise."
    yield (f"- **Formulas**: `dwc_mpi_predict` for {len(cases['small'])} numbers of ranks with image_s = "
           "shared_image_s = the image's time, link 12.5 GB/s, latency 2 us. `dwc_mpi_measure` finds in the simulated cluster "
           f"{first['link']['simulated'] / 1e9:.2f} GB/s and {1e6 * first['latency']['simulated']:.2f} us. For bands, which it does "
           "not predict: received bytes / link + latency + kernel.")
    yield f"- **Program**: dwconv {program['version']} ({program['build']}); `smpirun -no-privatize {options.strip()}`."
    yield ""
    yield "![simulated and predicted times](scaling.png)"
    yield ""
    yield "## Data on one rank, 1024 images"
    yield ""
    yield "Milliseconds: simulated / formula / ratio. Best is by the library's rule, alone unless another mode saves a fifth."
    yield ""
    for name, title in ROOT.items():
        yield f"**{name}**: {title}: {1e6 * images[name][1]:.4g} us; `{images[name][0]}`."
        yield ""
        yield from root_table(cases[name])
        yield ""
    yield "## One image in bands, 4096x4096x32"
    yield ""
    yield "The halo of the rank that has most of it."
    yield ""
    for name, title in BANDS.items():
        yield f"**{name}**: {title}; `{images[name][0]}`."
        yield ""
        yield from bands_table(cases[name])
        yield ""
    yield "## Where they differ, and why"
    yield ""
    far = [f"{name} {mode} {count} ({ratio(entry):.2f})" for name in [*ROOT, *BANDS] for count, modes in cases[name].items()
           for mode, entry in modes.items() if mode not in ("latency", "link") and not 1 / 1.2 <= ratio(entry) <= 1.2]
    yield "More than 20 % off: " + (", ".join(far) if far else "none") + "."
    yield ""
    yield "What the root's pipeline did:"
    yield ""
    yield from others_table(cases, images, 12.5e9)
    yield ""
    yield WHY.strip()


def lines(axis, ranks, mode, label):
    counts = list(ranks)
    axis.plot(counts, [ranks[c][mode]["simulated"] for c in counts], "o-", color=COLORS[mode], markersize=4, linewidth=1.4,
              label=f"{label}, simulated")
    axis.plot(counts, [ranks[c][mode]["predicted"] for c in counts], "--", color=COLORS[mode], linewidth=1.1,
              label=f"{label}, formula")


def draw(cases, simgrid, path):
    try:
        import matplotlib
    except ModuleNotFoundError:
        print("simgrid: no picture without matplotlib (Debian: python3-matplotlib)", file=sys.stderr)
        return
    matplotlib.use("Agg")
    import matplotlib.pyplot as plot
    figure, axes = plot.subplots(2, 4, figsize=(18, 9))
    for axis, (name, title) in zip(axes[0], ROOT.items()):
        for mode in [*MODES, "resident"]:
            lines(axis, cases[name], mode, mode)
        axis.set_title(f"{title}", fontsize=10)
    for axis, (name, title) in zip(axes[1], BANDS.items()):
        lines(axis, cases[name], "spatial", "spatial split")
        counts = list(cases[name])
        kernels = [float(cases[name][c]["spatial"]["note"].rsplit(" ", 1)[1]) for c in counts]
        axis.plot(counts, kernels, ":", color="black", linewidth=1.2, label="kernel alone")
        axis.set_title(title, fontsize=10)
    axes[1][3].axis("off")
    for place, axis in (("upper left", axes[0][0]), ("lower left", axes[1][0])):
        axes[1][3].add_artist(axes[1][3].legend(*axis.get_legend_handles_labels(), fontsize=9, loc=place))
    for axis in axes.flat[:-1]:
        axis.set(xscale="log", yscale="log", xlabel="ranks, one per node")
        axis.set_xticks(list(cases["small"]), [str(c) for c in cases["small"]])
        axis.minorticks_off()
        axis.grid(which="major", linewidth=0.4, alpha=0.6)
    for axis, title in zip(axes[:, 0], ("1024 images on one rank: seconds", "one image 4096x4096x32 in bands: seconds")):
        axis.set_ylabel(title)
    figure.suptitle(f"libdwconv_mpi on a simulated cluster (SimGrid {simgrid} SMPI): fat tree, 100 Gb/s; solid simulated, "
                    "dashed the formulas", fontsize=11)
    figure.tight_layout()
    figure.savefig(path, dpi=100)


def main():
    if len(sys.argv) != 5:
        sys.exit(__doc__)
    folder, work = map(pathlib.Path, sys.argv[1:3])
    cases = read(folder / "scaling.csv")
    (folder / "scaling.md").write_text("\n".join(report(cases, work, *sys.argv[3:])) + "\n")
    draw(cases, sys.argv[3], folder / "scaling.png")


if __name__ == "__main__":
    main()
