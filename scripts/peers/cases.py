# SPDX-License-Identifier: Apache-2.0
"""What the peers harness measures: layers of a shape file as problems, their tensors' sizes, random tensors.

layer x regime (warm, cold) x element type x layout -> Case
"""

import csv
import dataclasses
import random

REGIMES = {"warm": "one image, in cache", "cold": "64 images from memory"}
BATCH = {"warm": 1, "cold": 64}
BYTES = {"f16": 2, "bf16": 2, "f32": 4, "f64": 8}
MOST_TENSOR_BYTES = 1 << 30  # of input and output; a batch is halved until it fits
TINY = {
    "network": "",
    "layer": "tiny",
    "H": 4,
    "W": 4,
    "C": 8,
    "kh": 3,
    "kw": 3,
    "sh": 1,
    "sw": 1,
    "dh": 1,
    "dw": 1,
    "M": 1,
    "padding": "SAME",
}


@dataclasses.dataclass(frozen=True)
class Case:
    """One problem in one regime. pads: top, bottom, left, right, with SAME resolved as TensorFlow does."""

    network: str
    layer: str
    regime: str
    dtype: str
    layout: str
    n: int
    h: int
    w: int
    c: int
    kh: int
    kw: int
    sh: int
    sw: int
    dh: int
    dw: int
    m: int
    padding: str

    @property
    def pads(self):
        if self.padding == "SAME":
            both = []
            for size, taps, stride, dilation in (
                (self.h, self.kh, self.sh, self.dh),
                (self.w, self.kw, self.sw, self.dw),
            ):
                total = max(0, ((size + stride - 1) // stride - 1) * stride + (taps - 1) * dilation + 1 - size)
                both += [total // 2, total - total // 2]
            return tuple(both)
        return (0, 0, 0, 0) if self.padding == "VALID" else tuple(map(int, self.padding.split(":")))

    @property
    def out_hw(self):
        top, bottom, left, right = self.pads
        return (
            (self.h + top + bottom - (self.kh - 1) * self.dh - 1) // self.sh + 1,
            (self.w + left + right - (self.kw - 1) * self.dw - 1) // self.sw + 1,
        )

    def shape(self, n, hw, c):
        return (n, *hw, c) if self.layout == "nhwc" else (n, c, *hw)

    @property
    def in_shape(self):
        return self.shape(self.n, (self.h, self.w), self.c)

    @property
    def out_shape(self):
        return self.shape(self.n, self.out_hw, self.c * self.m)

    @property
    def filter_shape(self):
        return self.kh, self.kw, self.c, self.m

    @property
    def tensor_bytes(self):
        oh, ow = self.out_hw
        return self.n * self.c * (self.h * self.w + oh * ow * self.m) * BYTES[self.dtype]

    def text(self, **changes):
        case = dataclasses.replace(self, **changes)
        padding = case.padding.lower() if case.padding in ("SAME", "VALID") else "p" + case.padding.replace(":", ",")
        return (
            f"{case.dtype}:{case.layout}:n{case.n}:{case.h}x{case.w}x{case.c}:k{case.kh}x{case.kw}:"
            f"s{case.sh}x{case.sw}:d{case.dh}x{case.dw}:m{case.m}:{padding}"
        )


def make_case(layer, regime, dtype, layout):
    numbers = {key.lower(): int(layer[key]) for key in ("H", "W", "C", "kh", "kw", "sh", "sw", "dh", "dw", "M")}
    case = Case(
        layer["network"], layer["layer"], regime, dtype, layout, BATCH[regime], **numbers, padding=layer["padding"]
    )
    while case.tensor_bytes > MOST_TENSOR_BYTES and case.n > 1:
        case = dataclasses.replace(case, n=case.n // 2)
    return case


def tiny_case(dtype, layout):
    """A problem with hardly any arithmetic: its time is what a call costs."""
    return make_case(TINY, "warm", dtype, layout)


def read_layers(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def sample(layers, count, seed):
    """A random part of the layers, in their order; all of them if count is 0."""
    if not count or count >= len(layers):
        return layers
    return [layers[i] for i in sorted(random.Random(seed).sample(range(len(layers)), count))]


def all_cases(layers, regimes, dtypes, layouts, counts, seed):
    """Every case once, also where networks have a layer in common. counts: (regime, "f32" or "other") -> layers."""
    cases = {}
    for regime in regimes:
        for dtype in dtypes:
            some = sample(layers, counts[regime, "f32" if dtype == "f32" else "other"], seed)
            for layout in layouts:
                for layer in some:
                    case = make_case(layer, regime, dtype, layout)
                    cases.setdefault((regime, case.text()), case)
    return list(cases.values())
