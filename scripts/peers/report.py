# SPDX-License-Identifier: Apache-2.0
"""The report of the peers harness: rows -> peers.csv, peers.md, peers.png.

ratio = time of the peer / time of dwconv, the median over rounds: above 1 dwconv is faster
best  = of the peers that did a layer the one with the smallest ratio
"""

import csv
import json
import math
import pathlib
import statistics
import subprocess
import sys

import adapters
import cases
import run

COLUMNS = [
    "network",
    "layer",
    "problem",
    "layout",
    "type",
    "regime",
    "peer",
    "our_us",
    "our_us_q1",
    "our_us_q3",
    "peer_us",
    "peer_us_q1",
    "peer_us_q3",
    "ratio",
    "ratio_q1",
    "ratio_q3",
    "rounds",
    "our_calls",
    "peer_calls",
    "error",
    "limit_us",
    "limit_by",
    "our_call_us",
    "peer_call_us",
    "cpu_share",
    "ours",
    "variant",
    "threads",
    "reason",
]


def mean(values):
    return math.exp(statistics.fmean(map(math.log, values)))


def limits(options):
    return {
        (regime, row["problem"]): row
        for regime in cases.REGIMES
        for row in run.read_limits(options.build / f"limits-{regime}-{options.threads}.csv")
    }


def collect(options, wanted, rows, stamps):
    """A flat row per case and peer that was measured or refused with the stamps of this run."""
    known, found = limits(options), []
    for case in wanted:
        for name in options.peers:
            row = rows.get((name, case.regime, case.text(), options.threads))
            if not row or row["stamp"] != stamps.get(name):
                continue
            limit = known.get((case.regime, case.text(layout="nhwc")))
            flat = {
                **row,
                "case": case,
                "network": case.network,
                "layer": case.layer,
                "problem": case.text(),
                "layout": case.layout,
                "type": case.dtype,
                "regime": case.regime,
                "peer": name,
                "threads": options.threads,
            }
            if limit:
                flat |= {"limit_us": float(f"{float(limit['limit_s']) * 1e6:.4g}"), "limit_by": limit["limit_by"]}
            found.append(flat)
    return found


class Facts:
    """Machine and versions, as they are said in the CSV and in the text."""

    def __init__(self, options, rows, missing):
        info = json.loads(
            subprocess.run([str(options.dwconv), "info", "--json"], check=True, capture_output=True).stdout
        )
        machine = info["machine"]
        caches = ", ".join(
            f"{label} {machine[key] // 1024} KiB"
            for label, key in (("L1", "l1d_bytes"), ("L2", "l2_bytes"), ("L3", "l3_bytes"))
            if machine.get(key)
        )
        self.machine = f"{machine['cpu']}, {caches}; instruction set {machine['isa']}"
        self.program = f"dwconv {info['program']['version']} ({info['program']['build']})"
        self.threads = f"{options.threads} thread{'s' if options.threads > 1 else ''}"
        self.versions = {row["peer"]: row["version"] for row in rows}
        self.missing = missing
        self.wisdom = "with tuning records" if options.wisdom else "without tuning records"
        timed = [row for row in rows if "ratio" in row]
        self.busy = sum(row["cpu_share"] < run.BUSY for row in timed), len(timed)


def write_csv(path, rows, facts):
    with path.open("w", newline="", encoding="utf-8") as file:
        file.write(f"# machine: {facts.machine}; {facts.threads}\n# {facts.program}, {facts.wisdom}\n")
        for name, version in facts.versions.items():
            file.write(f"# {name}: {version}\n")
        for name, why in facts.missing.items():
            file.write(f"# {name}: left out: {why}\n")
        table = csv.DictWriter(file, COLUMNS, extrasaction="ignore", lineterminator="\n")
        table.writeheader()
        table.writerows(rows)


def groups(rows):
    """(regime, type, layout) -> timed rows, in the order of the report."""
    for regime in cases.REGIMES:
        for dtype in ("f32", "f64", "bf16", "f16"):
            for layout in ("nhwc", "nchw"):
                some = [
                    row
                    for row in rows
                    if (row["regime"], row["type"], row["layout"]) == (regime, dtype, layout) and "ratio" in row
                ]
                if some:
                    yield (regime, dtype, layout), some


def by_problem(rows):
    found = {}
    for row in rows:
        found.setdefault(row["problem"], []).append(row)
    return found


def best_rows(rows):
    return [min(same, key=lambda row: row["ratio"]) for same in by_problem(rows).values()]


def net_ratio(row):
    """The ratio with the time of a call on a tiny problem taken off both; None where little is left."""
    ours, peer = row["our_us"] - row.get("our_call_us", 0), row["peer_us"] - row.get("peer_call_us", 0)
    return peer / ours if ours > 0.2 * row["our_us"] and peer > 0.1 * row["peer_us"] else None


def summary_line(title, rows):
    worst = min(rows, key=lambda row: row["ratio"])
    net = [value for value in map(net_ratio, rows) if value]
    return (
        f"| {title} | {len(rows)} | {mean(row['ratio'] for row in rows):.2f} | "
        f"{f'{mean(net):.2f}' if net else ''} | {sum(row['ratio'] < 1 for row in rows)} | {worst['ratio']:.2f} "
        f"{worst['network']} {worst['layer']} |"
    )


