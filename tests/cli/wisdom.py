# SPDX-License-Identifier: Apache-2.0
"""What tuning.py leaves out: every candidate of every algorithm explained, options that go together, signals and what
comes after, merges of damaged files, pruning, the search path, and files that can be read but not written.

    python3 wisdom.py PATH_OF_DWCONV
"""

import json
import os
import pathlib
import signal
import time

from cli_support import begin, check, expect_error, finish, run, seen, start, succeeds

SMALL = "f32:nhwc:n1:9x10x20:k3x3"
STRIDED = "f32:nhwc:n1:9x10x20:k3x3:s2"
ONE = ["--threads", "1"]
UNWRITABLE = "/proc/none/w.jsonl"  # also for root


def rows_of(result):
    return [json.loads(line) for line in result.stdout.splitlines()]


def lines(path):
    """The records of a file, header and calibration aside, as text."""
    return [line for line in pathlib.Path(path).read_text().splitlines()[1:] if '"key":"calibration"' not in line]


def write_lines(path, header_of, texts):
    header = pathlib.Path(header_of).read_text().splitlines()[0]
    pathlib.Path(path).write_text("\n".join([header, *texts]) + "\n")


def change(path, to, old, new):
    """A copy with a text replaced in every record, signed again."""
    texts = [text.replace(old, new) for text in lines(path)]
    check(f"{path} has {old}", texts != lines(path))
    write_lines(to, path, texts)
    run("wisdom", "verify", "--accept", "--wisdom", to)


def make_records():
    rows = rows_of(succeeds("tune", "tune", SMALL, STRIDED, *ONE, "--json", "--wisdom", "a.jsonl"))
    names = ["problem", "algo", "params", "source", "effort", "complete", "tie", "tried", "legal", "rounds", "median_s",
             "default_ratio", "spent_s", "threads"]
    check("a row's fields", all(list(row) == names for row in rows), rows)
    check("a row's values", all(row["source"] == "measured" and 1 < row["tried"] <= row["legal"] and row["rounds"] > 0
                                and row["median_s"] > 0 and row["threads"] == 1 for row in rows), rows)
    with open("layers.csv", "w") as file:
        file.write("network,layer,H,W,C,kh,kw,sh,sw,dh,dw,M,padding\nNet,one,9,10,20,3,3,1,1,1,1,1,SAME\n")
    rows = rows_of(succeeds("a shape file", "tune", "--shapes", "layers.csv", "--batch", "1,2", *ONE, "--json", "--resume",
                            "--wisdom", "a.jsonl"))
    check("network and layer; a batch of the same class finds the record", [
        (row["network"], row["layer"], row["source"]) for row in rows] == [("Net", "one", "record")] * 2, rows)
    text = succeeds("tune as text", "tune", SMALL, SMALL, *ONE, "--resume", "--wisdom", "a.jsonl").stdout
    check("a line per problem, duplicates too", text.count("\n") == 2 and text.count("record") == 2
          and all(word in text for word in (SMALL, "the default", "rounds", "tried", " us")), text)


def show():
    calibration, *rows = rows_of(succeeds("show --json", "wisdom", "show", "--json", "--wisdom", "a.jsonl"))
    check("show --json: the calibration", calibration["key"] == "calibration" and calibration["entries"][0]["min_s"] > 0, calibration)
    check("show --json: a record a line", [row["threads"] for row in rows] == [1, 1] and all(
        row["algo"] == row["entries"][0]["algo"] and row["batch"] == "resident" and row["machine"] and row["date"]
        for row in rows), rows)
    rows = rows_of(succeeds("show PROBLEM", "wisdom", "show", STRIDED.replace("n1", "n3"), "--json", "--wisdom", "a.jsonl"))
    check("show PROBLEM: its records only", [row["problem"] for row in rows] == [STRIDED + "x2:d1x1:m1:same"], rows)


