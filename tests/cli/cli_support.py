# SPDX-License-Identifier: Apache-2.0
"""Shared by the tests of the program: running it, .npy files without NumPy, and one line per result.

    python3 TEST.py PATH_OF_DWCONV [ARGUMENTS]

A test calls begin(), then check() or expect_error() for every claim, then finish(). A failed claim prints what was seen
and the command that repeats it. Files live in a fresh directory that is removed at the end.
"""

import atexit
import os
import resource
import shlex
import shutil
import signal
import struct
import subprocess
import sys
import tempfile

FORMATS = {"f16": ("<f2", "e", 2), "bf16": ("|V2", "H", 2), "f32": ("<f4", "f", 4), "f64": ("<f8", "d", 8)}

program = None
directory = None
failures = 0
claims = 0


def begin():
    """Takes the program's path from the arguments and enters a fresh directory; returns the other arguments."""
    global program, directory
    program = os.path.abspath(sys.argv[1])
    arguments = [os.path.abspath(a) if os.path.exists(a) else a for a in sys.argv[2:]]
    directory = tempfile.mkdtemp(prefix="dwconv-cli-")
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(1))
    for name in [name for name in os.environ if name.startswith("DWC_")]:
        del os.environ[name]
    os.environ["HOME"] = directory  # tuning records go to the fresh directory
    os.environ["XDG_STATE_HOME"] = os.path.join(directory, "state")
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # a busy machine must not make the tests slow
    os.chdir(directory)
    return arguments


def finish():
    print(f"{claims - failures} of {claims} claims hold")
    sys.exit(1 if failures else 0)


def skip(reason):
    print(f"skipped: {reason}")
    sys.exit(77)


def check(name, holds, detail=""):
    """Notes one claim; prints the detail when it does not hold."""
    global failures, claims
    claims += 1
    failures += not holds
    if not holds or len(name) < 100:
        print(f"{'ok    ' if holds else 'FAILED'} {name}{'' if holds else ': ' + str(detail)}", flush=True)
    return holds


# ---- running ---------------------------------------------------------------------------------------------------------


def command_text(arguments):
    return "dwconv " + " ".join(shlex.quote(str(a)) for a in arguments)


def start(*arguments, environment=None, limit=None, **options):
    """Starts the program with default signal handling; limit: (resource, value)."""

    def prepare():
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE):
            signal.signal(number, signal.SIG_DFL)
        if limit:
            resource.setrlimit(limit[0], (limit[1], limit[1]))

    options.setdefault("stdout", subprocess.PIPE)
    options.setdefault("stderr", subprocess.PIPE)
    return subprocess.Popen(
        [program, *map(str, arguments)], env={**os.environ, **(environment or {})}, preexec_fn=prepare, **options)


def run(*arguments, **options):
    """Runs the program to its end; the result has returncode, stdout and stderr as text."""
    process = start(*arguments, **options)
    out, err = process.communicate(timeout=600)
    return subprocess.CompletedProcess(arguments, process.returncode, (out or b"").decode("utf-8", "replace"),
                                       (err or b"").decode("utf-8", "replace"))


def seen(result):
    return f"exit {result.returncode}, stdout {result.stdout!r}, stderr {result.stderr!r}; {command_text(result.args)}"


def succeeds(name, *arguments, **options):
    result = run(*arguments, **options)
    check(name, result.returncode == 0 and not result.stderr, seen(result))
    return result


def snapshot():
    """Sizes, times and inodes of all files here: tells whether a failed run left or changed anything."""
    files = {}
    for folder, _, names in os.walk("."):
        for name in names:
            path = os.path.normpath(os.path.join(folder, name))
            info = os.lstat(path)
            files[path] = (info.st_size, info.st_mtime_ns, info.st_ino)
    return files


def expect_error(name, code, words, *arguments, **options):
    """Claims: this exit code, nothing on stdout, exactly one line on stderr with the command's prefix and all words, and
    the directory as it was."""
    before = snapshot()
    result = run(*arguments, **options)
    after = snapshot()
    words = [words] if isinstance(words, str) else words
    known = arguments and arguments[0] in ("conv", "bench", "tune", "wisdom", "info", "check", "help")
    prefix = f"dwconv {arguments[0]}: " if known else "dwconv: "
    good = (result.returncode == code and result.stdout == "" and result.stderr.startswith(prefix)
            and result.stderr.endswith("\n") and result.stderr.count("\n") == 1
            and all(word in result.stderr for word in words))
    check(name, good, f"expected exit {code} and one line with {words}: {seen(result)}")
    changed = {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}
    if changed:
        check(name + " leaves the directory as it was", False, f"changed: {changed}")
    return result


# ---- .npy files ------------------------------------------------------------------------------------------------------


