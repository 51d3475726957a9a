# SPDX-License-Identifier: Apache-2.0
"""Stopped jobs: killed at any moment, stopped by SIGUSR1, with damaged journals, gone on with --resume, refused where the
job is another one; and what --resume does where there is nothing to do.

    python3 resume.py PATH_OF_DWCONV FAULT_LIBRARY|none [NUMBER_OF_KILLS SEED]
"""

import glob
import math
import os
import random
import signal
import sys
import time

from cli_support import (FORMATS, begin, check, expect_error, finish, header_text, npy_bytes, pack, read_bytes, run, seen, start,
                         succeeds, write_npy)

IMAGES, SIZE, CHANNELS = 110, 32, 16
JOB = ["conv", "--input", "input.npy", "--filter", "filter.npy", "--output", "out.npy"]
SLOW = [*JOB, "--algo", "reference", "--threads", 1, "--chunk-images", 1, "--checkpoint", 0.05]
JOURNALS = "out.npy.partial-*.journal"
TEXT, RECORD = 1024, 64


def job(*changes):
    """The arguments of the slow job, some of them replaced."""
    words = list(SLOW)
    for option in changes[::2] if len(changes) % 2 == 0 else ():
        if option in words:
            del words[words.index(option):words.index(option) + 2]
    return [*words, *changes]


def left():
    return sorted(name for name in os.listdir(".") if name.startswith("out"))


def records():
    """Records in all journals."""
    total = 0
    for path in glob.glob(JOURNALS):
        try:
            total += max(0, os.path.getsize(path) - TEXT) // RECORD
        except FileNotFoundError:  # the job has just ended
            pass
    return total


def wait_for_records(process, count):
    """Waits until so many records are on disk; 0 if the job ended before."""
    while process.poll() is None and records() < count:
        time.sleep(0.002)
    return process.poll() is None


def interrupt(number, count, *arguments):
    """A job that gets the signal when `count` more records are on disk; (exit code, standard error)."""
    before = records()
    process = start(*(arguments or SLOW))
    alive = wait_for_records(process, before + count)
    process.send_signal(number)
    _, err = process.communicate(timeout=120)
    check(f"{signal.Signals(number).name} after {count} records", alive, "the job had ended")
    return process.returncode, err.decode()


def clean():
    for name in left():
        os.unlink(name)


def same(name, whole):
    if check(name, left() == ["out.npy"] and read_bytes("out.npy") == whole, left()):
        os.unlink("out.npy")
    else:
        clean()


def kills(whole, image_time, count, seed):
    """Ten in a row, then a run to the end; and single ones with other threads, memory and chunks."""
    rng = random.Random(seed)
    lives = math.ceil(0.16 / image_time)  # images that one job, a checkpoint of 0.05 s, cannot finish before its kill
    images = IMAGES * math.ceil((count * lives + 30) / IMAGES)
    with open("many.npy", "wb") as file:
        file.write(npy_bytes(header_text((images, SIZE, SIZE, CHANNELS), FORMATS["f32"][0]), pack("f32", values) * images))
    many = job("--input", "many.npy", "--threads", 2)
    succeeds("many images, undisturbed", *many)
    all_images = read_bytes("out.npy")
    clean()
    for number in range(count):
        code, _ = interrupt(signal.SIGKILL, rng.randint(1, 2), *many[:-1], rng.randint(1, 3), "--resume")
        check(f"kill {number}: the partial file and journals stay", code == -signal.SIGKILL and "out.npy.partial" in left()
              and records() > 0 and not os.path.exists("out.npy"), (code, left()))
    done = records()
    succeeds(f"after {count} kills, {done} of {images} chunks done: to the end", *many, "--resume")
    same("same bits after all kills", all_images)
    os.unlink("many.npy")
    for extra in (["--threads", 3], ["--memory", "300K"], ["--chunk-images", 7], ["--isa", "best"]):
        interrupt(signal.SIGKILL, 3)
        succeeds(f"resume with {extra}", *JOB, "--resume", *extra)
        same(f"same bits with {extra}", whole)
    process = start(*SLOW)
    while process.poll() is None and not os.path.exists("out.npy.partial"):
        pass
    process.kill()
    process.communicate()
    succeeds("resume after a kill before the first record", *SLOW, "--resume")
    same("same bits", whole)


