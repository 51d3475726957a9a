#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The picture side of demo.sh: photographs to .npy, a bank of filters, a check, a contact sheet.

    demo.py prepare PHOTOS WORK   decode the photographs, design the filters
                                  -> WORK/input.npy, WORK/filter.npy, WORK/captions.json
    demo.py check WORK            compare values of WORK/output.npy with a plain numpy evaluation
    demo.py sheet WORK            WORK/contact-sheet.png from the tensors and WORK/result.json

The convolution itself is none of this: the program dwconv does it between prepare and check.
Needs numpy and Pillow.
"""

import argparse
import json
import math
import pathlib
import sys

import numpy as np
from PIL import Image, ImageDraw, ImageFont, ImageOps

HEIGHT, WIDTH = 384, 576  # every photograph is cut and scaled to this
TAPS = 11                 # every filter is TAPS x TAPS

# The photographs of Debian's lomiri-wallpapers-16.04: file, title, author, licence, and the
# height at which to cut a tall one (0 top, 1 bottom).
PHOTOGRAPHS = [
    ("Dragonfly_by_Bolly.jpg", "Dragonfly", "Bolly", "CC BY-SA 4.0", 0.4),
    ("picosdeeuropa_by_Aitzol_Berasategi.jpg", "Picos de Europa", "Aitzol Berasategi", "CC BY 4.0", 0.5),
    ("Picture_1A_by_freespace.jpg", "Brushes", 'Trevor "Freespace"', "CC BY 4.0", 0.5),
    ("greentock_by_Peter_Nerlich.jpg", "Greentock", "Peter Nerlich", "CC BY-SA 4.0", 0.5),
    ("life_by_Aitzol_Berasategi.jpg", "Life", "Aitzol Berasategi", "CC BY 4.0", 0.5),
    ("seeding_by_Clements_Engelhardt.jpg", "Seeding", "Clemens Engelhardt", "CC0 1.0", 0.5),
    ("Picture_0B_by_freespace.jpg", "Fig", 'Trevor "Freespace"', "CC BY 4.0", 0.5),
    ("friends_by_Aitzol_Berasategi.jpg", "Friends", "Aitzol Berasategi", "CC BY 4.0", 0.32),
    ("Bridge_by_Sander_Klootwijk.jpg", "Bridge", "Sander Klootwijk", "CC BY-SA 4.0", 0.5),
    ("aitzgorri_by_Aitzol_Berasategi.jpg", "Aitzgorri", "Aitzol Berasategi", "CC BY 4.0", 0.5),
    ("free_by_Peter_Nerlich.jpg", "Free", "Peter Nerlich", "CC BY-SA 4.0", 0.8),
    ("sunset_by_Aitzol_Berasategi.jpg", "Sunset", "Aitzol Berasategi", "CC BY 4.0", 0.5),
    ("Wine_by_Jakkub_Mede.jpg", "Wine", "Jakub Mede", "CC BY 4.0", 0.85),
]
CREDIT = ("Photographs: Debian package lomiri-wallpapers-16.04, under each its author and licence. "
          "With the ShareAlike works in it, this sheet is under CC BY-SA 4.0.")


# ---- filters ------------------------------------------------------------------------------------

def gaussian(sigma, taps=TAPS):
    """A Gaussian on a taps x taps grid, sum 1."""
    r = np.arange(taps) - taps // 2
    g = np.exp(-0.5 * (r / sigma) ** 2)
    g = np.outer(g, g)
    return g / g.sum()


def unit(kernel):
    """A response filter: no answer to a flat area, and at most 1 to anything within 0..1."""
    kernel = kernel - kernel.mean()
    return kernel / np.abs(kernel).sum()


def sobel():
    """Sobel's horizontal derivative of the picture smoothed by a 9 x 9 Gaussian: exactly 11 x 11."""
    sobel3 = np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]], float)
    smooth = gaussian(1.0, TAPS - 2)
    full = np.zeros((TAPS, TAPS))
    for i in range(3):
        for j in range(3):
            full[i:i + TAPS - 2, j:j + TAPS - 2] += sobel3[i, j] * smooth
    return unit(full)


def laplacian_of_gaussian(sigma):
    y, x = np.mgrid[:TAPS, :TAPS] - TAPS // 2
    q = (x * x + y * y) / (2 * sigma * sigma)
    return unit((q - 1) * np.exp(-q))


def gabor(degrees, wavelength=6.0, sigma=2.3):
    """A wave in the given direction under a Gaussian: answers to lines across that direction."""
    y, x = np.mgrid[:TAPS, :TAPS] - TAPS // 2
    angle = math.radians(degrees)
    along = x * math.cos(angle) + y * math.sin(angle)
    return unit(np.cos(2 * math.pi * along / wavelength) * gaussian(sigma))


