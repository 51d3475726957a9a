# SPDX-License-Identifier: Apache-2.0
"""`dwconv conv` as several processes: the same bits as one, one line when anything fails on any of them, no hang, killed
and resumed on other numbers of ranks.

    python3 ranks.py PATH_OF_DWCONV MPIRUN FAULT_LIBRARY|none [NUMBER_OF_KILLS SEED]
"""

import errno
import glob
import hashlib
import json
import os
import random
import re
import signal
import subprocess
import time

import cli_support
from cli_support import begin, check, finish, read_bytes, run, seen, write_npy

JOB = ["conv", "--input", "input.npy", "--filter", "filter.npy", "--output", "out.npy", "--threads", 1]
SLOW = [*JOB, "--algo", "reference", "--chunk-images", 1, "--checkpoint", 0.005]
ALL_RANKS = (1, 2, 3, 4, 7, 16)
ENVIRONMENT = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
               "OMPI_MCA_rmaps_base_oversubscribe": "1", "OMPI_MCA_mpi_yield_when_idle": "1",
               "OMPI_MCA_hwloc_base_binding_policy": "none", "OMPI_MCA_btl_vader_single_copy_mechanism": "none",
               "OMPI_MCA_btl": "self,vader"}
# Runs the program; on rank R alone something is done before.
ONE_RANK = 'if [ "$OMPI_COMM_WORLD_RANK" = "$R" ]; then eval "$BEFORE"; fi; exec "$0" "$@"'


def start_ranks(count, *arguments, rank=None, before="", environment=None):
    words = [mpirun, "--timeout", "100", "-n", str(count)]
    words += ["sh", "-c", ONE_RANK] if rank is not None else []
    return subprocess.Popen([*words, cli_support.program, *map(str, arguments)], stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, stdin=subprocess.DEVNULL,
                            env={**os.environ, **ENVIRONMENT, "R": str(rank), "BEFORE": before, **(environment or {})})


def end_ranks(process, arguments):
    out, err = process.communicate(timeout=120)
    return subprocess.CompletedProcess(arguments, process.returncode, out.decode(errors="replace"),
                                       err.decode(errors="replace"))


def run_ranks(count, *arguments, **options):
    return end_ranks(start_ranks(count, *arguments, **options), arguments)


def digest():
    return hashlib.sha256(read_bytes("out.npy")).hexdigest()


def left():
    return sorted(name for name in os.listdir(".") if name.startswith("out"))


def clean():
    for name in left():
        os.unlink(name)


def records():
    total = 0
    for path in glob.glob("out.npy.partial-*.journal"):
        try:
            total += max(0, os.path.getsize(path) - 1024) // 64
        except FileNotFoundError:  # the job has just ended
            pass
    return total


def expect_failure(name, code, words, count, *arguments, seconds=10, kept=(), **options):
    """One line of ours with all words, this exit code, in time, and nothing left but `kept`."""
    begun = time.monotonic()
    result = run_ranks(count, *arguments, **options)
    took = time.monotonic() - begun
    ours = [line for line in result.stderr.splitlines() if line.startswith("dwconv")]
    check(name, result.returncode == code and len(ours) == 1 and all(word in ours[0] for word in words) and not result.stdout,
          seen(result))
    check(f"{name}: in time", took < seconds, f"{took:.1f} s")
    check(f"{name}: nothing is left", left() == sorted(kept), left())


# ---- same bits -------------------------------------------------------------------------------------------------------


def write_job(rng, dtype, layout, images):
    h, w, c, m = rng.randint(5, 20), rng.randint(5, 20), rng.randint(1, 9), rng.randint(1, 3)
    kh, kw = rng.randint(1, 5), rng.randint(1, 5)
    shape = (images, c, h, w) if layout == "NCHW" else (images, h, w, c)
    write_npy("input.npy", shape, [rng.uniform(-1, 1) for _ in range(images * h * w * c)], dtype)
    write_npy("filter.npy", (kh, kw, c, m), [rng.uniform(-1, 1) for _ in range(kh * kw * c * m)], dtype)
    stride, dilation = rng.choice(("1,1", "2,1", "3,2")), rng.choice(("1,1", "1,2", "2,3"))
    padding = rng.choice(("same", "12,9,8,9"))
    return ["--strides", stride, "--dilations", dilation, "--padding", padding, "--data-format", layout, "--dtype", dtype]