def explain_all():
    """Each candidate that bench lists for each algorithm has a row with a reason."""
    report = json.loads(succeeds("explain --json", "wisdom", "explain", SMALL, *ONE, "--json", "--wisdom", "a.jsonl").stdout)
    explained = {(row["algo"], row["params"]): row for row in report["candidates"]}
    listed = set()
    for algo in json.loads(run("info", "--algos", "--json").stdout)["algos"]:
        if algo not in report["only_by_name"]:
            result = run("bench", SMALL, "--algo", algo, "--params", "all", "--min-time", 0, "--offsets", 0, "--format",
                         "jsonl")
            listed |= {(row["algo"], row["params"]) for row in rows_of(result)}
    check("explain has all candidates of all algorithms", len(listed) > 20 and listed <= explained.keys(),
          listed - explained.keys())
    check("no row without a reason", all(row["verdict"] for row in explained.values()), report)
    check("one is chosen, the first, and it is the plan's", [
        (row["rank"], row["algo"], row["params"]) for row in explained.values() if row["verdict"] == "chosen"
    ] == [(1, report["algo"], report["params"])], report)
    check("by the record", report["source"] == report["found"] == "record" and report["record"]["tried"] > 1, report)
    raced = [row for row in explained.values() if row["rounds"]]
    check("the raced ones have times, the others ranks of the model", len(raced) == report["record"]["tried"] and all(
        row["median_s"] > 0 and row["low"] <= row["ratio"] <= row["high"] for row in raced) and all(
        "not raced" in row["verdict"] or "breaks" in row["verdict"] or row["verdict"] == "only NCHW"
        for row in explained.values() if not row["rounds"]), report)
    slower = [row for row in raced if row["verdict"].startswith("slower by ")]
    check("slower by its ratio", slower and all(
        abs(float(row["verdict"].split()[2]) - 100 * (row["ratio"] - 1)) < 0.06 for row in slower), slower)

    text = run("wisdom", "explain", SMALL, *ONE, "--numerics", "direct", "--wisdom", "a.jsonl").stdout
    check("a limit that is broken", "breaks a limit: numerics" in text, text)
    text = run("wisdom", "explain", SMALL, *ONE, "--bands", "--wisdom", "a.jsonl").stdout
    check("--bands", "bands" in text or "im2col_gemm (" not in text, text)
    text = run("wisdom", "explain", SMALL, "--threads", "2", "--wisdom", "a.jsonl").stdout
    check("another number of threads is near", "near" in text and "chosen by: near" in text, text)


def explain_made_up():
    """Verdicts that a race seldom gives, by an edited record: of the candidates of direct, in their fixed order, the
    middle one becomes the choice."""
    listed = [row["params"] for row in rows_of(run("bench", SMALL, "--algo", "direct", "--params", "all", "--min-time", 0,
                                                   "--offsets", 0, "--format", "jsonl"))]
    record = json.loads(next(text for text in lines("a.jsonl") if SMALL in text and ":s1x1" in text))
    entries = sorted((entry for entry in [record["choice"], *record["runners_up"]] if entry["algo"] == "direct"),
                     key=lambda entry: listed.index(entry["params"]))
    earlier, choice, later, wrong, old, slow, unsure = entries[0], entries[2], *entries[3:8]
    choice.update(rounds=31, ratio=1, low=1, high=1)
    for entry in (earlier, later, old):
        entry.update(rounds=31, ratio=1.001, low=0.99, high=1.02)
    wrong.update(rounds=0, max_err=0.5)
    old["revision"] += 1
    slow.update(rounds=31, ratio=1.25, low=1.2, high=1.3)
    unsure.update(rounds=31, ratio=1.08, low=0.99, high=1.3)
    record.update(choice=choice, runners_up=[earlier, later, wrong, old, slow, unsure], tie=True, complete=True)
    verdicts = made_up(record)
    check("verdicts: chosen, ties, wrong, older kernel, slower", [
        verdicts["direct", entry["params"]] for entry in (choice, earlier, later, wrong, old, slow, unsure)] == [
        "chosen", "tie: not faster with certainty than what the model chose", "tie: as fast, later in the fixed order",
        "wrong result: max_err 0.5", "raced with an older kernel", "slower by 25.0 %",
        "looks slower by 8.0 %, not with certainty"], verdicts)
    record.update(tie=False, complete=False)
    check("verdict: undecided", made_up(record)["direct", later["params"]] == "undecided: the time was up")
    record["runners_up"][0]["params"] = "rows=1"
    check("verdict: no candidate", made_up(record)["direct", "rows=1"] == "no candidate of this build")


