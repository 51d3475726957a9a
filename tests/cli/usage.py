# SPDX-License-Identifier: Apache-2.0
"""Help texts against the golden ones, bad usage, info's sections, --json fields, and output that cannot be written.

    python3 usage.py PATH_OF_DWCONV FOLDER_OF_GOLDEN_TEXTS [--update]
"""

import json
import os

from cli_support import begin, check, expect_error, finish, read_bytes, run, seen, succeeds, write_npy

COMMANDS = ("conv", "bench", "tune", "wisdom", "info", "check", "help")
FILES = ["--input", "input.npy", "--filter", "filter.npy", "--output", "output.npy"]


def golden_texts(folder, update):
    for topic in ("", *COMMANDS):
        result = succeeds(f"help {topic}", *f"help {topic}".split())
        path = os.path.join(folder, f"help_{topic or 'overview'}.txt")
        if update:
            with open(path, "w") as file:
                file.write(result.stdout)
        with open(path) as file:
            check(f"help {topic} is {os.path.basename(path)}", result.stdout == file.read(), result.stdout)
        check(f"help {topic} fits 100 columns", all(len(line) <= 100 for line in result.stdout.split("\n")))
        check(f"{topic} --help is the same", run(*topic.split(), "--help").stdout == result.stdout)
        version = run(*topic.split(), "--version")
        check(f"{topic} --version", version.returncode == 0 and version.stdout.startswith("dwconv 0."), seen(version))


def bad_usage():
    expect_error("no command", 2, "no command")
    expect_error("unknown command", 2, "'frob'", "frob")
    expect_error("help on an unknown command", 2, "'frob'", "help", "frob")
    expect_error("two topics", 2, "'info'", "help", "conv", "info")
    for command in COMMANDS:
        expect_error(f"{command}: unknown option", 2, "'--frob'", command, "--frob")
        expect_error(f"{command}: unknown option with =", 2, "'--frob=1'", command, "--frob=1")
        expect_error(f"{command}: value for a flag", 2, "--verbose takes no value", command, "--verbose=1")
        expect_error(f"{command}: given twice", 2, "--verbose is given twice", command, "--verbose", "--verbose")
    expect_error("argument without option", 2, "'x.npy'", "conv", "x.npy")
    expect_error("missing value at the end", 2, "--input needs a value", "conv", "--input")
    expect_error("empty value", 2, "--input", "conv", "--input", "")
    for i, name in enumerate(("--input", "--filter", "--output")):
        expect_error(f"{name} is missing", 2, f"{name} is missing", "conv", *FILES[:2 * i], *FILES[2 * i + 2:])


def bad_values():
    values = {
        "--strides": ("0", "1,0", "-1", "1,2,3", "a", "", "1,", ",1", "1 ", " 1", "1.5", "0x2", "99999999999999999999"),
        "--dilations": ("0", "1,0", "-1,1", "1;2"),
        "--padding": ("SAME", "1", "1,2,3", "1,2,3,4,5", "-1,0,0,0", "1,2,3,x", "", "99999999999999999999,0,0,0"),
        "--data-format": ("nhwc", "NWHC", "", "CHWN"),
        "--activation": ("RELU", "tanh", ""),
        "--dtype": ("f8", "float32", ""),
        "--threads": ("0", "-1", "1.0", "2147483648", "many", ""),
        "--chunk-images": ("0", "-1", "x", "9223372036854775808"),
        "--memory": ("0", "-1", "1Q", "1k", "1KiB", "K", "1.5G", "9223372036854775807K", "8796093022208Mi", ""),
        "--isa": ("sse", "AVX2", ""),
        "--numerics": ("winograd", "ANY", ""),
        "--max-error": ("0", "-1", "1e-400", "1e400", "nan", "inf", "0x1p-20", "1e-5x", " 1", ""),
        "--max-workspace": ("-1", "1k", "1.5M", "none", ""),
        "--algo": ("", ),
        "--effort": ("MEASURE", "best", ""),
        "--wisdom": ("", ),
    }
    for option, texts in values.items():
        for text in texts:
            expect_error(f"{option} '{text}'", 2, option, "conv", *FILES, option, text)
    expect_error("check: --seed -1", 2, "--seed", "check", "--seed", "-1")
    expect_error("check: --problem", 2, "--problem", "check", "--problem", "f32:nhwc")
    expect_error("check: --quick --full", 2, "--quick", "check", "--quick", "--full")
    expect_error("check: --full --problem", 2, "--problem", "check", "--full", "--problem", "f32:nhwc:n1:9x9x8:k3x3")


def good_values():
    for text in ("1Gi", "2G", "100000", "1024Ki", "3000K", "5M", "7Mi", "1T", "1Ti"):
        succeeds(f"--memory {text}", "conv", *FILES, "--force", f"--memory={text}")
    for limit in (("--numerics", "any"), ("--numerics=direct", ), ("--max-error", "1e-3"), ("--max-error=.5", ),
                  ("--max-workspace", "0"), ("--max-workspace=1Mi", ), ("--strict-nonfinite", )):
        succeeds(" ".join(limit), "conv", *FILES, "--force", *limit)
    expect_error("no algorithm is so accurate", 2, "max_error", "conv", *FILES, "--force", "--max-error", "1e-9")
    expect_error("nor is this one", 2, "direct: max_error: its error bound", "conv", *FILES, "--force", "--max-error", "1e-9",
                 "--algo", "direct")
    expect_error("unknown algorithm", 2, "'frob'", "conv", *FILES, "--force", "--algo", "frob")
    text = run("conv", *FILES, "--force").stdout
    check("summary names problem, algorithm, output", all(
        word in text for word in ("f32:nhwc:n1:2x3x2:k2x2:s1x1:d1x1:m2:same", "direct", "output.npy", "GB/s")), text)
    for option in (["--verbose"], []):
        environment = {} if option else {"DWC_VERBOSE": "plan"}
        result = run("conv", *FILES, "--force", *option, environment=environment)
        check(f"{option or environment} talks on stderr only",
              result.returncode == 0 and "dwconv: plan: " in result.stderr and "plan:" not in result.stdout, seen(result))