def same_bits(seed):
    rng = random.Random(seed)
    for dtype in ("f16", "bf16", "f32", "f64"):
        for layout in ("NHWC", "NCHW"):
            options = write_job(rng, dtype, layout, 20)
            one = run(*JOB, *options)
            whole = digest() if check(f"{options}: one process", one.returncode == 0, seen(one)) else None
            clean()
            for count in ALL_RANKS:
                result = run_ranks(count, *JOB, *options, "--chunk-images", rng.randint(1, 3), "--json")
                good = result.returncode == 0 and left() == ["out.npy"]
                check(f"{dtype} {layout} on {count} ranks: same bits", good and digest() == whole and
                      json.loads(result.stdout)["ranks"] == count, f"{options} {seen(result)}")
                clean()


def numbers_of_images():
    rng = random.Random(3)
    for count in (1, 3, 4):
        for images in sorted({0, 1, count - 1, count, count + 1}):
            options = write_job(rng, "f32", "NHWC", images)
            run(*JOB, *options)
            whole = digest()
            clean()
            result = run_ranks(count, *JOB, *options, "--chunk-images", 1)
            check(f"{images} images on {count} ranks", result.returncode == 0 and digest() == whole, seen(result))
            clean()


def bands():
    """An image beyond the memory, in bands, on several ranks."""
    rng = random.Random(4)
    for layout in ("NHWC", "NCHW"):
        options = write_job(rng, "f32", layout, 3)
        run(*JOB, *options)
        whole = digest()
        clean()
        least = int(re.search(r"needs (\d+)", run(*JOB, *options, "--memory", 1).stderr).group(1))
        result = run_ranks(3, *JOB, *options, "--memory", 2 * least)
        check(f"{layout}: bands on 3 ranks", result.returncode == 0 and digest() == whole, seen(result))
        clean()


def instruction_sets():
    """Ranks that have less: all then use less."""
    rng = random.Random(6)
    options = write_job(rng, "f32", "NHWC", 9)
    for isa in ("avx2", "baseline"):
        alone = run(*JOB, *options, "--isa", isa)
        whole = digest()
        clean()
        result = run_ranks(3, *JOB, *options, "--chunk-images", 1, rank=1, before=f"export DWC_ISA={isa}")
        check(f"one rank has {isa} only", alone.returncode == result.returncode == 0 and digest() == whole, seen(result))
        clean()


# ---- failures --------------------------------------------------------------------------------------------------------


def faults():
    rng = random.Random(5)
    options = write_job(rng, "f32", "NHWC", 24)
    job = [*JOB, *options, "--chunk-images", 1]
    run(*job)
    whole = digest()
    clean()
    os.makedirs("other", exist_ok=True)
    for rank in (0, 1, 2):
        who = f"(rank {rank} of 3, on "
        expect_failure(f"rank {rank} has no such directory", 1, ["input.npy: cannot open", who], 3, *job, rank=rank,
                       before="cd other")
        if not library:
            continue
        preload = f"export LD_PRELOAD={library} DWC_TEST_FAULT="
        for name, fault, word in (("read", f"pread:4:{errno.EIO}", "nput/output error"),
                                  ("write", f"pwrite:2:{errno.ENOSPC}", "No space left"),
                                  ("sync", f"fdatasync:1:{errno.EIO}", "nput/output error"),
                                  ("memory", "allocate:2:1", "out of memory"), ("kernel", "refuse:3:1", "the kernel fails")):
            expect_failure(f"{name} fails on rank {rank}", 1, [word, who], 3, *job, rank=rank, before=preload + fault)
        result = run_ranks(3, *job, rank=rank, before=preload + "pread:0:short")
        check(f"short reads on rank {rank}", result.returncode == 0 and digest() == whole, seen(result))
        clean()
        result = run_ranks(3, *job, rank=rank, before=preload + "execute:2:0")
        check(f"negative control: a wrong byte on rank {rank} is another hash", result.returncode == 0 and digest() != whole,
              seen(result))
        clean()
        expect_failure(f"rank {rank} stands still", 1, ["no progress for 2 s: computing chunk", who], 3, *job,
                       "--stall-timeout", 2, rank=rank, before=preload + "stall:2:1", kept=["out.npy.partial"])
        clean()
    if library:
        expect_failure("no room for the output", 1, ["out.npy.partial", "No space left", "(rank 0 of 3"], 3, *job, rank=0,
                       before=f"export LD_PRELOAD={library} DWC_TEST_FAULT=fallocate:1:{errno.ENOSPC}")