def made_up(record):
    """The verdicts by this record, which is signed first."""
    write_lines("made.jsonl", "a.jsonl", [json.dumps(record, separators=(",", ":"))])
    succeeds("sign it", "wisdom", "verify", "--accept", "--wisdom", "made.jsonl")
    report = json.loads(run("wisdom", "explain", SMALL, *ONE, "--json", "--wisdom", "made.jsonl").stdout)
    return {(row["algo"], row["params"]): row["verdict"] for row in report["candidates"]}


def stray_options():
    for action, option in (("show", "--threads=2"), ("show", "--numerics=direct"), ("verify", "--json"),
                           ("verify", "--max-error=1"), ("verify", "--max-workspace=0"), ("prune", "--accept"),
                           ("verify", "--incomplete"), ("show", "--other-machines"), ("prune", "--strict-nonfinite"),
                           ("verify", "--bands")):
        expect_error(f"{action} {option}", 2, [option.split("=")[0], action], "wisdom", action, option)
    for words in (["show", SMALL, SMALL], ["explain"], ["explain", SMALL, SMALL], ["merge"], ["merge", "a.jsonl"],
                  ["diff", "a.jsonl"], ["diff", "a.jsonl", "a.jsonl", "a.jsonl"], ["verify", "x"], ["prune", "x"]):
        expect_error(" ".join(words), 2, words[0], "wisdom", *words)
    expect_error("no action", 2, "ACTION is missing", "wisdom")
    expect_error("bad problem", 2, "f32:x", "wisdom", "explain", "f32:x")
    for action in (["show"], ["verify"], ["prune"], ["explain", SMALL]):
        expect_error(f"{action[0]} of a file that is not there", 1, "none.jsonl", "wisdom", *action, "--wisdom", "none.jsonl")
    expect_error("no such file to plan by", 1, "none.jsonl", "bench", SMALL, "--wisdom", "none.jsonl")
    for option in (["--effort", "measure"], ["--effort", "wisdom"], ["--wisdom", "a.jsonl"]):
        expect_error(f"bench {option} without auto", 2, option[0], "bench", SMALL, "--algo", "direct,reference", *option)
    expect_error("tune: no output", 2, "no output", "tune", SMALL, "f32:nhwc:n0:5x5x5:k3", "--wisdom", "z.jsonl")
    expect_error("tune: --batch without --shapes", 2, "--batch", "tune", SMALL, "--batch", "3", "--wisdom", "z.jsonl")
    expect_error("tune: a limit that the last problem cannot keep, before the first is raced", 2, [SMALL, "max_error"], "tune",
                 SMALL.replace("f32", "f64"), SMALL, "--max-error", "1e-10", "--wisdom", "z.jsonl")


def efforts():
    bench = ["bench", SMALL, "--min-time", 0, "--offsets", 0, "--format", "jsonl"]
    row = rows_of(succeeds("bench --effort wisdom", *bench, "--effort", "wisdom", "--wisdom", "a.jsonl"))[0]
    check("bench by the record", row["source"] == "record", row)
    expect_error("bench --effort wisdom without", 1, "record", *bench, "--effort", "wisdom")
    sources = [row["source"] for row in rows_of(
        succeeds("bench --effort measure", *bench, "--algo", "auto,direct", "--effort", "measure", "--wisdom", "e.jsonl"))]
    check("bench measures auto only, and keeps it", sources == ["measured", "explicit"] and len(lines("e.jsonl")) == 1,
          sources)
    result = run("tune", SMALL, STRIDED, *ONE, "--strict", "--budget", "1e-6", "--wisdom", "strict.jsonl")
    check("--strict: no answer without measuring", result.returncode == 1 and result.stdout == ""
          and "2 of 2 problems" in result.stderr and result.stderr.count("\n") == 1, seen(result))


