# SPDX-License-Identifier: Apache-2.0
"""Files that cannot be opened, read or written (exit status 1), files that must not be used (2), --force, partial files,
and a full disk.

    python3 files.py PATH_OF_DWCONV PATH_OF_FAULT_LIBRARY
"""

import errno
import fcntl
import os
import resource
import subprocess

import cli_support
from cli_support import (begin, check, expect_error, finish, read_bytes, read_npy, run, seen, snapshot, start, succeeds,
                         write_npy)

GOOD = {"input": "input.npy", "filter": "filter.npy", "output": "output.npy"}
ANSWER = [196, 216, 272, 296, 252, 280, 344, 376]


def conv(*extra, **files):
    """Arguments of the job on the good files, some of them replaced."""
    return ["conv", "--padding", "valid", *extra,
            *[word for key, path in {**GOOD, **files}.items() for word in ("--" + key, path)]]


def right(path="output.npy"):
    return read_npy(path)[2] == ANSWER and not os.path.exists(path + ".partial")


def unreadable():
    os.mkdir("folder")
    os.mkfifo("pipe")
    os.symlink("nowhere", "dangling")
    for which in ("input", "filter", "bias"):
        expect_error(f"{which}: missing", 1, ["missing.npy", "No such file"], *conv(**{which: "missing.npy"}))
        expect_error(f"{which}: a directory", 1, ["folder", "directory"], *conv(**{which: "folder"}))
        expect_error(f"{which}: a dangling link", 1, ["dangling", "No such file"], *conv(**{which: "dangling"}))
        expect_error(f"{which}: a name too long", 1, ["xxx", "too long"], *conv(**{which: "x" * 300}))
        expect_error(f"{which}: in a file", 1, ["Not a directory"], *conv(**{which: "input.npy/x"}))
        expect_error(f"{which}: a pipe", 2, ["pipe: not a regular file"], *conv(**{which: "pipe"}))
        expect_error(f"{which}: a device", 2, ["/dev/zero: not a regular file"], *conv(**{which: "/dev/zero"}))
    if os.geteuid():
        write_npy("secret.npy", (1, 2, 3, 2), range(12))
        os.chmod("secret.npy", 0)
        expect_error("input: no permission", 1, ["secret.npy", "ermission"], *conv(input="secret.npy"))


def unwritable():
    expect_error("output: missing directory", 1, ["nowhere/output.npy", "No such file"], *conv(output="nowhere/output.npy"))
    expect_error("output: a directory", 1, ["folder", "directory"], *conv(output="folder"))
    expect_error("output: a directory, --force", 1, ["folder", "directory"], *conv("--force", output="folder"))
    expect_error("output: a name too long", 1, ["too long"], *conv(output="x" * 250))
    expect_error("output: in a file", 1, ["Not a directory"], *conv(output="input.npy/x"))
    expect_error("output: a device", 2, ["/dev/null"], *conv("--force", output="/dev/null"))
    expect_error("output: in /proc", 1, ["/proc/output.npy"], *conv(output="/proc/output.npy"))
    os.mkdir("output2.npy.partial")
    expect_error("partial file: a directory", 1, ["output2.npy.partial"], *conv(output="output2.npy"))
    os.rmdir("output2.npy.partial")
    os.symlink("input.npy", "output2.npy.partial")
    expect_error("partial file: a link to the input", 2, ["output2.npy.partial", "input.npy"], *conv(output="output2.npy"))
    os.unlink("output2.npy.partial")
    os.symlink("elsewhere", "output2.npy.partial")
    expect_error("partial file: a link elsewhere", 1, ["output2.npy.partial"], *conv(output="output2.npy"))
    os.unlink("output2.npy.partial")


def force():
    succeeds("first result", *conv())
    check("first result is right", right())
    before = snapshot()
    expect_error("existing output is refused", 2, ["output.npy: exists", "--force"], *conv())
    write_npy("zeros.npy", (2, 2, 2, 2), [0] * 16)
    succeeds("--force replaces it", *conv("--force", filter="zeros.npy"))
    check("--force: the new one", read_npy("output.npy")[2] == [0] * 8)
    check("--force: another file", snapshot()["output.npy"][2] != before["output.npy"][2])
    succeeds("--force without a file", *conv("--force", output="fresh.npy"))
    expect_error("--force, then a failure: the old one stays", 2, "filter", *conv("--force", filter="input.npy"))
    os.symlink("output.npy", "link.npy")
    expect_error("existing link is refused", 2, ["link.npy: exists"], *conv(output="link.npy"))
    expect_error("dangling link is refused", 2, ["dangling: exists"], *conv(output="dangling"))
    succeeds("--force replaces a link", *conv("--force", output="link.npy"))
    check("the link is a file now, its old target is not touched",
          not os.path.islink("link.npy") and right("link.npy") and read_npy("output.npy")[2] == [0] * 8)


