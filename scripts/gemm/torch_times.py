#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""PyTorch on depthwise problems with a multiplier: its own im2col and GEMM, and oneDNN, which it calls by default.

    torch_times.py CHANNELS SIZE TAPS MULTIPLIER [...]     prints for each: sizes, seconds of its own form, of oneDNN

f32, NCHW, one image, stride 1, padding of half the taps, one thread; medians.
"""

import statistics
import sys
import time

import torch

SECONDS, LEAST = 0.05, 9


def median(call):
    call()
    times, end = [], time.perf_counter() + SECONDS
    while len(times) < LEAST or time.perf_counter() < end:
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def main():
    torch.set_num_threads(1)
    sizes = list(map(int, sys.argv[1:]))
    with torch.inference_mode():
        for c, size, taps, m in zip(*[iter(sizes)] * 4, strict=True):
            x, weight = torch.rand(1, c, size, size) - 0.5, torch.rand(c * m, 1, taps, taps) - 0.5

            def convolve():
                return torch.conv2d(x, weight, None, 1, taps // 2, 1, c)

            with torch.backends.mkldnn.flags(enabled=False):
                own = median(convolve)
            print(f"{c},{size},{taps},{m},{own:.6g},{median(convolve):.6g}")


main()