def different_files():
    """Ranks with directories of their own: no shared file system."""
    rng = random.Random(8)
    options = write_job(rng, "f32", "NHWC", 9)
    os.makedirs("other", exist_ok=True)
    for name in ("input.npy", "filter.npy"):
        os.system(f"cp -p {name} other/")
    expect_failure("the output of rank 1 is elsewhere", 1, ["out.npy.partial", "rank 1 of 3"], 3, *JOB, *options, rank=1,
                   before="cd other")
    with open("other/out.npy.partial", "wb") as file:
        file.write(b"x" * 10000)
    expect_failure("and there is one of that name", 1, ["out.npy.partial: is not the file that rank 0 writes", "rank 1 of 3"],
                   3, *JOB, *options, rank=1, before="cd other")
    check("it is not touched", read_bytes("other/out.npy.partial") == b"x" * 10000)
    os.unlink("other/out.npy.partial")
    with open("other/filter.npy", "wb") as file:
        file.write(read_bytes("filter.npy")[:-1] + b"\x33")
    expect_failure("another filter", 1, ["filter.npy: has other contents here", "rank 1 of 3"], 3, *JOB, *options, rank=1,
                   before="cd other; ln -sf ../out.npy.partial .")
    os.utime("other/input.npy")
    expect_failure("another input", 1, ["input.npy", "another time", "rank 1 of 3"], 3, *JOB, *options, rank=1,
                   before="cd other")
    write_npy("other/input.npy", (9, 30, 30, 1), [1] * 8100)
    write_npy("other/filter.npy", (3, 3, 1, 1), [1] * 9)
    expect_failure("another problem", 1, ["input.npy", "bytes here", "rank 1 of 3"], 3, *JOB, *options, rank=1,
                   before="cd other")


def usage():
    for words, text in ((["conv"], "--input is missing"), (["frob"], "unknown command"), (["conv", "--frob"], "--frob")):
        expect_failure(f"{words}: one line", 2, [], 3, *words)
    expect_failure("a missing input", 1, ["missing.npy: cannot open"], 3, "conv", "--input", "missing.npy", *JOB[3:])
    result = run_ranks(3, "--version")
    check("--version: once", result.returncode == 0 and result.stdout.count("dwconv") == 1, seen(result))
    expect_failure("info: a bad variable on one rank", 2, ["DWC_THREADS", "rank 1 of 2"], 2, "info", "--mpi", rank=1,
                   before="export DWC_THREADS=bogus")
    result = run_ranks(3, "info")
    check("info: once", result.returncode == 0 and result.stdout.count("\ncpu") <= 1, seen(result))
    result = run(*JOB, environment={"OMPI_COMM_WORLD_SIZE": "4", "OMPI_COMM_WORLD_RANK": "0", **{k: ENVIRONMENT[k] for k in list(ENVIRONMENT)[:2]}})
    check("another launcher's variables: refused", result.returncode == 2 and "4 processes" in result.stderr and left() == [],
          seen(result))


# ---- stopped jobs ----------------------------------------------------------------------------------------------------


def children(process):
    """The ranks of an mpirun."""
    return [int(word) for path in glob.glob(f"/proc/{process.pid}/task/*/children") for word in read_bytes(path).split()]


def stop(number, count, more, *arguments, must=True):
    """Sends the signal to one rank (SIGKILL) or to mpirun when so many more records are there. must: before the job ends."""
    before = records()
    process = start_ranks(count, *arguments)
    while process.poll() is None and (records() < before + more or len(children(process)) < count):
        time.sleep(0.005)
    alive = process.poll() is None
    if alive and number == signal.SIGKILL:
        os.kill(random.choice(children(process)), number)
    elif alive:
        process.send_signal(number)
    result = end_ranks(process, arguments)
    if must:
        check(f"{number.name} after {more} more records on {count} ranks", alive, seen(result))
    return result if must else (result, alive)