def requests(whole):
    code, err = interrupt(signal.SIGUSR1, 2)
    check("SIGUSR1: 75 and one line", code == 75 and err == "dwconv conv: stopped on request; --resume goes on\n", (code, err))
    check("SIGUSR1: what is finished is recorded", records() >= 2 and "out.npy.partial" in left(), left())
    code, err = interrupt(signal.SIGUSR1, 1, *SLOW, "--resume")
    check("SIGUSR1 again", code == 75, (code, err))
    succeeds("resume after SIGUSR1", *SLOW, "--resume")
    same("same bits", whole)
    process = start(*JOB[:-1], "big.npy", "--algo", "reference", "--threads", 1)
    while process.poll() is None and not os.path.exists("big.npy.partial"):
        pass
    process.send_signal(signal.SIGUSR1)
    process.communicate()
    check("SIGUSR1 without finished work: all or nothing", (process.returncode, os.path.exists("big.npy")) in ((0, True), (75, False))
          and not os.path.exists("big.npy.partial"), process.returncode)
    for number in (signal.SIGINT, signal.SIGTERM):
        code, err = interrupt(number, 2)
        check(f"{number.name}: ends by it, recorded work stays", code == -number and err == "" and records() >= 2, (code, err))
        succeeds(f"resume after {number.name}", *SLOW, "--resume")
        same("same bits", whole)


def damage(whole):
    """What is torn, flipped or cut costs the chunks it speaks of; the result is the same."""
    def flip(path, at):
        data = bytearray(read_bytes(path))
        data[at] ^= 0x10
        with open(path, "wb") as file:
            file.write(data)

    cases = [("a torn last record", lambda path: os.truncate(path, os.path.getsize(path) - 20)),
             ("no records", lambda path: os.truncate(path, TEXT)), ("an empty journal", lambda path: os.truncate(path, 0)),
             ("half a text", lambda path: os.truncate(path, 500))]
    cases += [(f"byte {at} flipped", lambda path, at=at: flip(path, at)) for at in (TEXT + 3, TEXT + 9, TEXT + 17, TEXT + 25)]
    for name, harm in cases:
        interrupt(signal.SIGKILL, 4)
        harm(glob.glob(JOURNALS)[0])
        result = run(*SLOW, "--resume")
        check(f"{name}: goes on", result.returncode == 0, seen(result))
        same(f"{name}: same bits", whole)


