"""The course of a rollout: what each check said over time, stage by stage, as plots and as what was spent for it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from configs.rollout import Rollout
from tasks.rollouts.strategies.choose import in_force
from tasks.rollouts.values import Look
from tasks.svg import svg
from tasks.verdicts.values import Verdict

LINE, BOUND, MUTED = "#2c6fbb", "#c0392b", "#888888"
MOST, FEW = 200, 20  # points of a stage that are drawn: more are no longer seen apart, and a band of few is hard to see


class Course(NamedTuple):
    """The looks at one stage's traffic: `place` is where it stands among the stages, None where nothing was moved."""

    place: int | None
    looks: list[Look]

    def said(self, title: str) -> list[tuple[datetime, Verdict]]:
        """When, and what the check found; a look at which it could say nothing has no place in a plot."""
        found = [(look.at, each) for look in self.looks for each in look.verdicts if each.title == title]
        return [(at, each) for at, each in found if each.estimate is not None]


def courses(declared: Rollout, looks: Sequence[Look]) -> list[Course]:
    """In the order in which the stages were looked at. An approval goes on with the traffic of the stage before."""
    found: dict[int | None, list[Look]] = {}
    for look in looks:
        found.setdefault(in_force(declared, min(look.stage, len(declared.stages) - 1)), []).append(look)
    return [Course(place, each) for place, each in found.items()]


def spent(course: Course) -> float:
    """The part of `false_rollbacks` that the stage uses up: the level of each check in it, once for all its looks."""
    return sum({each.title: each.level for look in course.looks for each in look.verdicts}.values())


def plots(declared: Rollout, looks: Sequence[Look]) -> list[tuple[str, str]]:
    """Titles and SVGs, one for each check that was declared, and for each of several challengers."""
    found = courses(declared, looks)
    margins = {check.name: check.margin for check in declared.checks}
    said = {each.title: each.margin for look in looks for each in look.verdicts if each.variant}
    once = {name: margin for name, margin in margins.items() if not any(title.startswith(f"{name} (") for title in said)}
    return [
        (f"{title}: how much worse the challenger is", svg(_draw, (10, 3.2), declared, found, title, margin))
        for title, margin in (once | said).items()
    ]


def _draw(figure: Any, declared: Rollout, found: Sequence[Course], check: str, margin: float) -> None:
    axes, top = figure.subplots(), [margin, 0.0]
    for course in found:
        begun, name = course.looks[0].at, "" if course.place is None else declared.stages[course.place].strategy
        axes.axvline(begun, color=MUTED, linewidth=0.8)
        axes.annotate(f" {name}", (begun, 1.0), xycoords=("data", "axes fraction"), va="bottom", fontsize=8, color=MUTED)
        if said := _few(course.said(check)):
            _interval(axes, said)
            top += [said[-1][1].lower or 0.0, said[-1][1].upper or 0.0]
    axes.axhline(0, color=MUTED, linewidth=0.8)
    axes.axhline(margin, color=BOUND, linestyle="--", label=f"margin {margin:g}")
    if len(top) == 2:
        axes.text(0.5, 0.5, "nothing could be said so far", transform=axes.transAxes, ha="center", va="center", color=MUTED)
    room = 0.4 * (max(top) - min(top)) or 1.0
    axes.set_ylim(min(top) - room, max(top) + room)  # the first intervals reach further: what matters is where they end
    axes.set_xlim(_span(found))
    axes.tick_params(axis="x", labelsize=8)
    axes.legend(loc="upper right", fontsize=8)


def _interval(axes: Any, said: Sequence[tuple[datetime, Verdict]]) -> None:
    times = [at for at, _ in said]
    lower, estimate, upper = ([getattr(each, name) for _, each in said] for name in ("lower", "estimate", "upper"))
    axes.fill_between(times, lower, upper, color=LINE, alpha=0.2, linewidth=0)
    if len(said) <= FEW:
        axes.vlines(times, lower, upper, color=LINE, alpha=0.4, linewidth=1)
    axes.plot(times, estimate, color=LINE, marker=".", markersize=4, linewidth=1)


def _span(found: Sequence[Course]) -> tuple[datetime, datetime] | tuple[None, None]:
    """From the first look to the last, the same for every check, so that plots below each other compare."""
    moments = [look.at for course in found for look in course.looks]
    if not moments:
        return None, None
    room = 0.03 * (max(moments) - min(moments)) or timedelta(minutes=1)
    return min(moments) - room, max(moments) + room


def _few(said: list[tuple[datetime, Verdict]]) -> list[tuple[datetime, Verdict]]:
    """As many as can be seen apart, the last one among them."""
    return said[-1 :: -max(1, -(-len(said) // MOST))][::-1]
