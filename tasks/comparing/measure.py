"""Measure: every metric of every version on the fair rows, with intervals, as a whole and by slice."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
from prefect import task

from tasks.comparing import resampled
from tasks.comparing.asked_rows import Asked, asked_rows, columns_of
from tasks.comparing.pace import paced
from tasks.comparing.side import Side, newest_first, sides_of
from tasks.comparing.values import Basis, Estimate, Gain, Measured
from tasks.problems.chance import RESAMPLES
from tasks.problems.metrics import Metric
from tasks.problems.problem import problem_of
from tasks.registry.values import Version
from tasks.training.slices import RESAMPLES as FEWER
from tasks.training.slices import slices_of


@task
def measure(compared: Sequence[Version], basis: Basis) -> list[Measured]:
    """Nothing where no rows are fair to all. Versions are resampled together, by whole days: their gains are paired.

    By slice is measured what a promotion of the newest is decided by, with fewer resamples, as a verdict does it.
    """
    if not basis.answers:
        return []
    sides = sides_of(compared)
    asked, case = asked_rows(sides, basis), newest_first(sides)[0].case
    decides, rules = case.promotion.metric, case.evaluation.slices
    metrics = {name: metric for side in sides for name, metric in side.problem.metrics.items()}
    everything = np.arange(len(asked.target))
    found = [
        _measured("all", metrics[name], sides, asked, everything, RESAMPLES if name == decides else FEWER)
        for name in paced("Metrics measured", list(metrics))
    ]
    if rules is None:
        return found
    frame = columns_of(basis, asked.numbers, [*rules.columns, asked.common.target])
    there = rules.model_copy(update={"columns": [name for name in rules.columns if name in frame]})
    parts = list(slices_of(frame, there, asked.target, problem_of(asked.common)))
    return found + [
        _measured(where, metrics[decides], sides, asked, inside, FEWER) for where, inside in paced("Slices measured", parts)
    ]


def _measured(where: str, metric: Metric, sides: Sequence[Side], asked: Asked, inside: np.ndarray, times: int) -> Measured:
    """A metric of some of the rows; of a version whose problem has none such, nothing."""
    target, blocks = asked.target[inside], asked.blocks[inside]
    own = {side.number: side.problem.metrics.get(metric.name) for side in sides}
    judged = {number: asked.judged[number][inside] for number in own}
    value = {number: its.value(target, judged[number]) for number, its in own.items() if its}
    value = {number: found for number, found in value.items() if not np.isnan(found)}
    drawn = resampled.drawn(
        {number: its.resampled(target, judged[number]) for number, its in own.items() if its}, blocks, times
    )
    count = len(np.unique(blocks))
    signed = 1 if metric.greater_is_better else -1

    def gain(before: str, after: str) -> Estimate | None:
        if before not in value or after not in value:
            return None
        return resampled.estimate(signed * (value[after] - value[before]), signed * (drawn[after] - drawn[before]), count)

    return Measured(
        where=where,
        metric=metric.name,
        greater_is_better=metric.greater_is_better,
        rows=len(inside),
        values={
            number: resampled.estimate(value[number], drawn[number], count) if number in value else None for number in own
        },
        gains=[Gain(before=one, after=other, estimate=gain(one, other)) for one, other in combinations(own, 2)],
    )