def untrue_records(whole, fault):
    """Records of data that is not there."""
    interrupt(signal.SIGKILL, 6)
    at = 4096 + min(chunk_numbers(glob.glob(JOURNALS)[0])[1:]) * SIZE * SIZE * CHANNELS * 4
    with open("out.npy.partial", "r+b") as file:
        file.seek(at)
        file.write(bytes(70000))
    result = run(*SLOW, "--resume")
    check("recorded chunks that were overwritten are computed again", result.returncode == 0
          and "recorded chunks are damaged" in result.stderr, seen(result))
    same("same bits", whole)
    interrupt(signal.SIGKILL, 4)
    journal = glob.glob(JOURNALS)[0]
    old = read_bytes(journal)
    clean()
    interrupt(signal.SIGKILL, 1)
    with open("out.npy.partial-7.journal", "wb") as file:
        file.write(old)
    result = run(*SLOW, "--resume")
    check("a journal of another run is refused", result.returncode == 2 and "another run" in result.stderr, seen(result))
    os.unlink(journal)
    succeeds("a journal of another run alone speaks of nothing", *SLOW, "--resume")
    same("same bits", whole)
    if not fault:
        return
    for call in (1, 3, 5):  # of data and journal in turn
        result = run(*job("--checkpoint", 0.0001), environment={"LD_PRELOAD": fault, "DWC_TEST_FAULT": f"fdatasync:{call}:5"})
        check(f"fdatasync {call} of data fails: what it was for is not recorded", result.returncode == 1
              and records() == call // 2, (records(), seen(result)))
        result = run(*SLOW, "--resume")
        check("resume after it", result.returncode == 0 and not result.stderr, seen(result))
        same("same bits", whole)
    process = start(*SLOW, environment={"LD_PRELOAD": fault, "DWC_TEST_FAULT": "fallocate:0:95"})
    wait_for_records(process, 3)
    process.kill()
    process.communicate()
    succeeds("resume where nothing can be reserved", *SLOW, "--resume")
    same("same bits", whole)


def unreadable_journals(whole):
    interrupt(signal.SIGKILL, 3)
    path = glob.glob(JOURNALS)[0]
    data = read_bytes(path)
    with open(path, "wb") as file:
        file.write(data.replace(b'"dwconv_journal":1', b'"dwconv_journal":9'))
    for extra in ([], ["--resume"]):
        expect_error(f"a journal of a later format {extra}", 2, [path, "understands", "--force"], *SLOW, *extra)
    succeeds("--force starts afresh", *SLOW, "--force")
    same("same bits", whole)


def changing_input(whole):
    """Written to while it is read."""
    times = os.stat("input.npy")
    process = start(*SLOW)
    wait_for_records(process, 1)
    os.utime("input.npy")
    _, err = process.communicate()
    check("an input that is written to meanwhile", process.returncode == 1 and b"input.npy: was changed while it was read" in err
          and not os.path.exists("out.npy"), err)
    os.utime("input.npy", ns=(times.st_atime_ns, times.st_mtime_ns))
    succeeds("its time set back, the bytes being the same, it can be resumed", *SLOW, "--resume")
    same("same bits", whole)


def ends_while_planning():
    process = start(*JOB, "--effort", "exhaustive")
    while process.poll() is None and not os.path.exists("out.npy.partial"):
        time.sleep(0.002)
    process.terminate()
    process.communicate()
    check("SIGTERM while planning leaves nothing", process.returncode == -signal.SIGTERM and left() == [], (process.returncode, left()))
    os.symlink("nowhere", "out.npy")
    expect_error("--resume and a dangling link", 2, ["out.npy", "not the result of this job"], *JOB, "--resume")
    os.unlink("out.npy")


def other_jobs(whole, fault):
    interrupt(signal.SIGKILL, 4)
    partial, journals = read_bytes("out.npy.partial"), glob.glob(JOURNALS)
    expect_error("neither --resume nor --force", 2, ["out.npy.partial", "--resume goes on", "--force"], *SLOW)
    expect_error("another filter", 2, ["out.npy.partial", "another filter"], *job("--filter", "filter2.npy"), "--resume")
    expect_error("a bias", 2, ["out.npy.partial", "another problem"], *SLOW, "--resume", "--bias", "bias.npy")
    expect_error("other strides", 2, ["out.npy.partial", "another problem"], *SLOW, "--resume", "--strides", "2")
    expect_error("another algorithm", 2, ["out.npy.partial", "another algorithm"], *JOB, "--resume", "--algo", "direct")
    times = os.stat("input.npy")
    os.utime("input.npy", ns=(times.st_atime_ns, times.st_mtime_ns + 1))
    expect_error("an input that was changed", 2, ["out.npy.partial", "input's last change"], *SLOW, "--resume")
    os.utime("input.npy", ns=(times.st_atime_ns, times.st_mtime_ns))
    content = read_bytes("input.npy")
    first = journals and min(chunk_numbers(journals[0]))
    at = len(content) - IMAGES * SIZE * SIZE * CHANNELS * 4 + first * SIZE * SIZE * CHANNELS * 4 + 3
    with open("input.npy", "r+b") as file:
        file.seek(at)
        file.write(bytes([content[at] ^ 0x40]))
    os.utime("input.npy", ns=(times.st_atime_ns, times.st_mtime_ns))
    expect_error("an input that was changed, its time set back", 2, ["out.npy.partial", "other bits"], *SLOW, "--resume")
    with open("input.npy", "wb") as file:
        file.write(content)
    os.utime("input.npy", ns=(times.st_atime_ns, times.st_mtime_ns))
    if fault:
        expect_error("a chunk that comes out with other bits", 2, ["out.npy.partial", "other bits"], *SLOW, "--resume",
                     environment={"LD_PRELOAD": fault, "DWC_TEST_FAULT": "execute:1:0"})
    check("nothing was lost by refusals", read_bytes("out.npy.partial") == partial and glob.glob(JOURNALS) == journals)
    os.truncate("out.npy.partial", 10000)
    expect_error("a partial file that was cut", 2, ["out.npy.partial", "has 10000 bytes"], *SLOW, "--resume")
    succeeds("--force starts afresh", *SLOW, "--force")
    same("same bits", whole)

    process = start(*SLOW)
    wait_for_records(process, 1)
    for extra in ([], ["--resume"], ["--force"]):
        result = run(*SLOW, *extra)
        check(f"a second job {extra} is refused", result.returncode == 1 and "another job is writing it" in result.stderr,
              seen(result))
    process.communicate()
    same("the first one does not notice", whole)
    if fault:
        result = run(*SLOW, environment={"LD_PRELOAD": fault, "DWC_TEST_FAULT": f"pread:{IMAGES // 2}:5"})
        check("a failure in the middle: what is recorded stays", result.returncode == 1 and records() > 0, seen(result))
        succeeds("resume after the failure", *SLOW, "--resume")
        same("same bits", whole)


def lock_files(whole, fault):
    """A file system without locks: a file stands for one, and stays behind when the job is killed."""
    without = {"LD_PRELOAD": fault, "DWC_TEST_FAULT": "flock:0:37"}
    process = start(*SLOW, environment=without)
    wait_for_records(process, 1)
    result = run(*SLOW, "--resume", environment=without)
    check("a second job is refused by a lock file", result.returncode == 1 and "another job is writing it" in result.stderr
          and f"process {process.pid}" in result.stderr and "--force-unlock" in result.stderr, seen(result))
    process.communicate()
    same("it is gone at the end", whole)
    process = start(*SLOW, environment=without)
    wait_for_records(process, 2)
    process.kill()
    process.communicate()
    check("a killed job leaves it", "out.npy.partial.lock" in left(), left())
    result = run(*SLOW, "--resume", environment=without)
    check("and it counts", result.returncode == 1 and "--force-unlock" in result.stderr, seen(result))
    succeeds("--force-unlock", *SLOW, "--resume", "--force-unlock", environment=without)
    same("same bits", whole)
    process = start(*SLOW, environment=without)
    wait_for_records(process, 1)
    process.terminate()
    process.communicate()
    check("SIGTERM removes it", "out.npy.partial.lock" not in left(), left())
    clean()


def chunk_numbers(path):
    data = read_bytes(path)[TEXT:]
    return [int.from_bytes(data[i + 16:i + 24], sys.byteorder) for i in range(0, len(data) - RECORD + 1, RECORD)]


def numerics():
    """What a job was begun with it goes on with, whatever would be chosen now."""
    for begun in (["--algo", "winograd", "--isa", "baseline"], ["--algo", "direct", "--isa", "baseline"],
                  ["--algo", "im2col_gemm"], ["--algo", "direct"]):
        quick = [*JOB, *begun, "--threads", 1, "--chunk-images", 1, "--checkpoint", 0.0001, "--force"]
        quick[2] = "long.npy"
        result = run(*quick)
        if result.returncode == 2:
            print(f"skipped: {begun}: {result.stderr.strip()}")
            continue
        good = read_bytes("out.npy")
        clean()
        process = start(*quick)
        wait_for_records(process, 2)
        process.kill()
        process.communicate()
        if records() == 0:
            check(f"{begun}: stopped in time", False)
            continue
        result = run(*JOB[:1], "--input", "long.npy", *JOB[3:], "--resume", "--threads", 2, "--json")
        check(f"{begun}: resumed by auto with its algorithm", result.returncode == 0 and begun[1] in result.stdout, seen(result))
        same(f"{begun}: same bits", good)


def nothing_to_do(whole):
    succeeds("--resume without anything starts afresh", *JOB, "--algo", "reference", "--resume")
    check("it is right", read_bytes("out.npy") == whole)
    before = os.stat("out.npy")
    result = succeeds("--resume of a complete output", *JOB, "--resume")
    after = os.stat("out.npy")
    check("does nothing", "complete already" in result.stdout and (before.st_mtime_ns, before.st_ino) == (after.st_mtime_ns, after.st_ino)
          and left() == ["out.npy"], seen(result))
    expect_error("without --resume it is refused", 2, "exists already", *JOB)
    expect_error("the output of another filter", 2, ["out.npy", "not the result of this job"], *JOB[:3], "--filter",
                 "filter2.npy", *JOB[5:], "--resume")
    expect_error("the output of other strides", 2, ["out.npy", "not the result of this job"], *JOB, "--resume", "--strides", "2")
    os.utime("input.npy")
    expect_error("an input changed since", 2, ["out.npy", "not the result of this job"], *JOB, "--resume")
    succeeds("--force --resume replaces it", *JOB, "--algo", "reference", "--resume", "--force")
    check("it is right again", read_bytes("out.npy") == whole)
    zeros = [0] * (SIZE * SIZE * CHANNELS)
    write_npy("zeros.npy", (3, SIZE, SIZE, CHANNELS), zeros + [1] * len(zeros) + zeros)
    black = [*JOB[:1], "--input", "zeros.npy", *JOB[3:], "--force"]
    for label in (True, False):
        succeeds("a job with black images", *black)
        if not label:
            try:
                os.removexattr("out.npy", "user.dwconv")
            except OSError:
                pass
        expect_error(f"another filter, black first and last images, label {label}", 2, ["out.npy", "not the result of this job"],
                     *black[:-1][:3], "--filter", "filter2.npy", "--output", "out.npy", "--resume")
    succeeds("the job of before", *JOB, "--algo", "reference", "--force")
    for at, where in ((5003, "first"), (len(whole) - 1, "last")):
        with open("out.npy", "wb") as file:
            file.write(whole[:at] + bytes([whole[at] ^ 0x40]) + whole[at + 1:])
        expect_error(f"a wrong byte in the {where} image", 2, ["out.npy", "not the result of this job"], *JOB, "--resume")
    with open("out.npy", "wb") as file:
        file.write(b"something else")
    expect_error("another file", 2, ["out.npy", "not the result of this job"], *JOB, "--resume")
    clean()


arguments = begin()
library = arguments[0] if arguments and arguments[0] != "none" else None
kill_count, kill_seed = (int(word) for word in arguments[1:] or (10, 1))
rng = random.Random(5)
values = [rng.uniform(-1, 1) for _ in range(SIZE * SIZE * CHANNELS)]
write_npy("input.npy", (IMAGES, SIZE, SIZE, CHANNELS), values * IMAGES)
write_npy("long.npy", (8 * IMAGES, SIZE, SIZE, CHANNELS), values * 8 * IMAGES)
write_npy("filter.npy", (7, 7, CHANNELS, 1), [rng.uniform(-1, 1) for _ in range(49 * CHANNELS)])
write_npy("filter2.npy", (7, 7, CHANNELS, 1), [rng.uniform(-1, 1) for _ in range(49 * CHANNELS)])
write_npy("bias.npy", (CHANNELS, ), [1] * CHANNELS)
started = time.monotonic()
succeeds("undisturbed", *SLOW)
elapsed = time.monotonic() - started
print(f"the job takes {elapsed:.1f} s")
good = read_bytes("out.npy")
check("undisturbed: nothing but the output", left() == ["out.npy"], left())
os.unlink("out.npy")
kills(good, elapsed / IMAGES, kill_count, kill_seed)
requests(good)
damage(good)
untrue_records(good, library)
unreadable_journals(good)
changing_input(good)
ends_while_planning()
other_jobs(good, library)
if library:
    lock_files(good, library)
numerics()
nothing_to_do(good)
finish()
