"""Plots of a comparison, as SVG that stands in the page: no script, no other file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tasks.comparing.asked_rows import asked_rows
from tasks.comparing.pace import paced
from tasks.comparing.side import Side
from tasks.comparing.values import Basis, Changed, Measured, SideBySide
from tasks.svg import svg

COLOURS = ("#2c6fbb", "#d9822b", "#3a8f5c")
BINS = 50


def plots(found: SideBySide, sides: Sequence[Side]) -> list[tuple[str, str]]:
    """Titles and SVGs; none where no rows are fair to all."""
    if not found.basis.answers:
        return []
    whole = [each for each in found.measured if each.where == "all"]
    slices = [each for each in found.measured if each.where != "all"]
    wanted: list[tuple[str, Callable[..., None], tuple[float, float], tuple[Any, ...]]] = [
        ("Metrics with intervals of 95 %", _metrics, (11, 3), (whole,)),
        *[("Gain by slice", _gains, (8, 1.2 + 0.32 * len(slices)), (slices,))] * bool(slices),
        ("What was answered", _scores, (8, 3.2), (sides, found.basis)),
        *((f"Answers, v{each.before} → v{each.after}", _changed, (6, 4.2), (each,)) for each in found.changed),
    ]
    return [(title, svg(draw, size, *shown)) for title, draw, size, shown in paced("Plots drawn", wanted)]


def _metrics(figure: Any, found: Sequence[Measured]) -> None:
    """A small plot a metric, since each has its own scale."""
    columns = 4
    plots_of = np.ravel(figure.subplots(-(-len(found) // columns), columns, squeeze=False))
    figure.set_size_inches(11, 1.9 * (-(-len(found) // columns)))
    for axes, measured in zip(plots_of, found, strict=False):
        for place, estimate in enumerate(measured.values.values()):
            if estimate:
                low, high = estimate.value - estimate.lower, estimate.upper - estimate.value
                axes.errorbar(estimate.value, -place, xerr=[[low], [high]], fmt="o", capsize=3, color=COLOURS[place])
        axes.set_yticks([-place for place in range(len(measured.values))], [f"v{number}" for number in measured.values])
        axes.set_ylim(-len(measured.values) + 0.5, 0.5)
        axes.set_title(measured.metric, fontsize=10)
        axes.locator_params(axis="x", nbins=4)
    for axes in plots_of[len(found) :]:
        axes.set_axis_off()


def _gains(figure: Any, found: Sequence[Measured]) -> None:
    axes, pairs = figure.subplots(), len(found[0].gains)
    for place, measured in enumerate(found):
        for at, gain in enumerate(measured.gains):
            if gain.estimate:
                value, low, high = gain.estimate.value, gain.estimate.lower, gain.estimate.upper
                height = -place - (at - (pairs - 1) / 2) * 0.22
                name = f"v{gain.before} → v{gain.after}" if place == 0 else None
                bars = [[value - low], [high - value]]
                axes.errorbar(value, height, xerr=bars, fmt="o", markersize=4, color=COLOURS[at], label=name)
    axes.axvline(0, color="#888888", linestyle="--")
    axes.set_yticks([-place for place in range(len(found))], [measured.where for measured in found])
    axes.set_xlabel(f"gain of {found[0].metric}; right of the line is better")
    axes.legend(loc="best")


def _scores(figure: Any, sides: Sequence[Side], basis: Basis) -> None:
    """The number by which each version answers: the probability, or the number itself."""
    axes, asked = figure.subplots(), asked_rows(sides, basis)
    scores = {side.number: side.problem.score(asked.judged[side.number]) for side in sides}
    every = np.concatenate(list(scores.values()))
    low, high = np.quantile(every, [0.001, 0.999])
    edges = np.linspace(low, high, BINS)
    for (number, each), colour in zip(scores.items(), COLOURS, strict=False):
        axes.hist(each, bins=edges, histtype="step", color=colour, label=f"v{number}", linewidth=1.5)
    axes.set_xlabel("probability or number answered")
    axes.set_ylabel("rows")
    axes.legend(loc="best")


def _changed(figure: Any, changed: Changed) -> None:
    changed.picture.draw(figure.subplots(), f"v{changed.before}", f"v{changed.after}")