def bank():
    """[(name, kernel, signed)], the M filters that every colour channel is convolved with."""
    blur = gaussian(2.2)
    identity = np.zeros((TAPS, TAPS))
    identity[TAPS // 2, TAPS // 2] = 1
    return [
        ("Gaussian", blur, False),
        ("Unsharp mask", 3 * identity - 2 * blur, False),
        ("Sobel x", sobel(), True),
        ("Sobel y", sobel().T, True),
        ("Laplacian of Gaussian", laplacian_of_gaussian(1.5), True),
        ("Gabor 0\u00b0", gabor(0), True),
        ("Gabor 60\u00b0", gabor(60), True),
        ("Gabor 120\u00b0", gabor(120), True),
    ]


# ---- prepare ------------------------------------------------------------------------------------

def photographs(folder):
    """[(path, title, credit, cut height)]: the known ones, else every picture of the folder."""
    known = [(folder / f, title, f"{author}, {licence}", cut)
             for f, title, author, licence, cut in PHOTOGRAPHS if (folder / f).is_file()]
    if known:
        return known
    kinds = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp")
    files = sorted(p for p in folder.glob("*") if p.suffix.lower() in kinds)
    return [(p, p.stem, "", 0.5) for p in files[:16]]


def prepare(work, folder):
    photos = photographs(folder)
    if not photos:
        sys.exit(f"demo: no photographs in {folder}: install lomiri-wallpapers-16.04 or give a folder of yours")
    batch = np.empty((len(photos), HEIGHT, WIDTH, 3), "<f4")
    for n, (path, _, _, cut) in enumerate(photos):
        with Image.open(path) as image:
            image.draft("RGB", (2 * WIDTH, 2 * HEIGHT))  # JPEG: decode at a smaller scale
            image = ImageOps.exif_transpose(image).convert("RGB")
            image = ImageOps.fit(image, (WIDTH, HEIGHT), Image.LANCZOS, centering=(0.5, cut))
        batch[n] = np.asarray(image, np.float32) / 255
    kernels = np.stack([kernel for _, kernel, _ in bank()], axis=-1)        # [KH, KW, M]
    filters = np.repeat(kernels[:, :, None, :], 3, axis=2).astype("<f4")    # [KH, KW, C, M]
    np.save(work / "input.npy", batch)
    np.save(work / "filter.npy", np.ascontiguousarray(filters))
    captions = [{"title": title, "credit": credit} for _, title, credit, _ in photos]
    (work / "captions.json").write_text(json.dumps(captions, indent=1))
    print(f"demo: {len(photos)} photographs -> input.npy {batch.shape} float32, "
          f"{filters.shape[3]} filters -> filter.npy {filters.shape}")


# ---- check --------------------------------------------------------------------------------------

def check(work, samples=600, seed=1):
    """Random output values against sums in double precision, each within its own tolerance.

    A float32 sum of n products, whatever its order and with fused multiply-adds or without, is
    off by at most gamma(n) * sum|x w|, gamma(n) = n u / (1 - n u), u = 2^-24 (Higham, Accuracy
    and Stability, section 3.1). A transform (FFT, Winograd) spreads its error over the whole
    tile, so for it the largest input value stands for x.
    """
    x, w, y = (np.load(work / f"{name}.npy", mmap_mode="r") for name in ("input", "filter", "output"))
    algo = json.loads((work / "result.json").read_text())["algo"]
    batch, height, width, channels = x.shape
    kh, kw, _, m = w.shape
    expected = (batch, height, width, channels * m)
    if y.shape != expected or y.dtype != np.float32:
        sys.exit(f"demo: output.npy is {y.dtype} {y.shape}, expected float32 {expected}")
    n = kh * kw
    gamma = n * 2.0 ** -24 / (1 - n * 2.0 ** -24)
    transform = algo.startswith(("fft", "winograd"))
    top, left = (kh - 1) // 2, (kw - 1) // 2  # SAME with stride 1 and odd taps
    random = np.random.default_rng(seed)
    worst = worst_ratio = 0.0
    for sample in range(samples):
        b, c, k = (int(random.integers(e)) for e in (batch, channels, m))
        if sample % 3:
            i, j = int(random.integers(height)), int(random.integers(width))
        else:  # every third one at a corner, where padding matters
            i = int(random.integers(kh)) if random.integers(2) else height - 1 - int(random.integers(kh))
            j = int(random.integers(kw)) if random.integers(2) else width - 1 - int(random.integers(kw))
        i0, i1 = max(0, i - top), min(height, i - top + kh)
        j0, j1 = max(0, j - left), min(width, j - left + kw)
        patch = x[b, i0:i1, j0:j1, c].astype(float)
        taps = w[i0 - i + top:i1 - i + top, j0 - j + left:j1 - j + left, c, k].astype(float)
        error = abs(float(y[b, i, j, c * m + k]) - float((patch * taps).sum()))
        size = np.abs(taps).sum() * float(x[b, :, :, c].max()) if transform else np.abs(patch * taps).sum()
        tolerance = gamma * float(size) + 1e-37
        worst = max(worst, error)
        worst_ratio = max(worst_ratio, error / tolerance) if error == error else math.inf
    good = worst_ratio <= 1
    print(f"demo: {samples} output values compared with numpy in double precision: "
          f"largest error {worst:.2e}, at most {100 * worst_ratio:.1f} % of its tolerance: "
          f"{'good' if good else 'WRONG'}")
    if not good:
        sys.exit(1)


# ---- sheet --------------------------------------------------------------------------------------

CELL_W, CELL_H, GAP, MARGIN = WIDTH // 2, HEIGHT // 2, 8, 28
PAPER, INK, FAINT = (24, 26, 31), (236, 238, 242), (150, 156, 168)


def font(size, bold=False):
    for name in ("DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf", "DejaVuSans.ttf"):
        try:
            return ImageFont.truetype(name, size)
        except OSError:
            pass
    return ImageFont.load_default()


def picture(values, size, resample=Image.BOX):
    """An RGB picture of values within 0..1."""
    pixels = np.rint(np.clip(values, 0, 1) * 255).astype(np.uint8)
    return Image.fromarray(pixels, "RGB").resize(size, resample)


def signed(values, scale):
    """Signed values around middle grey; the root lifts the weak ones."""
    relative = np.clip(values / scale, -1, 1)
    return 0.5 + 0.5 * np.sign(relative) * np.abs(relative) ** 0.7


def sheet(work):
    x, y = (np.load(work / f"{name}.npy", mmap_mode="r") for name in ("input", "output"))
    captions = json.loads((work / "captions.json").read_text())
    result = json.loads((work / "result.json").read_text())
    filters = bank()
    columns, m = len(filters) + 1, len(filters)
    head, row = 190, CELL_H + 30
    sheet_w = 2 * MARGIN + columns * CELL_W + (columns - 1) * GAP
    sheet_h = 2 * MARGIN + head + len(x) * row + 24
    paper = Image.new("RGB", (sheet_w, sheet_h), PAPER)
    draw = ImageDraw.Draw(paper)

    draw.text((MARGIN, MARGIN), "dwconv", INK, font(44, bold=True))
    title = (f"{len(x)} photographs, {m} filters of {TAPS} \u00d7 {TAPS} on each colour channel: "
             f"{x.shape[3]} channels in, {x.shape[3] * m} out")
    draw.text((MARGIN + 210, MARGIN + 2), title, INK, font(22))
    how = f"{result['problem']}   algorithm {result['algo']}"
    if result.get("isa"):
        how += f", {result['isa']}"
    if result.get("threads"):
        how += f", {result['threads']} thread{'s' if result['threads'] > 1 else ''}"
    how += f": {result['compute_seconds']:.2f} s, with reading and writing {result['seconds']:.2f} s"
    draw.text((MARGIN + 210, MARGIN + 32), how, FAINT, font(18))

    left = [MARGIN + i * (CELL_W + GAP) for i in range(columns)]
    top = MARGIN + head
    draw.text((left[0], top - 34), "Photograph", INK, font(21, bold=True))
    small = 84
    for k, (name, kernel, is_signed) in enumerate(filters):
        scale = np.abs(kernel).max()
        # Negative taps are darker than the middle grey, positive ones lighter.
        shown = np.repeat(signed(kernel, scale)[:, :, None], 3, axis=2)
        paper.paste(picture(shown, (small, small), Image.NEAREST), (left[k + 1], top - small - 42))
        draw.text((left[k + 1], top - 34), name, INK, font(21, bold=True))
        note = ("response,", "0 is grey") if is_signed else ("picture,", "0 is black")
        for line, text in enumerate(note):
            draw.text((left[k + 1] + small + 12, top - small - 34 + 24 * line), text, FAINT, font(16))

    # Output channel of colour c and filter k is c * M + k: [:, :, :, k::M] is filter k in colour.
    size = (CELL_W, CELL_H)
    for n in range(len(x)):
        y0 = top + n * row
        paper.paste(picture(x[n], size), (left[0], y0))
        text = captions[n]["title"] + (" \u00b7 " + captions[n]["credit"] if captions[n]["credit"] else "")
        draw.text((left[0], y0 + CELL_H + 4), text, FAINT, font(13))
        for k, (_, _, is_signed) in enumerate(filters):
            values = np.asarray(y[n, :, :, k::m])
            if is_signed:  # each cell to its own strongest responses, the padded border left out
                inside = np.abs(values[TAPS:-TAPS, TAPS:-TAPS])
                values = signed(values, max(float(np.percentile(inside, 98.5)), 1e-6))
            paper.paste(picture(values, size), (left[k + 1], y0))
    if captions[0]["credit"]:
        draw.text((MARGIN, sheet_h - MARGIN - 16), CREDIT, FAINT, font(14))

    target = work / "contact-sheet.png"
    paper.save(target, optimize=False)
    print(f"demo: contact sheet {paper.width} x {paper.height}, "
          f"{target.stat().st_size / 1e6:.1f} MB")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("prepare", "check", "sheet"):
        command = commands.add_parser(name)
        if name == "prepare":
            command.add_argument("photos", type=pathlib.Path)
        command.add_argument("work", type=pathlib.Path)
    arguments = parser.parse_args()
    if arguments.command == "prepare":
        prepare(arguments.work, arguments.photos)
    elif arguments.command == "check":
        check(arguments.work)
    else:
        sheet(arguments.work)


if __name__ == "__main__":
    main()
