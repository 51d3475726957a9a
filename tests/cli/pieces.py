# SPDX-License-Identifier: Apache-2.0
"""Same bits however the job is cut: chunks, memory limits down to bands of one row, threads; and the buffers stay within
--memory as the log tells them.

    python3 pieces.py PATH_OF_DWCONV [NUMBER_OF_RANDOM_JOBS SEED]
"""

import hashlib
import os
import random
import re

from cli_support import begin, check, expect_error, finish, output_size, read_bytes, run, seen, write_npy

LINE = re.compile(r"pieces of (\d+) images, (\d+) rows: input (\d+), output (\d+), packed (\d+), workspace (\d+) bytes")


def hash_of(arguments, extra):
    """SHA-256 of the output, and the pieces (images, rows) and bytes of the buffers without the filter as read."""
    result = run("conv", *arguments, "--force", *extra, environment={"DWC_VERBOSE": "plan"})
    line = LINE.search(result.stderr)
    if not check(f"{extra} runs", result.returncode == 0 and line, seen(result)):
        return None, None, 0
    numbers = [int(number) for number in line.groups()]
    return hashlib.sha256(read_bytes("output.npy")).hexdigest(), tuple(numbers[:2]), sum(numbers[2:])


def least_memory(arguments):
    """Bytes that one row needs, from the message."""
    result = expect_error("1 byte is too few", 2, "band of one output row needs", "conv", *arguments, "--force", "--memory",
                          "1")
    found = re.search(r"needs (\d+)", result.stderr)
    return int(found.group(1)) if found else None