def json_report():
    result = succeeds("conv --json", "conv", *FILES, "--force", "--json", "--algo", "reference", "--threads", "1", "--isa",
                      "baseline")
    report = json.loads(result.stdout)
    kinds = {"problem": str, "algo": str, "params": str, "isa": str, "threads": int, "ranks": int, "images": int,
             "seconds": float, "compute_seconds": float, "read_seconds": float, "write_seconds": float, "gbps": float,
             "source": str}
    check("conv --json is one line", result.stdout.count("\n") == 1, seen(result))
    check("conv --json has just its fields", {key: type(value) for key, value in report.items()} == kinds, report)
    fixed = {"problem": "f32:nhwc:n1:2x3x2:k2x2:s1x1:d1x1:m2:same", "algo": "reference", "isa": "baseline", "threads": 1,
             "ranks": 1, "images": 1, "source": "explicit"}
    check("conv --json has the right values", {key: report[key] for key in fixed} == fixed, report)
    parts = report["read_seconds"] + report["compute_seconds"] + report["write_seconds"]
    gbps = 4 * (12 + 16 + 24) / report["seconds"] * 1e-9
    check("conv --json: parts within the whole, gbps from it",
          0 < parts <= report["seconds"] and abs(report["gbps"] / gbps - 1) < 1e-6, report)
    check("source is the model by itself",
          json.loads(run("conv", *FILES, "--force", "--json").stdout)["source"] == "model")


def info():
    sections = {"--machine": "machine", "--algos": "algos", "--env": "env", "--mpi": "mpi", "--wisdom": "wisdom"}
    everything = json.loads(succeeds("info --json", "info", "--json").stdout)
    check("info --json has all sections", list(everything) == ["program", *sections.values()], everything)
    check("info --json lists the algorithms", {"direct", "reference"} <= set(everything["algos"]), everything)
    machine = everything["machine"]
    check("info --json machine", machine["isa"] in machine["isa_available"] and machine["isa_available"][0] == "baseline"
          and machine["usable_cores"] >= 1 and machine["numa_nodes"] >= 1, machine)
    for option, name in sections.items():
        report = json.loads(succeeds(f"info {option}", "info", option, "--json").stdout)
        check(f"info {option} has its section only", list(report) == ["program", name], report)
        text = run("info", option).stdout
        check(f"info {option} as text", all(f"  {key}" in text for key in report[name]), text)
    names = set(everything["env"])
    check("variables are null when unset", names == {"DWC_BIND", "DWC_ISA", "DWC_THREADS", "DWC_VERBOSE", "DWC_WISDOM"}
          and set(everything["env"].values()) == {None}, everything["env"])
    result = run("info", "--env", "--json", environment={"DWC_THREADS": "3", "DWC_TREADS": "4"})
    environment = json.loads(result.stdout)["env"]
    check("info --env shows values, misspelt ones too",
          environment["DWC_THREADS"] == "3" and environment["DWC_TREADS"] == "4", seen(result))
    result = run("info", "--machine", "--json", environment={"DWC_THREADS": "3", "DWC_ISA": "baseline"})
    machine = json.loads(result.stdout)["machine"]
    check("variables take effect", machine["threads"] == 3 and machine["isa"] == "baseline", seen(result))
    for name, value in (("DWC_THREADS", "many"), ("DWC_ISA", "mmx"), ("DWC_VERBOSE", "plan,everything")):
        expect_error(f"{name}={value}", 2, [name, value.split(",")[-1]], "info", environment={name: value})


def lost_output():
    for arguments in (["help"], ["help", "conv"], ["info"], ["info", "--json"], ["--version"],
                      ["check", "--problem", "f32:nhwc:n1:4x4x2:k3x3"]):
        with open("/dev/full", "w") as full:
            result = run(*arguments, stdout=full)
        check(f"{' '.join(arguments)} > /dev/full", result.returncode == 1 and result.stderr.count("\n") == 1
              and "No space left" in result.stderr, seen(result))
    for option in ([], ["--json"]):
        with open("/dev/full", "w") as full:
            result = run("conv", *FILES, "--force", *option, stdout=full)
        check(f"conv {option} > /dev/full", result.returncode == 1 and result.stderr.count("\n") == 1
              and "standard output" in result.stderr, seen(result))
        check("its output file is complete all the same", len(read_bytes("output.npy")) == 4096 + 4 * 24)


arguments = begin()
write_npy("input.npy", (1, 2, 3, 2), range(1, 13))
write_npy("filter.npy", (2, 2, 2, 2), range(1, 17))
golden_texts(arguments[0], "--update" in arguments)
bad_usage()
bad_values()
good_values()
json_report()
info()
lost_output()
finish()
