# SPDX-License-Identifier: Apache-2.0
"""dwconv tune and dwconv wisdom: records made, found, explained, checked, merged and pruned; what is refused; what
happens to damaged and unwritable files, and to a tuning that is stopped."""

import json
import os
import pathlib
import signal
import time

from cli_support import *

SMALL = "f32:nhwc:n1:9x10x20:k3x3"
OTHER = "f32:nhwc:n1:8x8x16:k3x3"
KEY = "f32:nhwc:n1:9x10x20:k3x3:s1x1:d1x1:m1:same"


def records(path):
    """The records of a file by key, but for the machine's calibration."""
    lines = [json.loads(line) for line in pathlib.Path(path).read_text().splitlines()]
    return {record["key"]: record for record in lines if ":" in record.get("key", "")}


def calibrated(path):
    """When the machine's calibration was made; None: there is none."""
    lines = [json.loads(line) for line in pathlib.Path(path).read_text().splitlines()]
    return next((line["date"] for line in lines if line.get("key") == "calibration"), None)


def only(path):
    found = records(path)
    check(f"{path} has one record", len(found) == 1, found.keys())
    return next(iter(found.values()))


def tune_and_use():
    result = succeeds("tune", "tune", SMALL, "--threads", 1, "--json", "--wisdom", "a.jsonl")
    row = json.loads(result.stdout)
    record = only("a.jsonl")
    check("the row says what the record says", row["problem"] == KEY and row["source"] == "measured"
          and row["algo"] == record["choice"]["algo"] and row["params"] == record["choice"]["params"]
          and row["tried"] == record["tried"] > 1 and row["effort"] == record["effort"] == "measure", (row, record))
    check("no journal is left", not [n for n in os.listdir(".") if n.endswith(".journal")], os.listdir("."))

    write_npy("in.npy", (1, 9, 10, 20), [i % 7 - 3 for i in range(1800)])
    write_npy("filter.npy", (3, 3, 20, 1), [i % 5 - 2 for i in range(180)])
    conv = ("conv", "--input", "in.npy", "--filter", "filter.npy", "--threads", 1, "--json", "--force")
    said = json.loads(succeeds("conv with the record", *conv, "--output", "o.npy", "--wisdom", "a.jsonl").stdout)
    check("conv plans by the record", said["source"] == "record" and said["algo"] == row["algo"]
          and said["params"] == row["params"], said)
    succeeds("conv --effort wisdom", *conv, "--output", "o.npy", "--wisdom", "a.jsonl", "--effort", "wisdom")
    said = json.loads(succeeds("conv without", *conv, "--output", "p.npy").stdout)
    check("without records the model chooses", said["source"] == "model", said)
    check("both outputs are the same", read_npy("o.npy")[2] == read_npy("p.npy")[2])
    expect_error("--effort wisdom without a record", 1, "record", *conv, "--output", "q.npy", "--effort", "wisdom")
    said = json.loads(succeeds("conv --effort measure", *conv, "--output", "o.npy", "--effort", "measure").stdout)
    check("conv measured", said["source"] == "measured", said)
    said = json.loads(succeeds("conv once more", *conv, "--output", "o.npy").stdout)
    check("and finds its own record, in the default file", said["source"] == "record", said)
    rows = succeeds("bench", "bench", SMALL, "--wisdom", "a.jsonl", "--min-time", 0, "--offsets", 0, "--format", "jsonl")
    check("bench plans by the record", json.loads(rows.stdout)["source"] == "record", rows.stdout)
    check("no file lies where none was asked for", os.path.exists("state/dwconv/wisdom.jsonl"))


