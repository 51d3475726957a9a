# SPDX-License-Identifier: Apache-2.0
"""A 40 GiB input (sparse, with a few real images in it) at stride 4 under an address-space limit of 2 GiB: every written
image of the output equals that of a small job, all others are zero. Also a single image of 6 GiB, which goes in bands, in
both layouts.

    python3 big_sparse.py PATH_OF_DWCONV [GIB_OF_THE_BATCH]      skipped (77) without room on the disk
"""

import os
import random
import resource
import shutil
import struct

from cli_support import (begin, check, finish, header_text, npy_bytes, pack, read_bytes, run, seen, skip, write_npy)

GIB = 1 << 30
LIMIT = (resource.RLIMIT_AS, 2 * GIB)


def write_sparse(path, shape, patches):
    """A file of zeros with {byte offset in the data: bytes} in it."""
    elements = 1
    for size in shape:
        elements *= size
    start = npy_bytes(header_text(shape, "<f4"), b"")
    with open(path, "wb") as file:
        file.write(start)
        for offset, data in patches.items():
            file.seek(len(start) + offset)
            file.write(data)
        file.truncate(len(start) + 4 * elements)


def is_zero(path, start, end):
    with open(path, "rb") as file:
        file.seek(start)
        while start < end:
            block = file.read(min(1 << 24, end - start))
            if not block or block.count(0) != len(block):
                return False
            start += len(block)
    return True


def batch(gib):
    h, w, c = 256, 256, 16
    image = h * w * c * 4
    n = gib * GIB // image
    rng = random.Random(3)
    content = pack("f32", [rng.uniform(-1, 1) for _ in range(h * w * c)])
    places = [0, 1, n // 2, n - 1]
    write_npy("filter.npy", (3, 3, c, 1), [rng.uniform(-1, 1) for _ in range(9 * c)])
    write_sparse("batch.npy", (n, h, w, c), {place * image: content for place in places})
    with open("one.npy", "wb") as file:
        file.write(npy_bytes(header_text((1, h, w, c), "<f4"), content))
    result = run("conv", "--input", "one.npy", "--filter", "filter.npy", "--output", "expected.npy", "--strides", "4")
    check("one image", result.returncode == 0, seen(result))
    result = run("conv", "--input", "batch.npy", "--filter", "filter.npy", "--output", "out.npy", "--strides", "4",
                 limit=LIMIT)
    print(result.stdout)
    if not check(f"{n} images, {gib} GiB", result.returncode == 0 and not result.stderr, seen(result)):
        return
    expected = read_bytes("expected.npy")[4096:]
    size = len(expected)
    check("size of the output", os.path.getsize("out.npy") == 4096 + n * size)
    with open("out.npy", "rb") as file:
        for place in places:
            file.seek(4096 + place * size)
            check(f"image {place}", file.read(size) == expected)
    check("all others are zero", is_zero("out.npy", 4096 + 2 * size, 4096 + places[2] * size)
          and is_zero("out.npy", 4096 + (places[2] + 1) * size, 4096 + (n - 1) * size))
    os.unlink("out.npy")
    os.unlink("batch.npy")


def single_image(layout):
    """6 GiB in one image, one number in it: the filter turned around appears at its place in the output."""
    h, w, c = 49152, 32768, 1
    row, column, value = 40000, 20000, 3.0
    write_sparse("image.npy", (1, h, w, c) if layout == "NHWC" else (1, c, h, w),
                 {(row * w + column) * 4: struct.pack("<f", value)})
    taps = list(range(1, 26))
    write_npy("filter5.npy", (5, 5, 1, 1), taps)
    result = run("conv", "--input", "image.npy", "--filter", "filter5.npy", "--output", "bands.npy", "--strides", "4",
                 "--data-format", layout, limit=LIMIT)
    print(result.stdout)
    if not check(f"one image of 6 GiB, {layout}", result.returncode == 0 and not result.stderr, seen(result)):
        return
    out_w, pad = w // 4, 0  # SAME: (out-1)*4 + 5 - in = 1, all of it at the bottom and right
    expected = {}
    for i in range(row // 4 - 2, row // 4 + 1):
        for j in range(column // 4 - 2, column // 4 + 1):
            a, b = row - 4 * i + pad, column - 4 * j + pad
            if 0 <= a < 5 and 0 <= b < 5:
                expected[i * out_w + j] = value * taps[5 * a + b]
    with open("bands.npy", "rb") as file:
        for place, number in expected.items():
            file.seek(4096 + 4 * place)
            check(f"{layout}: element {place}", struct.unpack("<f", file.read(4))[0] == number)
    places = sorted(expected)
    check(f"{layout}: zero before and after", len(places) == 4 and is_zero("bands.npy", 4096, 4096 + 4 * places[0])
          and is_zero("bands.npy", 4096 + 4 * places[-1] + 4, os.path.getsize("bands.npy")))
    os.unlink("bands.npy")


arguments = begin()
gib = int(arguments[0]) if arguments else 40
if shutil.disk_usage(".").free < (gib // 16 + 2) * GIB:
    skip("not enough room on the disk")
try:
    with open("probe", "wb") as probe:
        probe.truncate(gib * GIB + GIB)
    if os.stat("probe").st_blocks > 1024:
        skip("the file system has no sparse files")
    os.unlink("probe")
except OSError as error:
    skip(f"the file system takes no file of {gib} GiB: {error}")
batch(gib)
single_image("NHWC")
single_image("NCHW")
finish()
