"""The page of what moves a model's answers: importance with intervals, and a plot of each effect."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tasks.explaining.values import Effect, Importance, Influence
from tasks.page import Sheet, page
from tasks.svg import svg

COLOURS = ("#2c6fbb", "#d9822b", "#3a8f5c", "#8a5fb0", "#b0413e", "#5f6b7a")  # of so many answers, at most
ACROSS = 4
MOST_BARS = 25
TOLD = (
    "What the model uses, not what causes what. Columns that say one thing share their importance. Effects are accumulated "
    "local effects: how the answer differs from its mean along a column, among rows that there are."
)


def influence_page(use_case: str, found: Influence) -> str:
    """HTML that loads nothing."""
    rows = [[each.column, *(f"{number:.4g}" for number in (each.value, each.lower, each.upper))] for each in found.columns]
    sheets = [
        Sheet("Importance", f"{found.how}; {found.rows:,} held out rows.", ["column", found.unit, "95 % from", "to"], rows)
    ]
    if found.left_out:
        sheets.append(Sheet("Without an effect", "", ["column", "why"], [list(each) for each in found.left_out.items()]))
    bars, height = found.columns[:MOST_BARS], -(-len(found.effects) // ACROSS)
    plots = [("Importance with intervals of 95 %", svg(_bars, (8, 0.8 + 0.28 * len(bars)), bars, found.unit))]
    if found.effects:
        plots.append(("Effects on the answer", svg(_effects, (11, 2.4 * height), found.effects)))
    return page(f"{use_case}: what moves the answers", TOLD, sheets, plots)


def _bars(figure: Any, columns: Sequence[Importance], unit: str) -> None:
    axes = figure.subplots()
    for place, each in enumerate(columns):
        around = [[each.value - each.lower], [each.upper - each.value]]
        axes.errorbar(each.value, -place, xerr=around, fmt="o", markersize=4, capsize=3, color=COLOURS[0])
    axes.axvline(0, color="#888888", linestyle="--")
    axes.set_yticks([-place for place in range(len(columns))], [_plain(each.column) for each in columns])
    axes.set_xlabel(unit)


def _effects(figure: Any, effects: Sequence[Effect]) -> None:
    """A small plot a column, all with one scale, so that what matters looks so."""
    spots = np.ravel(figure.subplots(-(-len(effects) // ACROSS), ACROSS, squeeze=False, sharey=True))
    for axes, effect in zip(spots, effects, strict=False):
        places = effect.at if effect.ordered else range(len(effect.at))
        for (name, curve), colour in zip(effect.answers.items(), COLOURS, strict=False):
            axes.plot(places, curve, color=colour, marker=".", linestyle="-" if effect.ordered else "", label=_plain(name))
        if not effect.ordered:
            axes.set_xticks(list(places), [_plain(str(each))[:12] for each in effect.at], rotation=90, fontsize=6)
        axes.axhline(0, color="#888888", linewidth=0.6)
        axes.set_title(_plain(effect.column), fontsize=10)
    if len(effects[0].answers) > 1:
        spots[0].legend(loc="best", fontsize=6)
    for axes in spots[len(effects) :]:
        axes.set_axis_off()


def _plain(text: str) -> str:
    """A dollar begins no formula in a name."""
    return text.replace("$", r"\$")