def signals():
    """Each signal stops with records kept; --resume does the rest; a second one kills."""
    problems = [f"f32:nhwc:n1:20x20x{8 * i}:k5x5" for i in range(1, 31)]
    for number in (signal.SIGTERM, signal.SIGHUP):
        path = f"{number.name}.jsonl"
        process = start("tune", *problems, *ONE, "--json", "--wisdom", path)
        first = process.stdout.readline()
        process.send_signal(number)
        out, err = process.communicate(timeout=120)
        done = len((first + out).splitlines())
        check(f"{number.name}: 75, what is done is kept", process.returncode == 75 and 1 <= done == len(lines(path)) < 30
              and f"stopped after {done} of 30 problems" in err.decode(), (process.returncode, done, err))
    rows = rows_of(succeeds("--resume", "tune", *problems, *ONE, "--json", "--resume", "--wisdom", path))
    sources = [row["source"] for row in rows]
    check("--resume races the rest only", sources == ["record"] * done + ["measured"] * (30 - done), sources)
    succeeds("calibrated", "tune", SMALL, *ONE, "--wisdom", "k.jsonl")  # which nothing stops
    process = start("tune", "f32:nhwc:n1:224x224x128:k7x7", *ONE, "--effort", "patient", "--resume", "--wisdom", "k.jsonl")
    time.sleep(0.6)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=120)
    check("a race ends in the middle", process.returncode == 75 and out == b"" and b"0 of 1" in err, (out, err))
    # An execution takes seconds: the first signal is honoured after one, the second at once.
    process = start("tune", "f32:nhwc:n1:224x224x512:k31x31", *ONE, "--effort", "exhaustive", "--resume", "--wisdom", "k.jsonl")
    time.sleep(2)
    process.send_signal(signal.SIGTERM)
    time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=120)
    check("a second signal kills", process.returncode in (-signal.SIGINT, -signal.SIGTERM), process.returncode)


def merges():
    write_lines("first.jsonl", "a.jsonl", lines("a.jsonl")[:1])
    write_lines("second.jsonl", "a.jsonl", [lines("a.jsonl")[0][:150], lines("a.jsonl")[1]])
    result = run("wisdom", "merge", "out.jsonl", "first.jsonl", "second.jsonl")
    check("a damaged input is a warning, the rest is used", result.returncode == 0 and "out.jsonl: 2 records" in result.stdout
          and result.stderr.startswith("dwconv wisdom: warning: second.jsonl: 1 damaged record, line 2")
          and result.stderr.count("\n") == 1, seen(result))
    expect_error("an input that is not there", 1, "none.jsonl", "wisdom", "merge", "new.jsonl", "a.jsonl", "none.jsonl")
    succeeds("--wisdom is one more file", "wisdom", "merge", "more.jsonl", "--wisdom", "a.jsonl")
    check("merged", sorted(lines("more.jsonl")) == sorted(lines("a.jsonl")))
    succeeds("the same records", "wisdom", "diff", "more.jsonl", "--wisdom", "a.jsonl")
    result = run("wisdom", "diff", "a.jsonl", "first.jsonl")
    check("diff: only in one", result.returncode == 1 and result.stdout.count("\n") == 1
          and result.stdout.startswith("only in a.jsonl: ") and not result.stderr, seen(result))
    check("diff: only in the other", run("wisdom", "diff", "first.jsonl", "a.jsonl").stdout.startswith("only in a.jsonl: "))
    choice = json.loads(lines("first.jsonl")[0])["choice"]["params"]
    change("first.jsonl", "other.jsonl", f'"params":"{choice}"', '"params":"rows=1,columns=1,block=0,stage=0,prefetch=0,'
           'nontemporal=0"')
    result = run("wisdom", "diff", "first.jsonl", "other.jsonl")
    check("diff: another choice", result.returncode == 1 and result.stdout.startswith("differ: ")
          and "rows=1,columns=1" in result.stdout and choice in result.stdout, seen(result))


