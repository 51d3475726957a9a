# SPDX-License-Identifier: Apache-2.0
"""Mutated .npy files: the program gives the right result or one line with exit status 1 or 2; it never crashes and never
leaves an output or a partial file behind a failure.

    python3 fuzz.py PATH_OF_DWCONV COUNT SEED [FIRST]

A failure names its number; FIRST with COUNT 1 repeats it alone.
"""

import os
import random
import re
import struct

from cli_support import begin, check, finish, header_text, npy_bytes, pack, read_bytes, read_npy, run, seen

INPUT = npy_bytes(header_text((1, 2, 3, 2), "<f4"), pack("f32", range(1, 13)))
FILTER = npy_bytes(header_text((2, 2, 2, 2), "<f4"), pack("f32", range(1, 17)))
HEADER = 128  # bytes before the data in both
WORDS = [b"'", b'"', b",", b"(", b")", b"{", b"}", b":", b"0", b"1", b"2", b"3", b"9" * 19, b"-1", b"L", b"True", b"False",
         b"shape", b"descr", b"fortran_order", b"<f4", b"<f8", b"<f2", b"|V2", b">f4", b"|O", b"\n", b"\0", b"\xff", b" "]


def flip_bits(rng, data):
    for _ in range(rng.randint(1, 4)):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def flip_header_bits(rng, data):
    for _ in range(rng.randint(1, 3)):
        data[rng.randrange(min(len(data), HEADER))] ^= 1 << rng.randrange(8)


def cut(rng, data):
    del data[rng.randrange(len(data)):]


def extend(rng, data):
    data += rng.randbytes(rng.randint(1, 300))


def insert_word(rng, data):
    at = rng.randrange(10, HEADER)
    data[at:at] = rng.choice(WORDS)


def replace_with_word(rng, data):
    at, word = rng.randrange(10, HEADER), rng.choice(WORDS)
    data[at:at + len(word)] = word


def remove_bytes(rng, data):
    at = rng.randrange(HEADER)
    del data[at:at + rng.randint(1, 6)]


def change_length(rng, data):
    data[8:10] = struct.pack("<H", rng.choice([0, 1, 54, 117, 119, 127, 166, 255, 65535, rng.randrange(65536)]))


def change_version(rng, data):
    data[6:8] = bytes((rng.randrange(5), rng.randrange(2)))


def change_sizes(rng, data):
    """Another shape under the same data, often of the same product."""
    found = re.search(rb"\([^)]*\)", bytes(data))
    if not found:
        return
    text = found.group(0)
    sizes = rng.choice([(1, 3, 2, 2), (2, 1, 3, 2), (1, 1, 12, 1), (12, 1, 1, 1), (1, 2, 3, 2, 1), (12, ), (0, 0, 0, 0),
                        (1, 2, 3, 2 ** 62), (2 ** 32, 2 ** 32, 1, 1), (4, 2, 2, 1), (1, 4, 2, 2), (16, 1, 1, 1), (1, 1, 2, 8)])
    new = repr(sizes).encode()
    data[:] = bytes(data).replace(text, new + b" " * (len(text) - len(new)), 1)


def swap_type(rng, data):
    data[:] = bytes(data).replace(b"<f4", rng.choice([b"<f8", b"<f2", b">f4", b"|V2", b"<i4", b"|O8"]), 1)


def blank_out(rng, data):
    at = rng.randrange(HEADER)
    size = rng.randint(1, 20)
    data[at:at + size] = b" " * size


def flip_data_bits(rng, data):
    for _ in range(rng.randint(1, 4)):
        data[rng.randrange(HEADER, len(data))] ^= 1 << rng.randrange(8)


def respell(rng, data):
    """The same header with other blanks, quotes, order of keys or version."""
    text = bytes(data[10:HEADER]).decode("latin-1")
    items = re.findall(r"'\w+': (?:'[^']*'|\([^)]*\)|\w+)", text)
    rng.shuffle(items)
    text = "{" + rng.choice([",", ", ", " ,\t"]).join(items) + rng.choice(["}", ",}", " , } "])
    data[:] = npy_bytes(text.replace("'", rng.choice("'\"")), bytes(data[HEADER:]), rng.choice([(1, 0), (2, 0), (3, 0)]),
                        rng.choice([1, 16, 64, 4096]))


MUTATIONS = [flip_data_bits, flip_data_bits, respell, respell, flip_bits, flip_header_bits, cut, extend, insert_word, replace_with_word, remove_bytes, change_length,
             change_version, change_sizes, swap_type, blank_out]


def mutate(rng, original):
    data = bytearray(original)
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        if len(data) > HEADER:
            rng.choice(MUTATIONS)(rng, data)
    return bytes(data)


def expected_values(image, filters):
    """(sum, sum of magnitudes) of each output of a 2x3x2 image and a 2x2x2x2 filter, VALID, from the files' ends."""
    x = struct.unpack("<12f", image[-48:])
    f = struct.unpack("<16f", filters[-64:])
    sums = []
    for j in range(2):
        for k in range(2):
            for q in range(2):
                terms = [x[(a * 3 + j + b) * 2 + k] * f[((a * 2 + b) * 2 + k) * 2 + q] for a in range(2) for b in range(2)]
                sums.append((sum(terms), sum(map(abs, terms))))
    return sums


def right(image, filters, shape, values):
    """Only the original shapes give this one; others are accepted as they are, their values are other tests' matter."""
    if shape != (1, 1, 2, 4):
        return True
    return all(abs(got - exact) <= 6 * 2**-23 * scale + 1e-44 for got, (exact, scale) in
               zip(values, expected_values(image, filters)) if scale < 1e38)


def one(number, seed):
    rng = random.Random(f"{seed}/{number}")
    image = mutate(rng, INPUT) if number % 3 else INPUT
    filters = mutate(rng, FILTER) if number % 3 != 1 else FILTER
    for name, data in (("input.npy", image), ("filter.npy", filters)):
        with open(name, "wb") as file:
            file.write(data)
    options = ["--dtype", "bf16"] if b"V2" in image[:HEADER] and number % 2 else []
    result = run("conv", "--input", "input.npy", "--filter", "filter.npy", "--output", "output.npy", "--padding", "valid",
                 *options)
    left = sorted(set(os.listdir(".")) - {"input.npy", "filter.npy"})
    failed = (result.returncode in (1, 2) and result.stderr.count("\n") == 1 and not result.stdout and not left
              and result.stderr.startswith("dwconv conv: ") and ".npy: " in result.stderr)
    good = (result.returncode == 0 and not result.stderr and left == ["output.npy"]
            and len(read_bytes("output.npy")) >= 4096 and right(image, filters, *read_npy("output.npy")[0:3:2]))
    check(f"mutated files {number} of seed {seed}" + " " * 100, failed or good,
          f"left {left}; repeat: fuzz.py DWCONV 1 {seed} {number}; {seen(result)}")
    if left:
        for name in left:
            os.unlink(name)
    return result.returncode


count, seed, *first = map(int, begin())
codes = [one(number, seed) for number in range(first[0] if first else 0, (first[0] if first else 0) + count)]
print({code: codes.count(code) for code in sorted(set(codes))}, "files per exit status")
if count > 1:
    check("some mutated files are right, most are refused", 0 < codes.count(0) < codes.count(2), codes)
finish()
