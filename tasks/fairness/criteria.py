"""Criteria: whether groups are alike as far as they must be, with intervals that hold together.

Every two groups are compared, which is what fairlearn's ratio and difference "between groups" are: the smallest over the
largest keeps a bound where every two groups do. A criterion is violated where the whole interval of two groups lies beyond
the bound, and it holds where all intervals lie within. The intervals are Bonferroni's: of `c` comparisons each has the
confidence 1 - (1 - confidence) / c, so the chance that any calls a violation what is none is at most 1 - confidence, however
the groups overlap (Dunn, "Multiple Comparisons Among Means", 1961).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import NamedTuple

import numpy as np

from configs.fairness import Fairness, Tolerance
from tasks.data.measures import Measured, Outcomes, measures_of
from tasks.fairness.intervals import Estimate, difference, mean, rate, ratio
from tasks.fairness.values import FairnessFound, Gap, GroupNumber, Judged, Verdict


class _Asked(NamedTuple):
    """A measure of a criterion by the groups of a column: the numbers of each group's rows that count."""

    criterion: str
    bound: Tolerance
    by: str
    measure: Measured
    numbers: dict[str, np.ndarray]
    least: int

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """Every two groups with enough rows."""
        return list(combinations((name for name, rows in self.numbers.items() if len(rows) >= self.least), 2))

    def estimate(self, group: str, confidence: float) -> Estimate:
        rows = self.numbers[group]
        return rate(round(rows.sum()), len(rows), confidence) if self.measure.is_rate else mean(rows, confidence)


def judge(
    rules: Fairness, favourable: str, outcomes: Outcomes, groups: Mapping[str, np.ndarray], confidence: float | None = None
) -> FairnessFound:
    """Hold the groups against every criterion.

    Args:
        rules: What must be alike, and how far.
        favourable: The answer that people want, as it is told.
        outcomes: What was answered and turned out.
        groups: By protected column the group of each row, shape (rows,), None where it is not known.
        confidence: With which all intervals hold together, where not `rules.confidence`.
    """
    asked = list(_asked(rules, outcomes, groups))
    comparisons = sum(len(each.pairs) for each in asked)
    confidence = rules.confidence if confidence is None else confidence
    each_with = 1 - (1 - confidence) / max(comparisons, 1)
    return FairnessFound(
        favourable=favourable,
        rows=len(outcomes.answered),
        confidence=confidence,
        comparisons=comparisons,
        judged=[_judged(each, rules, each_with) for each in asked],
        unknown={name: count for name, of in groups.items() if (count := sum(group is None for group in of))},
    )


def _asked(rules: Fairness, outcomes: Outcomes, groups: Mapping[str, np.ndarray]) -> Iterator[_Asked]:
    for by, of in groups.items():
        names = sorted({group for group in of if group is not None})
        inside = {name: of == name for name in names}
        for criterion, bound in rules.criteria.given.items():
            for measure in measures_of(criterion, outcomes):
                numbers = {name: measure.number[rows & measure.counts] for name, rows in inside.items()}
                yield _Asked(criterion, bound, by, measure, numbers, rules.least)


def _judged(asked: _Asked, rules: Fairness, confidence: float) -> Judged:
    gaps = [_gap(asked, pair, confidence) for pair in asked.pairs]
    verdicts = [gap_verdict(asked.bound, gap) for gap in gaps]
    verdict: Verdict = next((each for each in ("violated", "undecided", "holds") if each in verdicts), "too few")
    deciding = [gap for gap, said in zip(gaps, verdicts, strict=True) if said == verdict]
    return Judged(
        criterion=asked.criterion,
        measure=asked.measure.name,
        by=asked.by,
        bound=asked.bound.told,
        verdict=verdict,
        groups=[_number(asked, group, rules.confidence) for group in asked.numbers],
        gap=max(deciding, key=lambda gap: _apart(asked.bound, gap), default=None),
    )


def _number(asked: _Asked, group: str, confidence: float) -> GroupNumber:
    rows = len(asked.numbers[group])
    if rows < asked.least:
        return GroupNumber(group=group, rows=rows)
    value, lower, upper = asked.estimate(group, confidence)
    return GroupNumber(group=group, rows=rows, value=value, lower=lower, upper=upper)


def _gap(asked: _Asked, pair: tuple[str, str], confidence: float) -> Gap:
    found = {group: asked.estimate(group, confidence) for group in pair}
    smaller, larger = sorted(pair, key=lambda group: found[group].value)
    if asked.bound.ratio is None:
        value, lower, upper = difference(found[larger], found[smaller])
    else:
        value, lower, upper = ratio(found[smaller], found[larger])
    return Gap(smaller=smaller, larger=larger, value=value, lower=lower, upper=None if math.isinf(upper) else upper)


def gap_verdict(bound: Tolerance, gap: Gap) -> Verdict:
    """What an interval says of the bound. It may also reach to where the other group is the larger one.

    >>> gap = Gap(smaller="b", larger="a", value=0.7, lower=0.6, upper=0.79)
    >>> tuple(gap_verdict(Tolerance(ratio=bound), gap) for bound in (0.8, 0.75, 0.5))
    ('violated', 'undecided', 'holds')
    """
    upper = math.inf if gap.upper is None else gap.upper
    if bound.ratio is not None:
        beyond, within = upper < bound.ratio, gap.lower >= bound.ratio and upper <= 1 / bound.ratio
    else:
        most = float(bound.difference or 0)
        beyond, within = gap.lower > most, gap.lower >= -most and upper <= most
    return "violated" if beyond else "holds" if within else "undecided"


def _apart(bound: Tolerance, gap: Gap) -> float:
    return gap.value if bound.ratio is None else -gap.value