def verify_and_prune():
    algo = '"algo":"direct"'
    for name, old, new, word in (("unknown", algo, '"algo":"frob"', "no algorithm 'frob'"),
                                 ("older", '"revision":', '"revision":9', "has changed since"),
                                 ("illegal", '"params":"rows=', '"params":"rows=77777777', "rows")):
        change("first.jsonl", f"{name}.jsonl", old, new)
        result = run("wisdom", "verify", "--wisdom", f"{name}.jsonl")
        check(f"verify: {name}", result.returncode == 1 and word in result.stdout and "1 finding" in result.stdout
              and not result.stderr, seen(result))
        result = run("wisdom", "prune", "--wisdom", f"{name}.jsonl")
        check(f"prune: {name}", result.returncode == 0 and "removed 1 record, kept 0" in result.stdout
              and not lines(f"{name}.jsonl"), seen(result))
    change("first.jsonl", "cut.jsonl", '"complete":true', '"complete":false')
    check("an undecided race stays", "kept 1" in run("wisdom", "prune", "--wisdom", "cut.jsonl").stdout)
    check("or goes", "removed 1" in run("wisdom", "prune", "--incomplete", "--wisdom", "cut.jsonl").stdout)
    succeeds("a good file", "wisdom", "verify", "--wisdom", "a.jsonl")
    before = pathlib.Path("a.jsonl").read_bytes()
    check("prune leaves it as it is", "removed 0" in run("wisdom", "prune", "--wisdom", "a.jsonl").stdout
          and pathlib.Path("a.jsonl").read_bytes() == before)


def search_path():
    section = json.loads(succeeds("info", "info", "--wisdom", "--json").stdout)["wisdom"]
    check("the user's file, not there", section["user"] == os.path.abspath("state/dwconv/wisdom.jsonl")
          and section["user_exists"] is False and section["user_records"] == 0 and section["site"], section)
    section = json.loads(succeeds("info", "info", "--wisdom", "--json", environment={"DWC_WISDOM": "a.jsonl"}).stdout)
    check("DWC_WISDOM", section["wisdom"]["user"] == "a.jsonl" and section["wisdom"]["user_exists"] is True
          and section["wisdom"]["user_records"] == 3, section)
    nowhere = {"HOME": "", "XDG_STATE_HOME": ""}
    expect_error("no file at all", 1, "HOME", "wisdom", "show", environment=nowhere)
    rows = rows_of(succeeds("tune without a file", "tune", SMALL, *ONE, "--json", environment=nowhere))
    check("it works all the same", rows[0]["source"] == "measured", rows)
    check("nothing was written", not os.path.exists("state"))


def unwritable():
    result = run("tune", SMALL, *ONE, "--json", "--wisdom", UNWRITABLE)
    check("a named file that cannot be written: results, a warning, and an error at the end", result.returncode == 1
          and rows_of(result)[0]["source"] == "measured" and result.stderr.count("\n") == 2
          and result.stderr.splitlines()[0].startswith("dwconv tune: warning: ")
          and result.stderr.splitlines()[1].startswith(f"dwconv tune: {UNWRITABLE}: "), seen(result))
    result = run("bench", SMALL, "--min-time", 0, "--offsets", 0, "--effort", "measure", environment={"DWC_WISDOM": UNWRITABLE})
    check("bench: one warning", result.returncode == 0 and result.stderr.count("\n") == 1
          and result.stderr.startswith("dwconv bench: warning: "), seen(result))


begin()
make_records()
search_path()
show()
explain_all()
explain_made_up()
stray_options()
efforts()
signals()
merges()
verify_and_prune()
unwritable()
finish()