def resume_and_budget():
    date, before = only("a.jsonl")["date"], calibrated("a.jsonl")
    time.sleep(1.1)
    result = succeeds("--resume", "tune", SMALL, "--threads", 1, "--resume", "--json", "--wisdom", "a.jsonl")
    check("what is finished is not raced again", json.loads(result.stdout)["source"] == "record"
          and only("a.jsonl")["date"] == date, result.stdout)
    check("nor the machine calibrated again", before and calibrated("a.jsonl") == before, (before, calibrated("a.jsonl")))
    succeeds("without --resume", "tune", SMALL, "--threads", 1, "--wisdom", "a.jsonl")
    check("it is", only("a.jsonl")["date"] > date and calibrated("a.jsonl") > before)
    problems = [f"f32:nhwc:n1:40x40x{8 * i}:k5x5" for i in range(1, 21)]
    result = succeeds("a budget", "tune", *problems, "--budget", 0.001, "--threads", 1, "--json", "--wisdom", "b.jsonl")
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    check("every problem is answered", [r["problem"].split(":s1")[0] for r in rows] == problems
          and all(r["algo"] and r["source"] in ("model", "measured") for r in rows), rows)
    succeeds("a small budget", "tune", SMALL, "--budget", 5, "--threads", 1, "--wisdom", "small.jsonl")
    check("none of it goes to a calibration", calibrated("small.jsonl") is None and only("small.jsonl"))


def stop():
    problems = [f"f32:nhwc:n1:30x30x{i}:k5x5" for i in range(8, 208)]
    process = start("tune", *problems, "--threads", 1, "--effort", "exhaustive", "--json", "--wisdom", "s.jsonl")
    first = process.stdout.readline()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=120)
    done = (first + out).decode().splitlines()
    check("a stopped tuning exits with 75 and one line", process.returncode == 75
          and err.decode().count("\n") == 1 and "--resume" in err.decode(), (process.returncode, err))
    check("it keeps what it finished", 1 <= len(done) < 200 and len(records("s.jsonl")) == len(done), len(done))


def explain():
    listed = succeeds("bench --params all", "bench", SMALL, "--algo", "direct", "--params", "all", "--min-time", 0,
                      "--offsets", 0, "--format", "jsonl").stdout.splitlines()
    text = succeeds("explain", "wisdom", "explain", SMALL, "--threads", 1, "--wisdom", "a.jsonl").stdout
    missing = [p for p in (json.loads(row)["params"] for row in listed) if p not in text]
    check("explain names every candidate", len(listed) > 10 and not missing, missing)
    check("and says why they lost", "chosen" in text and "slower by" in text and "not raced" in text, text)
    check("and which algorithms do not apply", "reference" in text, text)
    text = succeeds("explain NCHW", "wisdom", "explain", "f32:nchw:n1:9x10x20:k3x3", "--threads", 1).stdout
    check("explain without a record", "winograd" in text and "NHWC" in text.upper(), text)


def edit(path, old, new):
    text = pathlib.Path(path).read_text()
    check(f"{path} has {old}", old in text)
    pathlib.Path(path).write_text(text.replace(old, new))


def other_machines():
    machine = only("a.jsonl")["machine"]
    pathlib.Path("m.jsonl").write_bytes(read_bytes("a.jsonl"))
    edit("m.jsonl", machine, "Somebody-6-1-avx2-32K-1M-8M")
    result = run("wisdom", "verify", "--wisdom", "m.jsonl")
    check("verify finds the edited record", result.returncode == 1 and "checksum" in result.stdout, seen(result))
    conv = ("conv", "--input", "in.npy", "--filter", "filter.npy", "--threads", 1, "--json", "--force", "--output",
            "n.npy", "--wisdom", "m.jsonl")
    result = run(*conv)
    check("an unsigned record is reported and not used", result.returncode == 0 and "warning" in result.stderr
          and result.stderr.count("\n") == 1 and json.loads(result.stdout)["source"] == "model", seen(result))
    succeeds("verify --accept", "wisdom", "verify", "--accept", "--wisdom", "m.jsonl")
    result = run(*conv)
    check("another machine's record is near, with a warning", result.returncode == 0
          and json.loads(result.stdout)["source"] == "near" and result.stderr.count("\n") == 1
          and "warning: f32:" in result.stderr and "another kind of machine" in result.stderr, seen(result))
    expect_error("and no wisdom", 1, "record", *conv, "--effort", "wisdom")
    succeeds("prune", "wisdom", "prune", "--other-machines", "--wisdom", "m.jsonl")
    check("prune removes it", not records("m.jsonl"))


