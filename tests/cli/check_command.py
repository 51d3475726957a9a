# SPDX-License-Identifier: Apache-2.0
"""`dwconv check`: finds nothing wrong here, repeats itself by seed, and does find a wrong result (negative control: one
byte of one output is changed behind its back).

    python3 check_command.py PATH_OF_DWCONV [PATH_OF_FAULT_LIBRARY]
"""

import json
import re
import shlex

from cli_support import begin, check, finish, run, seen, succeeds

PROBLEM = "f32:nhwc:n2:9x8x5:k3x3:s2x1:d1x2:m2:same:bias:relu6"


def rows(text):
    """{(algorithm, isa): (problems, failed, error as a fraction of the promise)}"""
    lines = [line.split() for line in text.strip().split("\n") if not line.startswith("FAILED")]
    check("the table has its heading", lines[0] == ["algorithm", "isa", "problems", "failed", "error/bound"], text)
    return {(line[0], line[1]): (int(line[2]), int(line[3]), float(line[4])) for line in lines[1:]}


def without_faults():
    info = json.loads(run("info", "--json").stdout)
    sets = info["machine"]["isa_available"]
    result = succeeds("check --quick", "check", "--quick")
    table = rows(result.stdout)
    missing = {(algo, isa) for algo in info["algos"] for isa in sets} - set(table)
    check("a row for every algorithm and instruction set", not missing, missing)
    check("200 problems each, none failed", all(row[1] == 0 and 10 < row[0] <= 200 for row in table.values()), table)
    check("all of them by direct", all(row[0] == 200 for name, row in table.items() if name[0] == "direct"), table)
    check("errors are seen and within the promise", all(0 < row[2] <= 1 for row in table.values()), table)
    check("same seed, same result", run("check", "--quick").stdout == result.stdout)
    other = run("check", "--quick", "--seed", "2")
    check("another seed, another series", other.returncode == 0 and other.stdout != result.stdout, seen(other))
    single = rows(succeeds("one problem", "check", "--problem", PROBLEM, "--threads", "3").stdout)
    check("one problem, each number of threads", all(
        row[:2] == (3, 0) for name, row in single.items() if name[0] == "direct"), single)
    for problem in ("f16:nchw:n0:3x3x3:k3x3", "f64:nhwc:n2:0x4x3:k2x2:p2,2,1,1:bias"):
        succeeds(f"empty tensors {problem}", "check", "--problem", problem)


def with_fault(library):
    """Changes the result of one execution: the row, the reason, the exit status and the command that repeats it."""
    environment = {"LD_PRELOAD": library, "DWC_TEST_FAULT": "execute:1:0"}
    result = run("check", "--problem", PROBLEM, "--threads", "1", "--seed", "5", environment=environment)
    lines = [line for line in result.stdout.split("\n") if line.startswith("FAILED")]
    check("one wrong byte is found", result.returncode == 1 and len(lines) == 1 and result.stderr.count("\n") == 1
          and "1 of " in result.stderr and "wrong" in result.stderr, seen(result))
    check("the failure tells problem and element", lines and PROBLEM in lines[0] and "the first is element 0" in lines[0]
          and "1 of 800 outputs are wrong" in lines[0], lines)
    check("its row counts it", [row[1] for row in rows(result.stdout).values()].count(1) == 1, result.stdout)
    command = shlex.split(re.search(r"repeat: dwconv (.*)$", lines[0]).group(1)) if lines else ["check"]
    again = run(*command, environment=environment)
    check("the command repeats it", again.stdout == result.stdout, seen(again))
    check("and all is well without the fault", run(*command).returncode == 0)
    result = run("check", "--quick", environment={**environment, "DWC_TEST_FAULT": "execute:0:0"})
    table = rows(result.stdout)
    check("wrong bytes everywhere are found nearly everywhere", result.returncode == 1
          and all(row[1] > 0.9 * row[0] > 0 for row in table.values()), table)
    shown = sum(line.startswith("FAILED") for line in result.stdout.split("\n"))
    check("at most five failures are shown per row", shown == 5 * len(table), shown)


arguments = begin()
without_faults()
if arguments:
    with_fault(arguments[0])
finish()
