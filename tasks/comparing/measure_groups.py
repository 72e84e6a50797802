"""Measure groups: each criterion of `fairness` by protected group, for every version, on the fair rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations

import numpy as np
from prefect import task

from configs.fairness import Fairness
from configs.schema import UseCase
from tasks.comparing import resampled
from tasks.comparing.asked_rows import Asked, asked_rows, columns_of
from tasks.comparing.side import Side, newest_first, sides_of
from tasks.comparing.values import Basis, Gain, GroupGain, Groups
from tasks.data.groups import groups_of
from tasks.data.measures import Outcomes, measures_of, outcomes_of
from tasks.data.protected import favourable_place
from tasks.fairness.criteria import judge
from tasks.registry.values import Version
from tasks.training.slices import RESAMPLES

HIGHER_IS_BETTER = ("selection_rate", "true_positive_rate")  # for whom it is the rate of; all others are errors


@task
def measure_groups(compared: Sequence[Version], basis: Basis) -> Groups | None:
    """By the criteria of the newest; nothing where it has none, or no rows are fair to all.

    Each version is judged as the gate judges a candidate. How a group's number changed from version to version is measured
    on the same resamples of whole days.
    """
    sides = sides_of(compared)
    case = newest_first(sides)[0].case
    if case.fairness is None or not basis.answers:
        return None
    asked, rules = asked_rows(sides, basis), case.fairness
    frame = columns_of(basis, asked.numbers, rules.protected)
    unseen = {name: "the snapshot of these rows has no such column" for name in rules.protected if name not in frame}
    groups = groups_of({name: frame[name] for name in frame}, rules.intersections and not unseen)
    outcomes = {side.number: _outcomes(case, side, asked) for side in sides}
    place = favourable_place(case, asked.common.classes)
    favourable = "" if place is None else str(asked.common.classes[place])
    found = {number: judge(rules, favourable, each, groups) for number, each in outcomes.items()}
    return Groups(
        found={number: each.model_copy(update={"unseen": unseen}) for number, each in found.items()},
        gains=list(_gains(rules, outcomes, groups, asked.blocks)),
    )


def _outcomes(case: UseCase, side: Side, asked: Asked) -> Outcomes:
    return outcomes_of(case, side.problem, asked.common, asked.target, asked.judged[side.number])


def _gains(
    rules: Fairness, outcomes: dict[str, Outcomes], groups: dict[str, np.ndarray], blocks: np.ndarray
) -> Iterator[GroupGain]:
    """Of the groups with enough rows under each version, in the order in which they are judged."""
    for by, of in groups.items():
        for criterion in rules.criteria.given:
            measures = {number: measures_of(criterion, each) for number, each in outcomes.items()}
            for measured in zip(*measures.values(), strict=True):
                numbers = [np.where(each.counts, each.number, np.nan) for each in measured]
                for group in sorted({group for group in of if group is not None}):
                    inside = of == group
                    values = {number: rows[inside] for number, rows in zip(measures, numbers, strict=True)}
                    if min((~np.isnan(rows)).sum() for rows in values.values()) >= rules.least:
                        gains = _of_group(measured[0].name, values, blocks[inside])
                        yield GroupGain(by=by, measure=measured[0].name, group=group, gains=gains)


def _of_group(measure: str, values: dict[str, np.ndarray], blocks: np.ndarray) -> list[Gain]:
    """How much better the group is treated by a later version; `values` of its rows, NaN where one does not count."""
    drawn = resampled.drawn({number: _mean_of(rows) for number, rows in values.items()}, blocks, RESAMPLES)
    value, count = {number: float(np.nanmean(rows)) for number, rows in values.items()}, len(np.unique(blocks))
    signed = 1 if measure in HIGHER_IS_BETTER else -1
    return [
        Gain(
            before=one,
            after=other,
            estimate=resampled.estimate(signed * (value[other] - value[one]), signed * (drawn[other] - drawn[one]), count),
        )
        for one, other in combinations(values, 2)
    ]


def _mean_of(values: np.ndarray) -> resampled.Statistic:
    """Of a resample without any row that counts there is none."""

    def mean(rows: np.ndarray) -> float:
        chosen = values[rows]
        known = chosen[~np.isnan(chosen)]
        return float(known.mean()) if len(known) else np.nan

    return mean