def summary(rows):
    lines = []
    for (regime, dtype, layout), some in groups(rows):
        known = [row for row in best_rows(some) if row.get("limit_us")]
        share, peer_share = (
            [row["limit_us"] / row[time] for row in known] for time in ("our_us", "peer_us")
        )
        lines += [
            "",
            f"### {cases.REGIMES[regime]}: {dtype}, {layout.upper()}",
            "",
            f"dwconv reaches {mean(share):.2f} of the limit, the best peers {mean(peer_share):.2f}: at the limit "
            f"the ratio would be {1 / mean(peer_share):.2f}."
            if known
            else "",
            "",
            "| | layers | ratio | without the call | slower on | smallest |",
            "|---|---|---|---|---|---|",
            summary_line("**best peer of each layer**", best_rows(some)),
        ]
        for name, peer in adapters.PEERS.items():
            own = [row for row in some if row["peer"] == name]
            if own:
                lines.append(summary_line(peer.title, own))
    return lines


def layer_table(rows):
    lines = []
    for (regime, dtype, layout), some in groups(rows):
        lines += [
            "",
            f"### {cases.REGIMES[regime]}: {dtype}, {layout.upper()}",
            "",
            "| network | layer | images | image | taps | stride | dilation | limit us | dwconv us | best peer | "
            "ratio | "
            "quartiles |",
            "|---|---|---|---|---|---|---|---|---|---|---|---|",
        ]
        for same in by_problem(some).values():
            best, case = min(same, key=lambda row: row["ratio"]), same[0]["case"]
            lines.append(
                f"| {case.network} | {case.layer} | {case.n} | {case.h}x{case.w}x{case.c} | {case.kh}x{case.kw} | "
                f"{case.sh} | {case.dh} | {best.get('limit_us', '')} | {best['our_us']} | "
                f"{adapters.PEERS[best['peer']].title} | {best['ratio']:.2f} | "
                f"{best['ratio_q1']:.2f} to {best['ratio_q3']:.2f} |"
            )
    return lines


def refusals(rows, missing):
    """What each peer did not do, by reason."""
    lines = [f"- {adapters.PEERS[name].title}: left out: {why}" for name, why in missing.items()]
    counted = {}
    for row in rows:
        if "reason" in row:
            layers = counted.setdefault((row["peer"], row["reason"]), {})
            kind = (
                f"{row['type']} {row['layout'].upper()}"
                if row["reason"].startswith(("no ", "takes and")) or "implement" in row["reason"]
                else row["problem"]
            )
            layers[kind] = layers.get(kind, 0) + 1
    for (name, reason), kinds in counted.items():
        shown = list(kinds)[:8]
        more = f" and {len(kinds) - 8} more" if len(kinds) > 8 else ""
        lines.append(f"- {adapters.PEERS[name].title}: {reason} ({', '.join(shown)}{more})")
    return lines


def calls(rows):
    lines = ["| | dwconv, us | peer, us |", "|---|---|---|"]
    for name, peer in adapters.PEERS.items():
        own = [row for row in rows if row["peer"] == name and row["type"] == "f32" and "peer_call_us" in row]
        if own:
            lines.append(
                f"| {peer.title} | {statistics.median(row['our_call_us'] for row in own):.1f} | "
                f"{statistics.median(row['peer_call_us'] for row in own):.1f} |"
            )
    return lines


def write_text(path, rows, facts, complete):
    busy = (
        f" In {facts.busy[0]} of {facts.busy[1]} rows the process had less than {run.BUSY:.0%} of its CPU: "
        "measure again on a quiet machine (`--repeat-busy`)."
        if facts.busy[0]
        else ""
    )
    lines = [
        "# dwconv beside other libraries",
        "",
        f"Machine: {facts.machine}; {facts.threads}; {facts.program}, {facts.wisdom}. Made by `scripts/peers.sh`."
        f"{'' if complete else ' **Not all rows were measured.**'}{busy}",
        "",
        "dwconv and the peer run in one process on the same input, in turn, round by round; their outputs are compared "
        "before anything is timed. *ratio* is the peer's time / dwconv's, the median over the rounds, geometric means "
        "over layers: above 1 dwconv is faster. Both are called from Python; *without the call* takes off what a call "
        "costs on a tiny problem. *limit* is the roofline of the direct algorithm, by `dwconv bench`.",
        "",
        "![ratio of every layer](peers.png)",
        "",
        "## Summary",
        *summary(rows),
        "",
        "## What each library is given",
        "",
        f"- dwconv: {adapters.Ours.given}",
    ]
    for name, version in facts.versions.items():
        lines.append(f"- {adapters.PEERS[name].title} {version}: {adapters.PEERS[name].given}")
    lines += [
        "",
        "The environment gives each the same number of threads on the same CPUs, and lets freed memory stay with the "
        "process.",
        "",
        "A call on a 4x4x8 image, float32:",
        "",
        *calls(rows),
        "",
        "## Not done",
        "",
        *refusals(rows, facts.missing),
        "",
        "## Every layer, beside the best peer",
        *layer_table(rows),
    ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def write(options, wanted, journal, stamps, missing):
    folder = pathlib.Path(options.folder)
    rows = collect(options, wanted, journal, stamps)
    if not any("ratio" in row for row in rows):
        print("peers: no row was measured", file=sys.stderr)
        return 1
    complete = len(rows) == len(wanted) * (len(options.peers) - len(missing))
    facts = Facts(options, rows, missing)
    write_csv(folder / "peers.csv", rows, facts)
    write_text(folder / "peers.md", rows, facts, complete)
    try:
        import plot

        plot.draw(folder / "peers.png", rows, facts)
    except ModuleNotFoundError as error:
        print(f"peers: no plot: {error} (Debian: python3-matplotlib)", file=sys.stderr)
    for (regime, dtype, layout), some in groups(rows):
        best = best_rows(some)
        print(
            f"{regime} {dtype} {layout}: {len(best)} layers, best peer / dwconv {mean(r['ratio'] for r in best):.2f}, "
            f"slower on {sum(r['ratio'] < 1 for r in best)}"
        )
    print(f"written: {folder}/peers.md, peers.csv, peers.png")
    return 0