def same_file():
    content = read_bytes("input.npy")
    os.link("input.npy", "hard.npy")
    os.symlink("input.npy", "soft.npy")
    os.link("filter.npy", "hardfilter.npy")
    for output, source in (("input.npy", "input.npy"), ("./input.npy", "input.npy"), ("hard.npy", "input.npy"),
                           ("soft.npy", "input.npy"), ("filter.npy", "filter.npy"), ("hardfilter.npy", "filter.npy")):
        for options in ((), ("--force", )):
            expect_error(f"output {output} is {source} {options}", 2, [output, source, "same file"],
                         *conv(*options, output=output))
    os.link("input.npy", "x.npy.partial")
    expect_error("partial file is the input", 2, ["x.npy.partial", "input"], *conv(output="x.npy"))
    os.unlink("x.npy.partial")
    check("the input is as it was", read_bytes("input.npy") == content)


def left_overs():
    with open("y.npy.partial", "wb") as file:
        file.write(b"rest of a killed job" * 1000)
    succeeds("a partial file nobody writes is taken over", *conv(output="y.npy"))
    check("it is right", right("y.npy"))
    with open("z.npy.partial", "wb") as file:
        file.write(b"another job's data")
        file.flush()
        fcntl.flock(file, fcntl.LOCK_EX)
        expect_error("a partial file of a running job is not", 1, ["z.npy.partial", "another job"], *conv(output="z.npy"))
    check("it keeps its data", read_bytes("z.npy.partial") == b"another job's data")
    os.unlink("z.npy.partial")


def limits():
    """The size limit of a process, a small disk."""
    write_npy("large.npy", (100, 8, 8, 8), [1] * 51200)
    write_npy("filter8.npy", (3, 3, 8, 2), [1] * 144)
    files = {"input": "large.npy", "filter": "filter8.npy", "output": "limited.npy"}
    for size in (0, 1, 4096, 100000):
        expect_error(f"size limit of {size} bytes", 1, ["limited.npy", "too large"], *conv(**files),
                     limit=(resource.RLIMIT_FSIZE, size))
    expect_error("no file descriptors", 1, ["Too many open files"], *conv(**files), limit=(resource.RLIMIT_NOFILE, 4))
    os.mkdir("disk")
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=150k", "tmpfs", "disk"], stderr=subprocess.DEVNULL).returncode:
        print("skipped: disk full on a real file system (cannot mount one)")
        return
    try:
        expect_error("disk full", 1, ["disk/o.npy", "No space left"], *conv(**{**files, "output": "disk/o.npy"}))
        check("nothing is left on the disk", os.listdir("disk") == [])
        expect_error("disk full, --force", 1, ["No space left"], *conv("--force", **{**files, "output": "disk/o.npy"}))
        succeeds("a small file fits", *conv(output="disk/small.npy"))
        check("it is right", right("disk/small.npy"))
    finally:
        subprocess.run(["umount", "disk"], check=True)