def merge_and_diff():
    succeeds("another file", "tune", OTHER, "--threads", 1, "--wisdom", "c.jsonl")
    succeeds("diff of equals", "wisdom", "diff", "a.jsonl", "a.jsonl")
    result = run("wisdom", "diff", "a.jsonl", "c.jsonl")
    check("diff", result.returncode == 1 and KEY in result.stdout, seen(result))
    succeeds("merge", "wisdom", "merge", "both.jsonl", "a.jsonl", "c.jsonl")
    check("the union", len(records("both.jsonl")) == 2)
    before = read_bytes("both.jsonl")
    succeeds("merge again", "wisdom", "merge", "both.jsonl", "c.jsonl", "a.jsonl")
    check("changes nothing", read_bytes("both.jsonl") == before)
    shown = succeeds("show", "wisdom", "show", "--wisdom", "both.jsonl").stdout
    check("show lists both", "9x10x20" in shown and "8x8x16" in shown, shown)

    lines = before.split(b"\n")
    pathlib.Path("bad.jsonl").write_bytes(b"\n".join([lines[0], lines[1], lines[2][:200], *lines[3:]]))
    result = run("wisdom", "show", "--wisdom", "bad.jsonl")
    check("a damaged line costs that record only", result.returncode == 0 and "bad.jsonl" in result.stderr
          and ("9x10x20" in result.stdout) != ("8x8x16" in result.stdout), seen(result))
    result = run("wisdom", "verify", "--wisdom", "bad.jsonl")
    check("verify says so", result.returncode == 1 and "bad.jsonl" in result.stdout + result.stderr, seen(result))


def unwritable():
    pathlib.Path("file").write_text("")
    result = run("tune", SMALL, "--threads", 1, "--json", environment={"XDG_STATE_HOME": os.path.abspath("file")})
    check("a default file that cannot be written: one warning", result.returncode == 0
          and json.loads(result.stdout)["source"] == "measured" and result.stderr.count("\n") == 1, seen(result))
    result = run("tune", SMALL, "--threads", 1, "--json", "--wisdom", "file/w.jsonl")
    check("one that was asked for: failed", result.returncode == 1 and "file/w.jsonl" in result.stderr, seen(result))


def refused():
    expect_error("no problem", 2, "problem", "tune", "--wisdom", "z.jsonl")
    expect_error("a bad problem", 2, "f99", "tune", SMALL, "f99:nhwc:n1:1x1x1:k1", "--wisdom", "z.jsonl")
    for option in (("--effort", "estimate"), ("--budget", "-1"), ("--threads", "0"), ("--max-error", "x")):
        expect_error(f"tune {option}", 2, option[0], "tune", SMALL, "--wisdom", "z.jsonl", *option)
    expect_error("no such action", 2, "polish", "wisdom", "polish")
    expect_error("explain what?", 2, "", "wisdom", "explain")
    expect_error("merge of nothing", 1, "none.jsonl", "wisdom", "merge", "out.jsonl", "none.jsonl")
    expect_error("an algorithm's name and an effort", 2, "--effort", "conv", "--input", "in.npy", "--filter",
                 "filter.npy", "--output", "x.npy", "--algo", "direct", "--effort", "measure")


def main():
    shipped = begin()
    tune_and_use()
    resume_and_budget()
    stop()
    explain()
    other_machines()
    merge_and_diff()
    unwritable()
    refused()
    for path in shipped:
        check(f"{path} reads well", "0 findings" in run("wisdom", "verify", "--wisdom", path).stdout)
    finish()


main()