def stopped_jobs(kills, seed):
    rng = random.Random(seed)
    images, size, channels = 200 + 16 * min(kills, 40), 40, 16
    values = [rng.uniform(-1, 1) for _ in range(size * size * channels)]
    write_npy("input.npy", (images, size, size, channels), values * images)
    write_npy("filter.npy", (9, 9, channels, 1), [rng.uniform(-1, 1) for _ in range(81 * channels)])
    alone = run(*SLOW)
    check("one process", alone.returncode == 0, seen(alone))
    whole = digest()
    clean()

    def same(name, result):
        check(name, result.returncode == 0 and left() == ["out.npy"] and digest() == whole, f"{left()} {seen(result)}")
        clean()

    for more, then in ((0, 3), (1, 1), (30, 4)):
        stop(signal.SIGKILL, 2, more, *SLOW)
        same(f"killed after {more} records, resumed on {then} ranks", run_ranks(then, *SLOW, "--resume"))
    killed = 0
    while killed < kills:
        result, alive = stop(signal.SIGKILL, rng.choice((2, 3, 4)), rng.randint(1, 2), *SLOW, "--resume", must=False)
        killed += alive
        if not alive:
            same(f"ended after {killed} kills", result)
    done = records()
    same(f"{kills} kills in a row, {done} chunks recorded, then resumed alone", run(*SLOW, "--resume"))

    result = stop(signal.SIGUSR1, 3, 2, *SLOW)
    check("SIGUSR1: 75 from mpirun", result.returncode == 75 and "stopped on request" in result.stderr
          and records() > 0 and not os.path.exists("out.npy"), seen(result))
    result = run_ranks(2, *SLOW)
    check("without --resume it is refused", result.returncode == 2 and "--resume goes on" in result.stderr, seen(result))
    result = run_ranks(2, *SLOW, "--resume", "--strides", 2)
    check("another problem is refused", result.returncode == 2 and "another problem" in result.stderr, seen(result))
    same("resumed on 7 ranks", run_ranks(7, *SLOW, "--resume"))

    stop(signal.SIGUSR1, 2, 2, *SLOW)
    journals, times = sorted(glob.glob("out.npy.partial-*")), os.stat("input.npy")
    content = read_bytes("input.npy")
    write_npy("input.npy", (images, size, size, channels), [-value for value in values] * images)
    os.utime("input.npy", ns=(times.st_atime_ns, times.st_mtime_ns))
    result = run_ranks(4, *SLOW, "--resume")
    check("another input, its time set back: refused before any rank works on it", result.returncode == 2 and
          "other bits" in result.stderr and sorted(glob.glob("out.npy.partial-*")) == journals, seen(result))
    with open("input.npy", "wb") as file:
        file.write(content)
    os.utime("input.npy", ns=(times.st_atime_ns, times.st_mtime_ns))
    same("the right one again", run_ranks(3, *SLOW, "--resume"))

    quick = [*SLOW[:-1], 600]
    process = start_ranks(2, *quick, rank=0, before='echo $$ >pid; (sleep 3; kill -CONT $$) & kill -STOP $$')
    while process.poll() is None and not os.path.exists("pid"):
        time.sleep(0.01)
    time.sleep(0.2)
    result = end_ranks(process, quick)
    check("a rank that starts late", result.returncode == 0, seen(result))
    same("same bits", result)

    process = start_ranks(2, *SLOW[:-1], 600)
    while process.poll() is None and not os.path.exists("out.npy.partial"):
        time.sleep(0.005)
    time.sleep(0.3)
    ranks = children(process)
    os.kill(ranks[0], signal.SIGSTOP)
    time.sleep(2.5)  # the other one ends its share
    for number in (signal.SIGUSR1, signal.SIGCONT):
        os.kill(ranks[0], number)
    result = end_ranks(process, SLOW)
    check("SIGUSR1 to one rank, the other one being through: both record", result.returncode == 75
          and len(glob.glob("out.npy.partial-*.journal")) == 2, f"{left()} {seen(result)}")
    same("same bits", run_ranks(3, *SLOW, "--resume"))

    process = start_ranks(2, *SLOW)
    while process.poll() is None and records() == 0:
        time.sleep(0.005)
    second = run_ranks(3, *SLOW, "--resume")
    check("a second job is refused", second.returncode == 1 and "another job is writing it" in second.stderr, seen(second))
    same("the first does not notice", end_ranks(process, SLOW))
    run_ranks(2, *SLOW)
    before = os.stat("out.npy")
    result = run_ranks(3, *SLOW, "--resume")
    check("a complete output: nothing is done", result.returncode == 0 and "complete already" in result.stdout
          and os.stat("out.npy").st_mtime_ns == before.st_mtime_ns and left() == ["out.npy"], seen(result))
    clean()


