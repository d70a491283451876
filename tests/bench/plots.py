"""Draws the plots of docs/benchmarks.md; runs in the peers' environment, where matplotlib is.

`python -m tests.bench.plots RESULTS_JSON`: the PNG files go beside it.
"""

from __future__ import annotations

import json
import statistics
import sys
from pathlib import Path
from typing import Any

import matplotlib as mpl  # type: ignore[import-not-found]

mpl.use("Agg")
import matplotlib.pyplot as plt  # type: ignore[import-not-found]

OURS, OTHERS = "#0b6e6e", "#b8bec6"


def _label(value: float) -> str:
    """Jobs by the thousand need no fractions; a handful of commands does."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def main(results: Path) -> None:
    rows: dict[str, list[dict[str, Any]]] = json.loads(results.read_text("utf-8"))["rows"]
    drains = [
        (f"{name}, +{delay} ms", _best(rows, f"drain {handler} +{delay} ms"))
        for handler, name in (("noop", "no-op"), ("io", "5 ms I/O"))
        for delay in (0, 5, 50)
    ]
    _bars(drains, results.parent / "drain.png", "jobs/s of one worker process, best concurrency")
    costs = [
        ("billed commands/job, worked off", _best(rows, "commands", "work", least=True)),
        ("idle commands a minute", _best(rows, "idle", least=True)),
        ("bytes a waiting job", _best(rows, "memory", least=True)),
        ("enqueue to start, ms", _best(rows, "latency", least=True)),
    ]
    _bars(costs, results.parent / "costs.png", "costs: less is better (logarithmic)", log=True)


def _best(
    rows: dict[str, list[dict[str, Any]]], section: str, start: str = "", *, least: bool = False
) -> dict[str, float]:
    """System -> its best variant's median in this section."""
    found: dict[str, float] = {}
    for name, samples in rows.items():
        where, system, variant = name.split("/", 2)
        if where == section and variant.startswith(start):
            quiet = [one["value"] for one in samples if one["others"] <= 0.15]
            value = statistics.median(quiet or [one["value"] for one in samples])
            better = min if least else max
            found[system] = better(found.get(system, value), value)
    return dict(sorted(found.items(), key=lambda pair: pair[1], reverse=least))


def _bars(
    panels: list[tuple[str, dict[str, float]]], path: Path, title: str, *, log: bool = False
) -> None:
    panels = [panel for panel in panels if panel[1]]
    if not panels:
        return
    columns = 3 if len(panels) > 4 else 2
    lines = -(-len(panels) // columns)
    figure, axes = plt.subplots(lines, columns, figsize=(4.6 * columns, 3.1 * lines), squeeze=False)
    for spare in axes.flat[len(panels) :]:
        spare.set_axis_off()
    for axis, (name, values) in zip(axes.flat, panels, strict=False):
        systems = list(values)
        colours = [OURS if system == "Tidegate" else OTHERS for system in systems]
        bars = axis.barh(systems, list(values.values()), color=colours)
        axis.bar_label(bars, fmt=_label, fontsize=7, padding=2)
        axis.set_title(name, fontsize=9, loc="left")
        axis.tick_params(labelsize=7)
        axis.spines[["top", "right"]].set_visible(False)
        axis.margins(x=0.18)
        if log:
            axis.set_xscale("symlog", linthresh=0.01)  # one cost is 0
    figure.suptitle(title, fontsize=11)
    figure.tight_layout()
    figure.savefig(path, dpi=110, metadata={"Software": None})


if __name__ == "__main__":
    main(Path(sys.argv[1]))
