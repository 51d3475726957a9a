# SPDX-License-Identifier: Apache-2.0
"""The plot of the peers harness: every layer's ratio to every peer, float32; layers sorted by their best peer."""

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot  # noqa: E402
import matplotlib.ticker  # noqa: E402

import adapters  # noqa: E402
import cases  # noqa: E402
import report  # noqa: E402

STYLES = dict(
    zip(
        adapters.PEERS,
        (
            ("#1f77b4", "o"),
            ("#d62728", "s"),
            ("#9467bd", "^"),
            ("#2ca02c", "D"),
            ("#ff7f0e", "v"),
            ("#bcbd22", "P"),
            ("#17becf", "X"),
            ("#8c564b", "*"),
        ),
    )
)


def draw_panel(axis, rows, title):
    order = {
        row["problem"]: at for at, row in enumerate(sorted(report.best_rows(rows), key=lambda row: row["ratio"]))
    }
    best = {row["problem"]: row["ratio"] for row in report.best_rows(rows)}
    axis.axhline(1, color="black", linewidth=1.2, zorder=2)
    axis.axhspan(0.001, 1, color="#d62728", alpha=0.06, zorder=0)
    for name, (color, marker) in STYLES.items():
        own = [row for row in rows if row["peer"] == name]
        if own:
            mean = report.mean(row["ratio"] for row in own)
            axis.scatter(
                [order[row["problem"]] for row in own],
                [row["ratio"] for row in own],
                s=20,
                color=color,
                marker=marker,
                linewidths=0,
                alpha=0.8,
                zorder=3,
                label=f"{adapters.PEERS[name].title} ({mean:.2f})",
            )
    axis.plot(
        list(order.values()),
        [best[problem] for problem in order],
        color="black",
        linewidth=0.8,
        zorder=2,
        label=f"best peer of each layer ({report.mean(best.values()):.2f})",
    )
    axis.set(
        yscale="log",
        title=title,
        xlim=(-1, max(len(order), 2)),
        xlabel="layers, by the ratio to their best peer",
        ylim=(min(0.5, 0.9 * min(row["ratio"] for row in rows)), max(4.0, 4 * max(row["ratio"] for row in rows))),
    )
    axis.yaxis.set_major_locator(matplotlib.ticker.LogLocator(10, (1, 2, 5)))
    axis.yaxis.set_major_formatter(matplotlib.ticker.FuncFormatter(lambda value, _: f"{value:g}"))
    axis.yaxis.set_minor_formatter(matplotlib.ticker.NullFormatter())
    axis.grid(axis="y", linewidth=0.4, alpha=0.6)
    axis.set_xticks([])
    axis.legend(fontsize=7.5, loc="upper left", ncol=2, framealpha=0.85)


def draw(path, rows, facts):
    panels = {key: some for key, some in report.groups(rows) if key[1] == "f32"}
    if not panels:
        return
    regimes = [regime for regime in cases.REGIMES if any(key[0] == regime for key in panels)]
    layouts = [layout for layout in ("nhwc", "nchw") if any(key[2] == layout for key in panels)]
    figure, axes = matplotlib.pyplot.subplots(
        len(regimes), len(layouts), squeeze=False, figsize=(7.5 * len(layouts), 5.2 * len(regimes))
    )
    for i, regime in enumerate(regimes):
        for j, layout in enumerate(layouts):
            key = regime, "f32", layout
            if key in panels:
                draw_panel(axes[i][j], panels[key], f"{cases.REGIMES[regime]}, {layout.upper()} in and out")
            else:
                axes[i][j].set_axis_off()
        axes[i][0].set_ylabel("time of the peer / time of dwconv")
    figure.suptitle(
        f"dwconv beside other libraries, float32, {facts.threads}: above 1 dwconv is faster (in brackets: geometric "
        f"means)\n{facts.machine}",
        fontsize=10.5,
    )
    figure.tight_layout()
    figure.savefig(path, dpi=110)
