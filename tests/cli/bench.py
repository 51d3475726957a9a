# SPDX-License-Identifier: Apache-2.0
"""dwconv bench as a command: rows, columns, formats, shape files, verification, bad input. No time is judged.

    python3 bench.py PATH_OF_DWCONV [PATH_OF_FAULT_LIBRARY]
"""

import csv
import io
import json
import os

from cli_support import begin, check, expect_error, finish, read_bytes, run, seen, succeeds

COLUMNS = ["problem", "algo", "params", "isa", "threads", "ranks", "cache", "offset", "reps", "time_min_s", "time_median_s",
           "gflops", "gbps", "limit_s", "limit_by", "fraction", "verified", "max_err", "tol", "source", "time_best_offset_s"]
HEADER = "network,layer,H,W,C,kh,kw,sh,sw,dh,dw,M,padding\n"
SMALL = "f32:nhwc:n1:5x6x7:k3x3:s1x1:d1x1:m1:same"
FAST = ["--min-time", "0"]


def plausible(row):
    times = 0 < row["time_min_s"] <= row["time_median_s"]
    fraction = abs(row["fraction"] * row["time_median_s"] / row["limit_s"] - 1) < 1e-6
    return times and fraction and row["limit_by"] in ("arithmetic", "memory") and row["reps"] >= 3 and row["gbps"] > 0


def formats():
    rows = [json.loads(line) for line in
            succeeds("json lines", "bench", SMALL, "f64:nchw:n2:4x4x3:k2:m2:valid:bias:relu6", SMALL, *FAST, "--format",
                     "jsonl", "--algo", "direct,reference", "--verify").stdout.splitlines()]
    check("a row per problem and algorithm, in order", [row["problem"] for row in rows] == [SMALL] * 2 + [
        "f64:nchw:n2:4x4x3:k2x2:s1x1:d1x1:m2:valid:bias:relu6"] * 2 + [SMALL] * 2, rows)
    check("the algorithms", [row["algo"] for row in rows] == ["direct", "reference"] * 3, rows)
    names = list(json.loads(succeeds("info", "info", "--algos", "--json").stdout)["algos"])
    every = [json.loads(line)["algo"] for line in
             succeeds("every algorithm", "bench", SMALL, *FAST, "--format", "jsonl", "--algo", "all").stdout.splitlines()]
    check("all: every algorithm that applies", {"direct", "reference"} <= set(every) and
          every == [name for name in names if name in every], [every, names])
    check("the columns", all(list(row) == COLUMNS for row in rows), rows)
    check("the figures", all(map(plausible, rows)), rows)
    check("verified", all(row["verified"] is True and 0 <= row["max_err"] <= row["tol"] for row in rows), rows)
    text = succeeds("csv", "bench", SMALL, *FAST, "--format", "csv", "--cache", "cold", "--offsets", "32,4080").stdout
    table = list(csv.DictReader(io.StringIO(text)))
    check("csv: one row with the columns", len(table) == 1 and list(table[0]) == COLUMNS, text)
    check("csv: what was asked for", table[0]["cache"] == "cold" and table[0]["offset"] in ("32", "4080")
          and table[0]["verified"] == "" and table[0]["source"] == "model", text)
    text = succeeds("table", "bench", SMALL, *FAST).stdout
    check("table: header and row", len(text.splitlines()) == 2 and SMALL in text, text)
    with open("rows.csv", "w") as file:
        file.write("old")
    result = succeeds("to a file", "bench", SMALL, *FAST, "--format", "csv", "--output", "rows.csv")
    check("the file is new and alone", result.stdout == "" and read_bytes("rows.csv").startswith(b"problem,")
          and not os.path.exists("rows.csv.partial"), seen(result))


def shape_files():
    with open("layers.csv", "w") as file:
        file.write(HEADER + "Net,\"a\",4,5,6,3,3,1,2,1,1,2,SAME\r\n\nNet,b,9,9,1,3,3,1,1,2,2,1,1:2:3:4\n")
    rows = [json.loads(line) for line in
            succeeds("shape file", "bench", "--shapes", "layers.csv", "--batch", "1,3", "--dtype", "f32,bf16", "--layout",
                     "nchw", *FAST, "--format", "jsonl", "--verify").stdout.splitlines()]
    want = [f"{dtype}:nchw:n{batch}:{rest}"
            for rest in ("4x5x6:k3x3:s1x2:d1x1:m2:same", "9x9x1:k3x3:s1x1:d2x2:m1:p1,2,3,4")
            for batch in (1, 3) for dtype in ("f32", "bf16")]
    check("every line in every variant", [row["problem"] for row in rows] == want, rows)
    check("network and layer", [row["layer"] for row in rows] == ['"a"'] * 4 + ["b"] * 4
          and all(row["network"] == "Net" and row["verified"] for row in rows), rows)