def compare(name, arguments, filter_bytes, sizes):
    """Runs one job in many ways; `sizes` is (images, output rows)."""
    whole, pieces, total = hash_of(arguments, [])
    check(f"{name}: whole batch at once", pieces == sizes, pieces)
    least = least_memory(arguments)
    ways = [["--threads", threads] for threads in (1, 2, 3, 4)]
    ways += [["--chunk-images", chunk, "--threads", threads] for chunk, threads in ((1, 1), (2, 3), (3, 2), (1000, 1))]
    ways += [["--memory", memory, "--threads", threads]
             for memory, threads in ((least, 1), (least + 1, 2), (2 * least, 3), ((least + total) // 2, 1), (total, 2))]
    ways += [["--isa", "best", "--algo", "direct", "--memory", least]]
    seen_pieces = set()
    for way in ways:
        digest, pieces, total_bytes = hash_of(arguments, way)
        check(f"{name} {way}: same bits", digest == whole, f"{digest} instead of {whole}: dwconv conv {arguments} {way}")
        seen_pieces.add(pieces)
        if "--memory" in way:
            limit = way[way.index("--memory") + 1]
            check(f"{name} {way}: within the memory", total_bytes + filter_bytes <= limit, (total_bytes, filter_bytes))
        if "--chunk-images" in way:
            check(f"{name} {way}: chunk as asked for", pieces[0] == min(way[1], sizes[0]), pieces)
    check(f"{name}: one row per piece was among them", (1, 1) in seen_pieces, seen_pieces)
    if sizes[0] > 3 and sizes[1] > 3:
        check(f"{name}: pieces of other sizes were among them", len(seen_pieces) >= 5, seen_pieces)
    expect_error(f"{name}: a byte less than one row needs", 2, f"needs {least}", "conv", *arguments, "--force", "--memory",
                 least - 1)


def fixed_jobs():
    rng = random.Random(7)
    for dtype, layout, padding in (("f32", "NHWC", "same"), ("f32", "NCHW", "valid"), ("f64", "NCHW", "9,11,3,0"),
                                   ("bf16", "NHWC", "9,11,3,0"), ("f16", "NCHW", "same"), ("f16", "NHWC", "valid")):
        n, h, w, c, kh, kw, m, stride, dilation = 5, 19, 17, 6, 3, 5, 2, (2, 1), (3, 2)
        shape = (n, c, h, w) if layout == "NCHW" else (n, h, w, c)
        write_npy("input.npy", shape, [rng.uniform(-1, 1) for _ in range(n * h * w * c)], dtype)
        write_npy("filter.npy", (kh, kw, c, m), [rng.uniform(-1, 1) for _ in range(kh * kw * c * m)], dtype)
        write_npy("bias.npy", (c * m, ), [rng.uniform(-1, 1) for _ in range(c * m)], dtype)
        pads = [int(pad) for pad in padding.split(",")] if "," in padding else [0] * 4
        rows = output_size(h, kh, stride[0], dilation[0], "same" if padding == "same" else "", *pads[:2])[0]
        arguments = ["--input", "input.npy", "--filter", "filter.npy", "--bias", "bias.npy", "--output", "output.npy",
                     "--strides", "2,1", "--dilations", "3,2", "--padding", padding, "--data-format", layout,
                     "--dtype", dtype, "--activation", "relu"]
        element = {"f16": 2, "bf16": 2, "f32": 4, "f64": 8}[dtype]
        compare(f"{dtype} {layout} {padding}", arguments, element * c * m * (kh * kw + 1), (n, rows))


def bands_of_winograd():
    """winograd computes rows apart, its tiles lie along them. im2col_gemm computes whole images or nothing."""
    rng = random.Random(9)
    n, h, w, c, k, m = 2, 41, 13, 17, 5, 2
    write_npy("input.npy", (n, h, w, c), [rng.uniform(-1, 1) for _ in range(n * h * w * c)], "f32")
    write_npy("filter.npy", (k, 3, c, m), [rng.uniform(-1, 1) for _ in range(k * 3 * c * m)], "f32")
    arguments = ["--input", "input.npy", "--filter", "filter.npy", "--output", "output.npy", "--dilations", "2,1"]
    winograd = [*arguments, "--algo", "winograd", "--isa", "baseline"]
    whole, pieces, total = hash_of(winograd, ["--threads", 1])
    check("winograd: whole batch at once", pieces == (n, h), pieces)
    message = expect_error("winograd: too little", 2, "a band of one output row needs", "conv", *winograd, "--force",
                           "--memory", "1")
    least = int(re.search(r"a band of one output row needs (\d+)", message.stderr).group(1))
    seen_pieces = set()
    for memory in (least, least + (total - least) // 5, least + (total - least) // 3, (least + total) // 2, total):
        for threads in (1, 3):
            digest, pieces, _ = hash_of(winograd, ["--memory", memory + 4000 * threads, "--threads", threads])
            check(f"winograd in {memory} bytes, {threads} threads: same bits", digest == whole, pieces)
            seen_pieces.add(pieces)
    check("winograd: bands of several heights were among them", len(seen_pieces) >= 3, seen_pieces)
    if "im2col_gemm" in run("info", "--algos").stdout and run("conv", *arguments, "--force", "--algo",
                                                              "im2col_gemm").returncode == 0:
        expect_error("im2col_gemm: no bands", 2, "a whole image needs", "conv", *arguments, "--force", "--algo",
                     "im2col_gemm", "--memory", str(least))


def random_job(rng, number):
    """A random problem at a random memory between one row and all of it."""
    n, h, w, c, m = rng.randint(1, 4), rng.randint(0, 30), rng.randint(0, 12), rng.randint(1, 6), rng.randint(1, 3)
    kh, kw = rng.randint(1, 9), rng.randint(1, 4)
    strides, dilations = [(rng.randint(1, 5), rng.randint(1, 3)) for _ in range(2)]
    pads = [rng.randint(0, 40) for _ in range(2)] + [rng.randint(0, 5) for _ in range(2)]
    padding = rng.choice(["same", "valid", ",".join(map(str, pads))])
    if padding == "same":
        pads = [100] * 4
    elif padding == "valid":
        pads = [0] * 4
    if (kh - 1) * dilations[0] >= h + pads[0] + pads[1] or (kw - 1) * dilations[1] >= w + pads[2] + pads[3]:
        return random_job(rng, number)
    if padding == "same" and h * w == 0:
        return random_job(rng, number)
    layout, dtype = rng.choice(["NHWC", "NCHW"]), rng.choice(["f16", "bf16", "f32", "f64"])
    write_npy("input.npy", (n, c, h, w) if layout == "NCHW" else (n, h, w, c),
              [rng.uniform(-1, 1) for _ in range(n * h * w * c)], dtype)
    write_npy("filter.npy", (kh, kw, c, m), [rng.uniform(-1, 1) for _ in range(kh * kw * c * m)], dtype)
    arguments = ["--input", "input.npy", "--filter", "filter.npy", "--output", "output.npy", "--strides",
                 "%d,%d" % strides, "--dilations", "%d,%d" % dilations, "--padding", padding, "--data-format", layout,
                 "--dtype", dtype]
    whole, _, total = hash_of(arguments, [])
    least = least_memory(arguments)
    for memory in (least, rng.randint(least, max(least, total)), rng.randint(least, max(least, total))):
        way = ["--memory", memory, "--threads", rng.randint(1, 3)]
        digest, pieces, _ = hash_of(arguments, way)
        check(f"random {number} {pieces}: same bits", digest == whole,
              f"input {(n, h, w, c)} filter {(kh, kw, c, m)} conv {arguments} {way}")
    os.unlink("output.npy")


arguments = begin()
count, seed = (int(argument) for argument in arguments or (15, 1))
fixed_jobs()
bands_of_winograd()
generator = random.Random(seed)
for number in range(count):
    random_job(generator, number)
finish()
