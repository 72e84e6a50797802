"""Constrained training: rows cost so much, for each answer, that the cheapest classifier keeps the criteria.

Agarwal et al., "A Reductions Approach to Fair Classification" (2018), as fairlearn has it: a constraint with a multiplier
becomes a cost of rows, a cost becomes a label and a weight, and any classifier that takes weights learns it. Their grid
search is done one multiplier after another, so that several criteria and groups need no grid of all combinations. What
comes out is one model, never a draw from several (docs/decisions/0043).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

from configs.errors import InputError
from configs.fairness import Criterion, Fairness
from tasks.data.measures import Outcomes
from tasks.training.alike import Strength, strength

APART = 0.25  # the share of the rows, the latest, on which multipliers are chosen; nothing is learned from it meanwhile
LEAST = 5  # rows that turned out either way in a group that is weighed
STEPS = (0.25, 0.5, 0.75, 1.0, 1.5)  # of a multiplier: the most that it adds to the cost of a row, which is 1 without any


class Lesson(NamedTuple):
    """Whether the favourable answer to a row is the cheaper one, 1 or 0, and by how much; both of shape (rows,)."""

    favourable: np.ndarray
    weights: np.ndarray


def constrained(
    rules: Fairness,
    turned: np.ndarray,
    groups: Mapping[str, np.ndarray],
    learn: Callable[[slice, Lesson], Any],
    answered: Callable[[Any, slice], np.ndarray],
) -> Any:
    """What is learned from all rows, with the multipliers that did best on the latest of them when learned from the others.

    Args:
        rules: The criteria, and what they may cost.
        turned: 1 where a row turned out favourable, else 0, shape (rows,).
        groups: By name the group of each row, None where it has none.
        learn: Fits a classifier to a lesson of some rows.
        answered: What a classifier answers to some rows, 1 where that is favourable.

    Raises:
        InputError: there are not two groups large enough to compare.
    """
    cut = len(turned) - round(APART * len(turned))
    early, late = slice(0, cut), slice(cut, len(turned))
    costs = _costs(rules, turned[early], {name: of[early] for name, of in groups.items()})
    if not costs:
        raise InputError(
            f"fairness.mitigation: 'constrained': of no protected column do two groups have {LEAST} rows of either class to "
            "learn from; leave 'constrained' out"
        )
    apart = {name: of[late] for name, of in groups.items()}

    def tried(multipliers: np.ndarray) -> Strength | None:
        lesson = _lesson(turned[early], costs.values(), multipliers)
        if len(np.unique(lesson.favourable)) < 2:
            return None
        found = answered(learn(early, lesson), late)
        return strength(rules, Outcomes(found.astype(float), turned[late].astype(float)), apart)

    multipliers = _searched(len(costs), tried, rules.may_cost)
    everywhere = _costs(rules, turned, groups)
    return learn(slice(0, len(turned)), _lesson(turned, [everywhere[name] for name in costs], multipliers))


def _searched(count: int, tried: Callable[[np.ndarray], Strength | None], may_cost: float) -> np.ndarray:
    """Multipliers, one after another the best beside those before it; farther on the side where the first step is better."""
    best, usual = np.zeros(count), tried(np.zeros(count))
    if usual is None:
        return best
    reached = usual
    for place in range(count):
        start, sides = best, {}
        for side in (1, -1):
            found = tried(_moved(start, place, side * STEPS[0]))
            if found is not None:
                sides[side] = found
        if not sides:
            continue
        side = min(sides, key=lambda each: (sides[each].apart, -sides[each].right))
        for step in STEPS:
            moved = _moved(start, place, side * step)
            found = sides[side] if step == STEPS[0] else tried(moved)
            if found is not None and found.affordable(usual, may_cost) and found.better(reached):
                best, reached = moved, found
    return best


def _moved(multipliers: np.ndarray, place: int, step: float) -> np.ndarray:
    found = multipliers.copy()
    found[place] = step
    return found


def _costs(rules: Fairness, turned: np.ndarray, groups: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """By constraint what a multiplier of 1 adds to the cost of each row where it is answered otherwise, at most 1."""
    found: dict[str, np.ndarray] = {}
    for criterion in rules.criteria.given:
        for by, of in groups.items():
            for name, added in _of_moment(criterion, of, turned).items():
                found[f"{criterion} by {by}: {name}"] = added
    return found


def _of_moment(criterion: Criterion, of: np.ndarray, turned: np.ndarray) -> dict[str, np.ndarray]:
    """By event and group what fairlearn's moment weighs rows with; of groups that are large enough in each event."""
    import pandas as pd
    from fairlearn import reductions

    moments: dict[Criterion, Any] = {
        "selection_rate": reductions.DemographicParity,
        "false_positive_rate": reductions.FalsePositiveRateParity,
        "false_negative_rate": reductions.TruePositiveRateParity,
        "equalised_odds": reductions.EqualizedOdds,
    }
    large = [group for group in sorted({group for group in of if group is not None}) if _enough(of == group, turned)]
    rows = np.flatnonzero(np.isin(of, large))
    if len(large) < 2:
        return {}
    moment, found = moments[criterion](), {}
    moment.load_data(np.zeros((len(rows), 1)), turned[rows], sensitive_features=of[rows].astype(str))
    for sign, event, group in moment.index:
        if sign == "+" or group == large[0]:  # the same with the other sign, and what the other groups decide
            continue
        alone = pd.Series(0.0, index=moment.index)
        alone[sign, event, group] = 1.0
        added = np.zeros(len(turned))
        added[rows] = moment.signed_weights(alone)
        found[f"{event}, {group}"] = added / np.abs(added).max()
    return found


def _enough(inside: np.ndarray, turned: np.ndarray) -> bool:
    """Whether so many rows turned out either way: fewer say nothing, and would cost the more."""
    return min(int((inside & (turned == each)).sum()) for each in (0, 1)) >= LEAST


def _lesson(turned: np.ndarray, costs: Iterable[np.ndarray], multipliers: np.ndarray) -> Lesson:
    """Costs as labels and weights: a row costs 1 where it is answered as it did not turn out, and what constraints add."""
    signed = 2.0 * turned - 1 + sum(each * added for each, added in zip(multipliers, costs, strict=True))
    return Lesson((signed > 0).astype(np.int64), np.abs(signed))