def bad_input():
    lines = {"1,2": "2 fields", "n,l,4,5,6,3,3,1,1,1,1,1,same": "same", "n,l,4,x,6,3,3,1,1,1,1,1,SAME": "'x'",
             "n,l,4,5,6,0,3,1,1,1,1,1,SAME": "kh", "n,l,4,5,6,9,9,1,1,1,1,1,VALID": "covers 9",
             "n,l,4,5,6,3,3,1,1,1,1,1,1:2:3": "1,2,3", "n,l,4,5,6,3,3,1,1,1,1,1,SAME,": "14 fields"}
    for line, word in lines.items():
        with open("bad.csv", "w") as file:
            file.write(HEADER + "n,l,4,5,6,3,3,1,1,1,1,1,SAME\n" + line + "\n")
        expect_error(f"shape file: {line}", 2, ["bad.csv: line 3", word], "bench", "--shapes", "bad.csv")
    with open("bad.csv", "w") as file:
        file.write("H,W,C\n")
    expect_error("shape file: header", 2, ["bad.csv: line 1", "network,layer"], "bench", "--shapes", "bad.csv")
    open("empty.csv", "w").close()
    expect_error("shape file: empty", 2, "empty.csv: empty", "bench", "--shapes", "empty.csv")
    expect_error("shape file: missing", 1, "no.csv", "bench", "--shapes", "no.csv")
    expect_error("no problem", 2, "no problem given", "bench")
    expect_error("--batch without --shapes", 2, "--batch", "bench", SMALL, "--batch", "3")
    expect_error("bad problem", 2, "f32:nhwc:5x5", "bench", "f32:nhwc:5x5")
    expect_error("no output", 2, "no output", "bench", "f32:nhwc:n0:5x5x5:k3")
    expect_error("unknown algorithm", 2, "'fast'", "bench", SMALL, "--algo", "direct,fast")
    expect_error("unwritable output", 1, "nowhere/rows.csv", "bench", SMALL, "--output", "nowhere/rows.csv")
    for option, values in {"--offsets": ("1", "8", "4096", "16,", "a", ""), "--min-time": ("-1", "x", "1e9", "nan", ""),
                           "--cache": ("hot",), "--format": ("xml",), "--batch": ("1,x", "1,,2"), "--dtype": ("f31",),
                           "--layout": ("NHWC",), "--threads": ("0", "1025")}.items():
        for value in values:
            expect_error(f"{option} '{value}'", 2, option, "bench", SMALL, option, value)


def parameters():
    """--params: rows for a list, rows for all candidates; lists that make no sense."""
    one = "rows=2,columns=1,block=0,stage=0,prefetch=0,nontemporal=0"
    two = "rows=1,columns=2,block=0,stage=3,prefetch=0,nontemporal=1"
    wide = "f32:nhwc:n1:9x9x24:k3"
    rows = [json.loads(line) for line in succeeds("lists", "bench", wide, *FAST, "--algo", "direct", "--params",
                                                  f"{one};{two}", "--format", "jsonl", "--verify").stdout.splitlines()]
    check("a row per list", [row["params"] for row in rows] == [one, two], rows)
    rows = [json.loads(line) for line in succeeds("all", "bench", wide, *FAST, "--algo", "direct", "--params", "all",
                                                  "--format", "jsonl", "--verify").stdout.splitlines()]
    check("a row per candidate", len({row["params"] for row in rows}) == len(rows) > 20, rows)
    check("candidates agree", all(row["verified"] is True for row in rows), rows)
    for text, word in {"rows=2": "no columns", "": "empty", "rows": "'rows'", "speed=9": "speed=9", f"{one};": "no rows",
                       one.replace("rows=2", "rows=9999999"): "rows=9999999", one.replace("rows=2", "rows=-1"): "rows=-1",
                       one.replace("rows=2", "rows=x"): "rows", one + ",rows=1": "rows", "x" * 1000: "too long"}.items():
        expect_error(f"--params '{text[:40]}'", 2, ["params", word], "bench", wide, "--algo", "direct", "--params", text)
    for algo in ("auto", "all", "direct,reference"):
        expect_error(f"--params with --algo {algo}", 2, "--params", "bench", wide, "--algo", algo, "--params", "all")
    expect_error("--params without --algo", 2, "--params", "bench", wide, "--params", "all")


def wrong_result(library):
    """A byte changed in an output must be noticed: exit status 1, the row says so."""
    result = run("bench", SMALL, *FAST, "--verify", "--format", "jsonl",
                 environment={"LD_PRELOAD": library, "DWC_TEST_FAULT": "execute:1:0"})
    check("a wrong output fails the verification", result.returncode == 1 and '"verified":false' in result.stdout
          and result.stderr.count("\n") == 1, seen(result))


arguments = begin()
formats()
shape_files()
bad_input()
parameters()
if arguments:
    wrong_result(arguments[0])
finish()
