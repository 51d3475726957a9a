# SPDX-License-Identifier: Apache-2.0
"""Right results through files: TensorFlow's known answers and seeded random integer problems, in four element types and
both layouts, compared bit for bit with plain loops; empty tensors; npy versions; layout of the written file."""

import random

from cli_support import (FORMATS, begin, check, convolve, expect_error, finish, read_npy, round_bf16, rounded, run, seen,
                         to_nchw, write_npy)

KNOWN = [
    # input shape, values, filter shape, values, strides, dilations, padding, expected
    ((1, 2, 3, 2), range(1, 13), (2, 2, 2, 2), range(1, 17), 1, 1, "valid", [196, 216, 272, 296, 252, 280, 344, 376]),
    ((1, 3, 2, 2), range(1, 13), (3, 3, 2, 1), [1, 2, 7, 8, 13, 14, 3, 4, 9, 10, 15, 16, 5, 6, 11, 12, 17, 18], 1, 1,
     "same", [228, 300, 132, 180, 482, 596, 266, 344, 372, 452, 180, 236]),
    ((1, 3, 2, 1), range(1, 7), (2, 1, 1, 2), range(1, 5), 1, 1, "valid", [10, 14, 14, 20, 18, 26, 22, 32]),
    ((1, 3, 2, 2), [1, 2, 7, 8, 3, 4, 9, 10, 5, 6, 11, 12], (2, 2, 2, 2),
     [1, 2, 3, 4, -9, 10, -11, 12, 5, 6, 7, 8, 13, -14, 15, -16], 1, 1, "valid", [70, -36, 96, -24, 90, -28, 124, -8]),
    ((1, 3, 2, 2), [1, 2, 7, 8, 3, 4, 9, 10, 5, 6, 11, 12], (2, 2, 2, 2),
     [1, 2, 3, 4, -9, 10, -11, 12, 5, 6, 7, 8, 13, -14, 15, -16], 2, 1, "same",
     [70, -36, 96, -24, -94, 120, -114, 168]),
    ((1, 3, 3, 1), [1] * 9, (2, 2, 1, 1), [1, 2, 3, 4], 1, 2, "same", [4, 7, 3, 6, 10, 4, 2, 3, 1]),
    ((1, 9, 9, 1), [int(3 <= i // 9 < 6 and 3 <= i % 9 < 6) for i in range(81)], (3, 3, 1, 1), range(1, 10), 1, 3,
     "valid", [5] * 9),
]


def options_of(dtype, layout):
    return (["--dtype", "bf16"] if dtype == "bf16" else []) + ["--data-format", layout]


def convolve_files(name, dtype, layout, shape, image, filter_shape, filters, expected_shape, expected, extra, bias=None):
    """Runs the program on NHWC data in the given layout and compares bit for bit."""
    if layout == "NCHW":
        shape, image = to_nchw(shape, image)
        expected_shape, expected = to_nchw(expected_shape, expected)
    write_npy("input.npy", shape, image, dtype)
    write_npy("filter.npy", filter_shape, filters, dtype)
    arguments = ["conv", "--input", "input.npy", "--filter", "filter.npy", "--output", "output.npy", "--force"]
    if bias:
        write_npy("bias.npy", (len(bias), ), bias, dtype)
        arguments += ["--bias", "bias.npy"]
    result = run(*arguments, *options_of(dtype, layout), *extra)
    if not check(name + ": runs", result.returncode == 0 and not result.stderr, seen(result)):
        return
    got_shape, descr, values, offset = read_npy("output.npy")
    right = (tuple(got_shape) == tuple(expected_shape) and descr == FORMATS[dtype][0] and offset % 4096 == 0
             and values == rounded(dtype, expected))
    check(name + ": right", right, f"{got_shape} {descr} at {offset} {values[:12]}, expected {expected_shape} "
          f"{rounded(dtype, expected)[:12]}; {seen(result)}")


def known_answers():
    for i, (shape, image, filter_shape, filters, stride, dilation, padding, expected) in enumerate(KNOWN):
        out_shape, loops = convolve(*shape, *filter_shape[:2], filter_shape[3], list(image), list(filters),
                                    (stride, stride), (dilation, dilation), padding)
        check(f"known answer {i}: the loops agree", loops == expected, loops)
        for dtype in FORMATS:
            for layout in ("NHWC", "NCHW"):
                convolve_files(f"known answer {i} {dtype} {layout}", dtype, layout, shape, list(image), filter_shape,
                               list(filters), out_shape, expected,
                               ["--strides", stride, "--dilations", dilation, "--padding", padding])


def random_problem(rng, number):
    n, h, w, c = rng.randint(0, 3), rng.randint(0, 9), rng.randint(0, 9), rng.randint(0, 5)
    kh, kw, m = rng.randint(1, 4), rng.randint(1, 4), rng.randint(0, 3)
    strides, dilations = [[rng.randint(1, 3), rng.randint(1, 3)] for _ in range(2)]
    padding, pads = rng.choice(["same", "valid", "explicit"]), [0] * 4
    if padding == "explicit":
        pads = [rng.randint(0, 4) for _ in range(4)]
    if padding != "same" and ((kh - 1) * dilations[0] + 1 > h + pads[0] + pads[1]
                              or (kw - 1) * dilations[1] + 1 > w + pads[2] + pads[3]):
        return random_problem(rng, number)
    dtype, layout = rng.choice(list(FORMATS)), rng.choice(["NHWC", "NCHW"])
    activation = rng.choice(["none", "relu", "relu6"])
    image = [rng.randint(-8, 8) for _ in range(n * h * w * c)]
    filters = [rng.randint(-8, 8) for _ in range(kh * kw * c * m)]
    bias = [rng.randint(-8, 8) for _ in range(c * m)] if rng.random() < 0.5 else None
    shape, expected = convolve(n, h, w, c, kh, kw, m, image, filters, strides, dilations, padding, pads, bias, activation)
    convolve_files(f"random {number} {dtype} {layout} {n}x{h}x{w}x{c} k{kh}x{kw} m{m}", dtype, layout, (n, h, w, c), image,
                   (kh, kw, c, m), filters, shape, expected,
                   ["--strides", "%d,%d" % tuple(strides), "--dilations", "%d,%d" % tuple(dilations), "--padding",
                    ",".join(map(str, pads)) if padding == "explicit" else padding, "--activation", activation, "--threads",
                    rng.randint(1, 3)], bias)


def empty_tensors():
    for layout in ("NHWC", "NCHW"):
        for name, shape, padding in (("no image", (0, 4, 4, 2), "same"), ("no channel", (2, 4, 4, 0), "same"),
                                     ("no rows, padded", (2, 0, 4, 2), "2,2,0,0"),
                                     ("no columns, padded", (2, 4, 0, 2), "0,0,1,2"), ("no rows", (2, 0, 4, 2), "same")):
            n, h, w, c = shape
            pads = [int(p) for p in padding.split(",")] if "," in padding else [0] * 4
            bias = [-1, 2, 3, 4][:2 * c]
            out_shape, expected = convolve(n, h, w, c, 2, 2, 2, [1] * (n * h * w * c), [1] * (8 * c), (1, 1), (1, 1),
                                           "same" if padding == "same" else "explicit", pads, bias, "relu")
            convolve_files(f"{name} {layout}", "f32", layout, shape, [1] * (n * h * w * c), (2, 2, c, 2), [1] * (8 * c),
                           out_shape, expected, ["--padding", padding, "--activation", "relu"], bias)


def other_headers():
    """Headers that NumPy and others write and that mean the same file."""
    image, filters = list(range(1, 13)), list(range(1, 17))
    for name, version, descr in (("version 2.0", (2, 0), "<f4"), ("version 3.0", (3, 0), "<f4")):
        write_npy("input.npy", (1, 2, 3, 2), image, "f32", version, descr)
        write_npy("filter.npy", (2, 2, 2, 2), filters, "f32", version, descr)
        result = run("conv", "--input", "input.npy", "--filter", "filter.npy", "--output", "o.npy", "--padding", "valid",
                     "--force")
        check(name, result.returncode == 0 and read_npy("o.npy")[2] == KNOWN[0][7], seen(result))
    write_npy("input.npy", (1, 2, 3, 2), image, "bf16", descr="<V2")
    write_npy("filter.npy", (2, 2, 2, 2), filters, "bf16")
    result = run("conv", "--input", "input.npy", "--filter", "filter.npy", "--output", "o.npy", "--padding", "valid",
                 "--force", "--dtype", "bf16")
    check("descr <V2", result.returncode == 0 and read_npy("o.npy")[2] == rounded("bf16", KNOWN[0][7]), seen(result))
    expect_error("V2 without --dtype", 2, ["input.npy", "--dtype bf16"], "conv", "--input", "input.npy", "--filter",
                 "filter.npy", "--output", "new.npy")


begin()
check("the helper rounds ties to even", [round_bf16(x) for x in (1 + 1 / 256, 1 + 3 / 256)] == [0x3F80, 0x3F82])
known_answers()
generator = random.Random(20240501)
for number in range(60):
    random_problem(generator, number)
empty_tensors()
other_headers()
finish()