def early_stops():
    """SIGUSR1 while MPI starts: ranks wait for one that is late, and have handlers for nothing yet."""
    jobs = (("conv", SLOW), ("tune", ["tune", "f32:nhwc:n1:8x9x16:k3x3", "--wisdom", "early.jsonl", "--threads", 1]))
    for name, job in jobs:
        process = start_ranks(3, *job, rank=2, before="sleep 2")
        early = []
        while process.poll() is None and len(early) < 2:
            early = [pid for pid in children(process) if os.path.realpath(f"/proc/{pid}/exe") == cli_support.program]
            time.sleep(0.01)
        time.sleep(0.7)
        for pid in early:
            os.kill(pid, signal.SIGUSR1)
        result = end_ranks(process, job)
        check(f"{name}: SIGUSR1 while MPI starts: 75", result.returncode == 75 and "--resume goes on" in result.stderr,
              seen(result))
    check("early stop: no output", not os.path.exists("out.npy"), left())
    result = run_ranks(2, *SLOW, "--resume")
    whole = digest() if check("early stop: resumed", result.returncode == 0 and left() == ["out.npy"], seen(result)) else None
    clean()
    run(*SLOW)
    check("early stop: same bits", digest() == whole)
    clean()
    bench = ["bench", "f32:nhwc:n64:112x112x32:k9x9", "--min-time", 60]
    process = start_ranks(2, *bench)
    time.sleep(2)
    process.send_signal(signal.SIGUSR1)
    result = end_ranks(process, bench)
    check("a command that does not stop on request is ended by the signal", result.returncode not in (0, 75), seen(result))


def crc32c(data):
    value = 0xffffffff
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (0x82f63b78 if value & 1 else 0)
    return value ^ 0xffffffff


def choose_in_records(path, algorithm, parameters):
    """Writes another winner into the records of a wisdom file."""
    lines = read_bytes(path).decode().splitlines()
    with open(path, "w") as file:
        for line in lines:
            line = re.sub(r'"choice":{"algo":"\w+","params":"[^"]*","revision":\d+',
                          f'"choice":{{"algo":"{algorithm}","params":"{parameters}","revision":1', line)
            line = line[:line.rindex(',"checksum"')]
            file.write(f'{line},"checksum":"{crc32c(line.encode()):08x}"}}\n')


def changed_wisdom():
    """A job that is gone on with keeps its numerics, whatever the wisdom says by then."""
    rng = random.Random(9)
    write_npy("input.npy", (300, 40, 40, 16), [rng.uniform(-1, 1) for _ in range(40 * 40 * 16)] * 300)
    write_npy("filter.npy", (3, 3, 16, 1), [rng.uniform(-1, 1) for _ in range(9 * 16)])
    problem = "f32:nhwc:n300:40x40x16:k3x3"
    result = run("tune", problem, "--wisdom", "changed.jsonl", "--threads", 1)
    check("changed wisdom: tuned", result.returncode == 0, seen(result))
    job = [*JOB, "--wisdom", "changed.jsonl", "--chunk-images", 1, "--checkpoint", 0.005, "--json"]
    first = json.loads(run(*job).stdout)
    direct = digest()
    clean()
    before = read_bytes("changed.jsonl")
    result = run("bench", problem, "--algo", "winograd", "--min-time", 0, "--offsets", 0, "--format", "jsonl")
    choose_in_records("changed.jsonl", "winograd", json.loads(result.stdout)["params"])
    second = json.loads(run(*job).stdout)
    whole = digest()
    clean()
    # "near": the record names a kernel's revision, which may be an older one
    check("changed wisdom: other numerics", (first["algo"], second["algo"]) == ("direct", "winograd")
          and second["source"] in ("record", "near") and direct != whole, (first, second))
    result = stop(signal.SIGUSR1, 3, 2, *job)
    check("changed wisdom: stopped", result.returncode == 75, seen(result))
    with open("changed.jsonl", "wb") as file:
        file.write(before)
    result = run_ranks(4, *job, "--resume")
    check("changed wisdom: resumed with the numerics it began with", result.returncode == 0 and digest() == whole
          and json.loads(result.stdout)["algo"] == "winograd", seen(result))
    clean()