def round_bf16(value):
    """The bits of the bfloat16 nearest to a float32 value, ties to even."""
    bits = struct.unpack("<I", struct.pack("<f", value))[0]
    return (bits + 0x7FFF + (bits >> 16 & 1)) >> 16


def pack(dtype, values):
    if dtype == "bf16":
        values = [round_bf16(value) for value in values]
    return struct.pack(f"<{len(values)}{FORMATS[dtype][1]}", *values)


def unpack(dtype, data):
    count = len(data) // FORMATS[dtype][2]
    values = struct.unpack(f"<{count}{FORMATS[dtype][1]}", data)
    if dtype == "bf16":
        values = struct.unpack(f"<{count}f", struct.pack(f"<{count}I", *[value << 16 for value in values]))
    return list(values)


def rounded(dtype, values):
    return unpack(dtype, pack(dtype, values))


def header_text(shape, descr, order="False"):
    return f"{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {tuple(shape)!r}, }}"


def npy_bytes(text, data, version=(1, 0), align=64):
    """A file from a header's text and the data; the text is padded as NumPy does."""
    width = 2 if version[0] == 1 else 4
    raw = text.encode("utf-8") if isinstance(text, str) else text
    raw += b" " * (-(len(raw) + 1 + 8 + width) % align) + b"\n"
    return b"\x93NUMPY" + bytes(version) + len(raw).to_bytes(width, "little") + raw + data


def write_npy(path, shape, values, dtype="f32", version=(1, 0), descr=None):
    text = header_text(shape, descr or FORMATS[dtype][0])
    with open(path, "wb") as file:
        file.write(npy_bytes(text, pack(dtype, values), version))


def read_npy(path):
    """(shape, descr, values, offset of the data) of a file as dwconv writes it; a ValueError tells what is wrong."""
    with open(path, "rb") as file:
        data = file.read()
    if data[:8] != b"\x93NUMPY\x01\x00":
        raise ValueError(f"not npy 1.0: {data[:8]}")
    offset = 10 + int.from_bytes(data[8:10], "little")
    if data[offset - 1:offset] != b"\n":
        raise ValueError("header does not end with a newline")
    fields = eval(data[10:offset].decode(), {"__builtins__": {}}, {"True": True, "False": False})
    if fields["fortran_order"]:
        raise ValueError("Fortran order")
    dtype = next(name for name, (descr, _, _) in FORMATS.items() if descr == fields["descr"])
    values = unpack(dtype, data[offset:])
    count = 1
    for size in fields["shape"]:
        count *= size
    if len(values) != count:
        raise ValueError(f"{len(values)} elements, shape {fields['shape']}")
    return fields["shape"], fields["descr"], values, offset


def read_bytes(path):
    with open(path, "rb") as file:
        return file.read()


# ---- the operator, as plain loops ------------------------------------------------------------------------------------


def output_size(size, taps, stride, dilation, padding, before, after):
    """(output size, padding before) of one dimension."""
    eff = (taps - 1) * dilation + 1
    if padding == "same":
        out = -(-size // stride)
        return out, max(0, (out - 1) * stride + eff - size) // 2
    return (size + before + after - eff + stride) // stride, before


def convolve(n, h, w, c, kh, kw, m, image, filters, strides=(1, 1), dilations=(1, 1), padding="same", pads=(0, 0, 0, 0),
             bias=None, activation="none"):
    """Output shape and values of NHWC lists, exact for small integers."""
    oh, top = output_size(h, kh, strides[0], dilations[0], padding, pads[0], pads[1])
    ow, left = output_size(w, kw, strides[1], dilations[1], padding, pads[2], pads[3])
    finish_value = {"none": lambda x: x, "relu": lambda x: max(x, 0), "relu6": lambda x: min(max(x, 0), 6)}[activation]
    out = []
    for b in range(n):
        for i in range(oh):
            for j in range(ow):
                for k in range(c):
                    for q in range(m):
                        total = bias[k * m + q] if bias else 0
                        for y in range(kh):
                            row = i * strides[0] - top + y * dilations[0]
                            for x in range(kw):
                                column = j * strides[1] - left + x * dilations[1]
                                if 0 <= row < h and 0 <= column < w:
                                    total += (image[((b * h + row) * w + column) * c + k]
                                              * filters[((y * kw + x) * c + k) * m + q])
                        out.append(finish_value(total))
    return (n, oh, ow, c * m), out


def to_nchw(shape, values):
    """NHWC shape and values -> NCHW."""
    n, h, w, c = shape
    return (n, c, h, w), [values[((b * h + y) * w + x) * c + k]
                          for b in range(n) for k in range(c) for y in range(h) for x in range(w)]
