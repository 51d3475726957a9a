# SPDX-License-Identifier: Apache-2.0
"""Arrays of the four element types (bfloat16 as its 16 bits in uint16), placed where the harness wants them."""

import numpy

STORED = {"f16": numpy.float16, "bf16": numpy.uint16, "f32": numpy.float32, "f64": numpy.float64}
# Two results may differ by so much, beside the largest sum of |input * filter|: f32 and f64 some hundred units of
# roundoff, f16 and bf16 about 20, for peers that round each partial sum.
TOLERANCE = {"f16": 1e-2, "bf16": 6e-2, "f32": 1e-5, "f64": 1e-13}
PAGE = 4096


def place(count, dtype, offset):
    """An array of `count` elements that begins `offset` bytes after the start of a page, all pages touched."""
    bytes_wanted = count * numpy.dtype(STORED[dtype]).itemsize
    memory = numpy.ones(bytes_wanted + 2 * PAGE, numpy.uint8)
    skip = -memory.ctypes.data % PAGE + offset
    return memory[skip : skip + bytes_wanted].view(STORED[dtype])


def from_float(values, dtype):
    if dtype != "bf16":
        return values.astype(STORED[dtype])
    bits = values.astype(numpy.float32).view(numpy.uint32)
    return ((bits + 0x7FFF + (bits >> 16 & 1)) >> 16).astype(numpy.uint16)


def to_float(array, dtype):
    if dtype != "bf16":
        return array.astype(numpy.float64 if dtype == "f64" else numpy.float32, copy=False)
    return (array.astype(numpy.uint32) << 16).view(numpy.float32)


class Normals:
    """Standard normal values: a block of them, repeated in large tensors with a period that fits no image."""

    def __init__(self, seed):
        self.values = numpy.random.default_rng(seed).standard_normal(1048573)
        self.blocks = {}

    def fill(self, array, dtype, start=0):
        if dtype not in self.blocks:
            self.blocks[dtype] = from_float(self.values, dtype)
        block, flat = numpy.roll(self.blocks[dtype], -start), array.reshape(-1)
        for at in range(0, flat.size, block.size):
            piece = flat[at : at + block.size]
            piece[:] = block[: piece.size]
        return array