def faults(library):
    """Calls that fail inside the system."""
    def environment(text):
        return {"LD_PRELOAD": library, "DWC_TEST_FAULT": text, "ASAN_OPTIONS": "verify_asan_link_order=0"}

    files = {"input": "large.npy", "filter": "filter8.npy", "output": "fault.npy"}
    small = conv("--chunk-images", "7", **files)
    cases = [(f"read {i} fails", f"pread:{i}:{errno.EIO}", "nput/output error") for i in (1, 2, 3, 4, 5, 6, 12)]
    cases += [(f"write {i}: disk full", f"pwrite:{i}:{errno.ENOSPC}", "No space left") for i in (1, 2, 5, 16)]
    cases += [("quota", f"pwrite:3:{errno.EDQUOT}", "quota"), ("fsync fails", f"fsync:1:{errno.EIO}", "nput/output error"),
              ("rename fails", f"renameat2:1:{errno.EACCES}", "ermission denied"),
              ("no room to reserve", f"fallocate:1:{errno.ENOSPC}", "No space left")]
    for name, text, words in cases:
        expect_error(name, 1, [".npy", words], *small, environment=environment(text))
    succeeds("undisturbed", *small)
    good = read_bytes("fault.npy")
    expect_error("rename over the old file fails", 1, "ermission denied", *small, "--force",
                 environment=environment(f"rename:1:{errno.EACCES}"))
    check("the old file is as it was", read_bytes("fault.npy") == good)
    for name, text in (("short and interrupted reads", "pread:0:short"), ("short and interrupted writes", "pwrite:0:short"),
                       ("interrupted reservation", "fallocate:1:4"),
                       ("no reservation", f"fallocate:0:{errno.EOPNOTSUPP}"),
                       ("no sync of the directory", f"fsync:2:{errno.EINVAL}")):
        succeeds(name, *small, "--force", environment=environment(text))
        check(name + ": right", read_bytes("fault.npy") == good)
    os.unlink("fault.npy")
    succeeds("no renameat2", *small, environment=environment(f"renameat2:1:{errno.EINVAL}"))
    check("no renameat2: right", read_bytes("fault.npy") == good)
    os.unlink("fault.npy")


def races():
    """The output appears, and the input shrinks, while the job runs."""
    slow = ["--algo", "reference", "--threads", "1", "--chunk-images", "1"]
    write_npy("slow.npy", (40, 64, 64, 16), [1] * (40 * 64 * 64 * 16))
    write_npy("slowfilter.npy", (7, 7, 16, 1), [1] * 784)
    files = {"input": "slow.npy", "filter": "slowfilter.npy", "output": "race.npy"}

    def when_running(action):
        process = start(*conv(*slow, **files))
        while not os.path.exists("race.npy.partial") and process.poll() is None:
            pass
        action()
        out, err = process.communicate()
        return subprocess.CompletedProcess(conv(*slow, **files), process.returncode, out.decode(), err.decode())

    def appear():
        with open("race.npy", "w") as file:
            file.write("precious")

    result = when_running(appear)
    check("an output that appears meanwhile is not replaced", result.returncode == 1 and read_bytes("race.npy") == b"precious"
          and "race.npy: cannot write: File exists" in result.stderr and not os.path.exists("race.npy.partial"), seen(result))
    os.unlink("race.npy")
    result = when_running(lambda: os.truncate("slow.npy", 1000000))
    check("an input that shrinks meanwhile is an error", result.returncode == 1 and result.stderr.count("\n") == 1
          and "slow.npy: became shorter" in result.stderr and not os.path.exists("race.npy")
          and not os.path.exists("race.npy.partial"), seen(result))


def closed():
    """With the standard files closed, messages must not end up in the output."""
    result = subprocess.run(["sh", "-c", 'exec "$0" "$@" <&- >&- 2>&-', cli_support.program,
                             *conv("--verbose", output="closed.npy")])
    check("standard files closed: the output is right", right("closed.npy"), f"exit {result.returncode}")


def far_padding():
    """More bands than anybody can walk: refused at once, for want of room."""
    expect_error("output rows beyond any disk", 1, ["far.npy.partial: cannot write"],
                 "conv", "--input", "input.npy", "--filter", "filter.npy", "--output", "far.npy",
                 "--padding", "100000000000000000,0,0,0")


def runtime_exits():
    """A thread runtime that cannot start its threads ends the program; no partial file stays."""
    write_npy("rows.npy", (3000, 1, 1, 1), [1] * 3000)
    write_npy("one.npy", (1, 1, 1, 1), [2])
    result = run("conv", "--input", "rows.npy", "--filter", "one.npy", "--output", "rows_out.npy", "--algo", "reference",
                 "--threads", "1000", "--chunk-images", "3000", limit=(resource.RLIMIT_AS, 1 << 30))
    check("too many threads for the memory: result or no file",
          (result.returncode == 0) == os.path.exists("rows_out.npy") and not os.path.exists("rows_out.npy.partial"),
          seen(result))


arguments = begin()
write_npy("input.npy", (1, 2, 3, 2), range(1, 13))
write_npy("filter.npy", (2, 2, 2, 2), range(1, 17))
unreadable()
unwritable()
force()
same_file()
left_overs()
limits()
faults(arguments[0])
races()
closed()
far_padding()
runtime_exits()
finish()
