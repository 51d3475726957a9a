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


def choices(cases):
    """What the mode that is predicted to be the best takes, beside the fastest: (case, ranks, mode, ratio)."""
    for name in ROOT:
        for count, modes in cases[name].items():
            mode = best(modes, "predicted")
            yield name, count, mode, modes[mode]["simulated"] / min(modes[m]["simulated"] for m in MODES)


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


# Written for the run whose report is kept.
WHY = """
**alone, phased, resident**: as the formulas say.

**pipelined**: its formula takes the larger of two bounds, what the link lets through and what the others can compute, with
what the root computes beside, the quiet that ranks wait for between pieces, and the way of the first and the last pieces.
The rest is the root itself: while it computes it serves nobody, and it learns only after a piece who is free. That costs
most where a worker's share is a few pieces (large on 64 ranks and more) and where looks are a good part of a piece
(smallfast).

An earlier protocol took 1.3 to 14 times its formula (which was less by the beginning and the end), and `auto` was wrong in 8
of 24 cases, with kernels of another machine: 729 us for small, 5194 us for large. With these, this one takes 1.03 to 1.09
and 1.01 to 1.14 times its formula on 8, 64 and 128 ranks. What was found in traces, and what changed:

1. *Looks.* The root looked at each message of each slot, 1 us for each one under way, and seldom found nothing moving. Now one
   look is for all messages, and there are few of them: an order is a byte, a verdict too, taken from whoever has one.
2. *All slots in step.* Inputs left for all free slots at once, shared the link and arrived together; kernels ran together, and
   outputs came back together: the link carried one direction at a time. Now 8 inputs at most leave for workers that wait, and
   a worker receives two at a time.
3. *Sleep.* A worker without work slept up to 1 ms before it saw an order. Now it does not as long as the pipeline runs.
4. *The last pieces.* What a worker would take for one more piece was taken from the time since its first: with a shared link
   that is many times the way of a piece, so the root kept too much for itself. Now the last piece's own time counts.
5. *Short messages* leave the root long before they arrive; what is on its way is known by sends that wait for their receiver
   (`MPI_Issend`).

**bands**: as the formula says while the kernel takes most of the time. It leaves out the agreement of all ranks before and
after, two reductions of about 2 us for each doubling of the ranks, and the looks at the rows.
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
    yield ("- **Added**: a look takes 1 us, whether at one message (`MPI_Test`) or at many (`MPI_Testsome`). Open MPI 4.1.4, between "
           "two processes of one machine, was measured to take 0.2 us for 1, 0.4 us for 256 and 1.3 us for 1024 messages through "
           "shared memory, over TCP 0.5, 0.9 and 1.8 us; `MPI_Test` on each of 256 takes it 51 and 147 us. SMPI would take its 1 us "
           "for each message of an `MPI_Testsome`, so its own (`smpi/test`) is off and the study waits in its place. SMPI's own "
           "corrections of bandwidth and latency, made for another network, are off.")
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
    made = list(choices(cases))
    slow = [f"{name} {count}: {mode} takes {times:.2f}" for name, count, mode, times in made if times > 1.2]
    yield (f"`auto` takes at most 1.2 times what the fastest mode takes in {len(made) - len(slow)} of {len(made)} cases, "
           f"{max(times for *_, times in made):.2f} times at most" + (f" (not in {'; '.join(slow)})" if slow else "") + ".")
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
