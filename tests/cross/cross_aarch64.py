# SPDX-License-Identifier: Apache-2.0
"""The library on AArch64, cross-compiled and emulated: every kernel of its tables against plain C, algorithms against the
exact result, and the outputs of `direct` against those of this machine, bit for bit.

    python3 cross_aarch64.py PATH_OF_DWCONV SOURCE_DIR BUILD_DIR quick|full

quick: kernels with few instances and little optimisation. What is needed: scripts/cmake/aarch64-linux-gnu.cmake.
"""

import json
import os
import random
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cli"))

from cli_support import FORMATS, begin, check, finish, read_bytes, run, seen, skip, write_npy

PKG_CONFIG_PATH = "/usr/lib/aarch64-linux-gnu/pkgconfig"

# Input N H W C, filter KH KW M, options.
PROBLEMS = [
    ((1, 11, 17, 40), (3, 3, 1), ""),
    ((2, 9, 10, 21), (3, 3, 1), "--strides 2 --bias bias.npy --activation relu6"),
    ((1, 13, 12, 3), (3, 3, 1), ""),
    ((1, 12, 12, 6), (3, 3, 1), "--bias bias.npy --activation relu"),
    ((1, 10, 9, 11), (2, 4, 3), "--dilations 2,1"),
    ((1, 20, 33, 5), (5, 7, 2), "--padding valid"),
]


def missing_packages():
    """Debian packages without which there is nothing to do."""
    missing = []
    if not shutil.which("aarch64-linux-gnu-gcc"):
        missing.append("gcc-aarch64-linux-gnu")
    if not shutil.which("qemu-aarch64"):
        missing.append("qemu-user")
    for module, package in (("jansson", "libjansson-dev:arm64"), ("cmocka", "libcmocka-dev:arm64")):
        there = subprocess.run(["pkg-config", "--exists", module], env={**os.environ, "PKG_CONFIG_LIBDIR": PKG_CONFIG_PATH})
        if there.returncode != 0:
            missing.append(package)
    return missing


def execute(name, *command):
    """Runs a command, its output shown only when it fails."""
    result = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    text = result.stdout.decode("utf-8", "replace")
    return check(name, result.returncode == 0, f"exit {result.returncode}: {' '.join(command)}\n{text[-4000:]}"), text


def build(source, directory, kind):
    # One thread: emulation has no use for more, and this way libgomp need not be there.
    options = ["-DCMAKE_BUILD_TYPE=Release", "-DBUILD_SHARED_LIBS=OFF", "-DDWC_WITH_OPENMP=OFF"]
    if kind == "quick":
        options.append("-DDWC_KERN_FLAGS=-O1;-DDWC_FEW_INSTANCES")
    return (execute("configured", "cmake", "-S", source, "-B", directory, "-DCMAKE_TOOLCHAIN_FILE="
                    + os.path.join(source, "scripts/cmake/aarch64-linux-gnu.cmake"), *options)[0]
            and execute("built", "cmake", "--build", directory, "--parallel", "2", "--target", "dwconv",
                        "test_kern_direct", "test_kern_conversion")[0])


def write_tensors(rng, dtype, layout, image, taps):
    n, h, w, c = image
    kh, kw, m = taps
    for name, shape in (("input", image if layout == "NHWC" else (n, c, h, w)), ("filter", (kh, kw, c, m)),
                        ("bias", (c * m, ))):
        count = 1
        for size in shape:
            count *= size
        write_npy(name + ".npy", shape, [rng.uniform(-1, 1) for _ in range(count)], dtype)


def compare_bits(emulated, sets):
    """`direct` here and there, under sets of the same arithmetic."""
    rng = random.Random(1)
    for i, (image, taps, options) in enumerate(PROBLEMS):
        for k, dtype in enumerate(FORMATS):
            layout = "NCHW" if i < 2 and (i + k) % 2 else "NHWC"
            write_tensors(rng, dtype, layout, image, taps)
            name = f"{dtype} {layout} {'x'.join(map(str, image))} k{'x'.join(map(str, taps))} {options}".strip()
            for here, there in sets:
                arguments = ["conv", "--input", "input.npy", "--filter", "filter.npy", "--force", "--json", "--algo", "direct",
                             "--threads", "1", "--data-format", layout, *options.split(),
                             *(["--dtype", "bf16"] if dtype == "bf16" else [])]
                mine = run(*arguments, "--output", "here.npy", "--isa", here)
                text = execute(f"{name}: runs under {there}", *emulated, *arguments, "--output", "there.npy", "--isa", there)[1]
                if check(f"{name}: runs under {here}", mine.returncode == 0, seen(mine)):
                    used = json.loads(mine.stdout)["isa"], json.loads(text)["isa"]
                    check(f"{name}: the sets used", used == (here, there), f"{used}, not {here} and {there}")
                    check(f"{name}: same bits under {here} and {there}", read_bytes("here.npy") == read_bytes("there.npy"))


def main():
    source, directory, kind = begin()
    if missing := missing_packages():
        skip(f"the AArch64 build needs: {' '.join(missing)}")
    if not build(source, directory, kind):
        finish()

    emulated = ["qemu-aarch64", os.path.join(directory, "apps", "dwconv")]
    good, text = execute("dwconv info", *emulated, "info", "--json")
    machine = json.loads(text)["machine"] if good else {}
    check("baseline and neon, and neon in use", machine.get("isa_available") == ["baseline", "neon"]
          and machine.get("isa") == "neon", text)
    kernels = os.path.join(directory, "tests", "kern")
    execute("every kernel against plain C", "qemu-aarch64", os.path.join(kernels, "test_kern_direct"), "--count",
            "6" if kind == "quick" else "40")
    execute("conversions", "qemu-aarch64", os.path.join(kernels, "test_kern_conversion"))
    for problem in ("f32:nhwc:n2:13x13x18:k3x3", "f16:nhwc:n1:9x9x5:k5x5:m3", "bf16:nchw:n1:20x20x4:k3x3:s2x2",
                    "f64:nhwc:n1:16x11x7:k5x3:bias:relu"):
        execute(f"dwconv check {problem}", *emulated, "check", "--problem", problem)
    if kind == "full":
        execute("dwconv check --quick", *emulated, "check", "--quick")

    available = json.loads(run("info", "--json").stdout)["machine"]["isa_available"]
    sets = [("baseline", "baseline")]
    if "avx2" in available:
        sets.append(("avx2", "neon"))
    else:
        print("no instruction set with fused multiply-add here to compare NEON's bits with")
    compare_bits(emulated, sets)
    finish()


main()