def tuning():
    """Problems divided over ranks, one file of records."""
    problems = [f"f32:nhwc:n1:{size}x9x16:k3x3" for size in range(8, 14)]
    tune = ["tune", *problems, "--wisdom", "w.jsonl", "--threads", 1]
    result = run_ranks(3, *tune, "--json", rank=1, before="taskset -cp 0 $$ >/dev/null")
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    check("tune: every problem once", result.returncode == 0 and sorted(row["problem"] for row in rows) ==
          sorted(problem + ":s1x1:d1x1:m1:same" for problem in problems), seen(result))
    with open("w.jsonl") as file:
        records = [json.loads(line) for line in file if '"key"' in line]
    check("tune: and recorded, beside the calibration", len(records) == len(problems) + 1, len(records))
    again = run_ranks(2, *tune, "--resume", "--json")
    check("tune --resume: nothing is raced again", again.returncode == 0 and again.stdout.count('"source":"record"') +
          again.stdout.count('"source": "record"') == len(problems), seen(again))
    check("tune: no journal is left", not glob.glob("w.jsonl.*.journal"), os.listdir("."))
    result = run_ranks(3, "tune", *problems, "f32:nhwc:n1:2x2x2:k5x5:valid", "--wisdom", "w.jsonl")
    ours = [line for line in result.stderr.splitlines() if line.startswith("dwconv")]
    check("tune: a bad problem is one line", result.returncode == 2 and len(ours) == 1, seen(result))
    process = start_ranks(2, "tune", *problems, "--wisdom", "x.jsonl", "--effort", "exhaustive", "--threads", 1)
    while process.poll() is None and not any("f32:" in open(path).read() for path in glob.glob("x.jsonl.*.journal")):
        time.sleep(0.01)
    process.send_signal(signal.SIGUSR1)
    result = end_ranks(process, tune)
    check("tune: SIGUSR1 stops it, 75", result.returncode == 75 and "--resume goes on" in result.stderr, seen(result))


def benchmarks():
    """Rows of all ranks together."""
    bench = ["bench", "f32:nhwc:n7:9x9x8:k3x3", "--min-time", 0, "--offsets", 0, "--format", "jsonl", "--verify"]
    result = run_ranks(3, *bench)
    row = json.loads(result.stdout or "{}")
    check("bench: one row of three ranks", result.returncode == 0 and row["ranks"] == 3 and row["verified"] is True
          and row["problem"].startswith("f32:nhwc:n7:"), seen(result))
    result = run_ranks(3, *bench, "--scaling", "weak")
    row = json.loads(result.stdout or "{}")
    check("bench --scaling weak: three times the images", row["problem"].startswith("f32:nhwc:n21:"), seen(result))
    if library:
        result = run_ranks(3, *bench, rank=2, before=f"export LD_PRELOAD={library} DWC_TEST_FAULT=execute:0:0")
        check("bench: a wrong result on one rank is seen", result.returncode == 1 and '"verified":false' in result.stdout
              and "failed the verification" in result.stderr, seen(result))
    expect_failure("bench: fewer images than ranks", 2, ["n2", "fewer images", "--scaling weak"], 3, "bench",
                   "f32:nhwc:n2:9x9x8:k3x3")


def doctor():
    """What `dwconv info` sees of the ranks."""
    result = run_ranks(3, "info", "--mpi", "--json", environment={"OMPI_MCA_hwloc_base_binding_policy": "none"})
    seen_of = json.loads(result.stdout or "{}").get("mpi", {})
    cores = len(os.sched_getaffinity(0))
    check("info: three ranks on one node", (seen_of.get("ranks"), seen_of.get("nodes"), seen_of.get("sharing_cores")) == (3, 1, 3)
          and "mpirun" in seen_of["launcher"] and seen_of["link_gbps"] > 0, seen(result))
    check("info: oversubscription is said", bool(seen_of["advice"]) == (cores < 3), seen_of)
    os.makedirs("elsewhere/sub", exist_ok=True)
    os.makedirs("sub", exist_ok=True)
    good = run_ranks(2, "info", "--shared", "sub", "--json")
    check("info: a shared directory", json.loads(good.stdout)["mpi"]["shared"] == "seen by all ranks", seen(good))
    for folder in ("elsewhere", "/"):
        bad = run_ranks(2, "info", "--shared", "sub", "--json", rank=1, before=f"cd {folder}")
        check(f"info: a directory that rank 1 sees elsewhere ({folder})", bad.returncode == 0 and
              "rank 1 of 2" in json.loads(bad.stdout)["mpi"]["shared"], seen(bad))
    check("info: no probe is left", os.listdir("sub") == [] and os.listdir("elsewhere/sub") == [])


arguments = begin()
mpirun, library = arguments[0], arguments[1] if arguments[1] != "none" else None
kill_count, kill_seed = (int(word) for word in arguments[2:] or (10, 1))
usage()
same_bits(1)
numbers_of_images()
bands()
instruction_sets()
faults()
different_files()
stopped_jobs(kill_count, kill_seed)
early_stops()
changed_wisdom()
tuning()
benchmarks()
doctor()
finish()
