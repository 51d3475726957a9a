# SPDX-License-Identifier: Apache-2.0
"""Signals: the program stops at once by the signal and leaves neither an output nor a partial file; --force keeps the old
output; ignored signals stay ignored; after a kill that cannot be caught the next job works. The progress bar."""

import os
import pty
import re
import signal
import subprocess
import time

import cli_support
from cli_support import begin, check, finish, read_bytes, start, succeeds, write_npy

JOB = ["conv", "--input", "input.npy", "--filter", "filter.npy", "--output", "output.npy", "--algo", "reference",
       "--threads", "1", "--chunk-images", "1"]
IMAGES, BAR_IMAGES = 15, 60  # a second, and several, of the slow algorithm


def stop(number, *extra, environment=None, ignored=False):
    """Starts the job, sends the signal when the partial file has data, and returns (exit code, stderr, seconds)."""
    if ignored:
        signal.signal(number, signal.SIG_IGN)
        process = subprocess.Popen([cli_support.program, *JOB, *extra], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        signal.signal(number, signal.SIG_DFL)
    else:
        process = start(*JOB, *extra, environment=environment)
    while process.poll() is None and not os.path.exists("output.npy.partial"):
        time.sleep(0.002)
    time.sleep(0.05)
    process.send_signal(number)
    sent = time.monotonic()
    out, err = process.communicate(timeout=120)
    return process.returncode, (out + err).decode(), time.monotonic() - sent


def write_batch(images):
    write_npy("input.npy", (images, 40, 40, 16), [1] * (images * 40 * 40 * 16))


def left():
    return sorted(name for name in os.listdir(".") if name.startswith("output"))


def stopping():
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE):
        code, text, seconds = stop(number)
        check(f"{number.name}: ends by the signal, says nothing, leaves nothing",
              (code, text, left()) == (-number, "", []), (code, text, left()))
        check(f"{number.name}: at once", seconds < 2, seconds)
    with open("output.npy", "w") as file:
        file.write("old")
    code, text, _ = stop(signal.SIGTERM, "--force")
    check("--force: the old output stays", (code, left(), read_bytes("output.npy")) == (-signal.SIGTERM, ["output.npy"], b"old"),
          (code, left()))
    os.unlink("output.npy")


def surviving():
    code, text, _ = stop(signal.SIGHUP, ignored=True)
    check("an ignored SIGHUP (nohup) stays ignored", (code, left()) == (0, ["output.npy"]), (code, text, left()))
    good = read_bytes("output.npy")
    os.unlink("output.npy")
    code, text, _ = stop(signal.SIGKILL)
    check("a kill leaves the partial file only", (code, left()) == (-signal.SIGKILL, ["output.npy.partial"]), (code, left()))
    succeeds("the next job works", *JOB)
    check("and is right", left() == ["output.npy"] and read_bytes("output.npy") == good)
    os.unlink("output.npy")


def progress():
    """The bar, on a terminal; nothing without one is seen by every other test (stderr is empty there)."""
    write_batch(BAR_IMAGES)
    master, slave = pty.openpty()
    process = subprocess.Popen([cli_support.program, *JOB], stdout=subprocess.PIPE, stderr=slave)
    os.close(slave)
    drawn = b""
    try:
        while chunk := os.read(master, 4096):
            drawn += chunk
    except OSError:
        pass
    out, _ = process.communicate(timeout=120)
    bars = re.findall(rb"\r\[=*> *\] +(\d+)%  (\d+)/(\d+) images  \d+ MB/s  \d+ s left\x1b\[K", drawn)
    check("the bar is drawn", process.returncode == 0 and len(bars) >= 3, drawn[:500])
    check("it grows", bars == sorted(bars, key=lambda bar: int(bar[0])) and all(bar[2] == b"%d" % BAR_IMAGES for bar in bars),
          bars)
    check("it is wiped at the end", drawn.endswith(b"\r\x1b[K") and drawn.count(b"\n") == 0, drawn[-100:])
    check("the summary is on stdout", b"output     output.npy" in out, out)
    os.unlink("output.npy")
    master, slave = pty.openpty()
    process = subprocess.Popen([cli_support.program, "info"], stdout=subprocess.PIPE, stderr=slave)
    process.communicate(timeout=120)
    os.close(slave)
    os.set_blocking(master, False)
    try:
        drawn = os.read(master, 4096)
    except (BlockingIOError, OSError):
        drawn = b""
    check("no bar for short work", process.returncode == 0 and drawn == b"", drawn)


begin()
write_batch(IMAGES)
write_npy("filter.npy", (9, 9, 16, 2), [1] * (9 * 9 * 16 * 2))
started = time.monotonic()
succeeds("undisturbed", *JOB)
print(f"the job takes {time.monotonic() - started:.1f} s")
check("undisturbed: output", left() == ["output.npy"])
os.unlink("output.npy")
stopping()
surviving()
progress()
finish()
