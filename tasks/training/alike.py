"""How far answers are from being alike between groups, as one number, which a search for a strength makes small."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from configs.fairness import Fairness, Tolerance
from tasks.data.measures import Outcomes, measures_of

AS_MANY = 2.0  # times as many favourable answers as usual, or one part in so many
HALFWAY = 0.5  # from the bound to groups that are alike: what just keeps a bound where it was found breaks it elsewhere


class Strength(NamedTuple):
    """How one strength of a mitigation does on rows: the less `apart` the better, then the more `right`.

    `favourable` is the share that is answered favourably: nobody is treated alike by answering nobody so, or everybody.
    """

    apart: float
    right: float
    favourable: float

    def affordable(self, usual: Strength, may_cost: float) -> bool:
        """Whether it costs no larger share of right answers than it may, and still answers about as many favourably."""
        usually, now = usual.favourable, self.favourable
        as_many = usually / AS_MANY <= now <= usually * AS_MANY
        return self.right >= usual.right - may_cost and as_many

    def better(self, other: Strength) -> bool:
        """Whether groups are more alike, or as much with more right answers."""
        return (self.apart, -self.right) < (other.apart, -other.right)


def strength(rules: Fairness, outcomes: Outcomes, groups: Mapping[str, np.ndarray]) -> Strength:
    """Of outcomes and groups of the same rows, none of which was left to a person.

    >>> from configs.fairness import Criteria
    >>> rules = Fairness(protected=["g"], criteria=Criteria(selection_rate=Tolerance(ratio=0.8)), least=2)
    >>> strength(rules, Outcomes(np.array([1, 1, 1, 0]), np.ones(4)), {"g": np.array(["x", "x", "y", "y"])})
    Strength(apart=0.4, right=0.75, favourable=0.75)
    """
    beyond = 0.0
    for criterion, bound in rules.criteria.given.items():
        for measure in measures_of(criterion, outcomes):
            for of in groups.values():
                inside = [(of == group) & measure.counts for group in sorted({group for group in of if group is not None})]
                means = [float(measure.number[rows].mean()) for rows in inside if rows.sum() >= rules.least]
                beyond += _beyond(bound, min(means), max(means)) if len(means) > 1 else 0.0
    right, favourable = (outcomes.answered == outcomes.turned).mean(), outcomes.answered.mean()
    return Strength(round(beyond, 12), float(right), float(favourable))


def _beyond(bound: Tolerance, low: float, high: float) -> float:
    """How far two rates are beyond what is aimed at."""
    if bound.ratio is None:
        return max(0.0, high - low - float(bound.difference or 0) * HALFWAY)
    aim = bound.ratio + (1 - bound.ratio) * HALFWAY
    return max(0.0, aim - low / high) if high else 0.0
