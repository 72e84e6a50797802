"""The plot of a finding, for messages: the columns against their bound, and the metric over the windows so far."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from configs.settings import reports
from tasks.monitoring.values import Finding

COLUMNS, WINDOWS = 12, 24
BOUND, LINE = "#c0392b", "#2c6fbb"


def plot_page(use_case: str, name: str) -> Path:
    """Where the plot of a finding lies."""
    return reports(use_case, "monitoring") / f"{name}.png"


def draw(finding: Finding, before: list[Finding]) -> bytes:
    """A PNG. `before` are the findings of earlier windows, oldest first."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 3.8), layout="constrained")
    left, right = figure.subplots(1, 2)
    _columns(left, finding)
    _metric(right, [*before, finding][-WINDOWS:])
    figure.suptitle(f"{finding.use_case}, window {finding.title}, version {finding.version}")
    sink = io.BytesIO()
    figure.savefig(sink, format="png", dpi=110)
    return sink.getvalue()


def _columns(axes: Any, finding: Finding) -> None:
    drift = finding.drift
    scores = {name: max(column.score, 0.0) for name, column in drift.columns.items()} if drift else {}
    scores |= {"(all jointly)": max(drift.joint.score, 0.0)} if drift else {}
    shown = sorted(scores.items(), key=lambda item: item[1])[-COLUMNS:]
    axes.barh([name for name, _ in shown], [score for _, score in shown], color=LINE)
    axes.axvline(1.0, color=BOUND, linestyle="--", label="bound")
    axes.set_xlabel("distance over its calibrated bound")
    axes.legend(loc="lower right")


def _metric(axes: Any, found: list[Finding]) -> None:
    known = [(each.title, each.performance) for each in found if each.performance]
    windows, performances = [title for title, _ in known], [performance for _, performance in known]
    for name, values, style in (
        ("measured", [p.value for p in performances], {"color": LINE, "marker": "o"}),
        ("estimated", [p.estimate for p in performances], {"color": "#888888", "marker": "."}),
        ("floor", [p.floor for p in performances], {"color": BOUND, "linestyle": "--"}),
    ):
        axes.plot(windows, [float("nan") if value is None else value for value in values], label=name, **style)
    axes.set_ylabel(performances[-1].metric if performances else "")
    axes.tick_params(axis="x", rotation=45)
    axes.legend()
