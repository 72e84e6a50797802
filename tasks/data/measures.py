"""Measures: what is counted in a group, of which rows."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from configs.fairness import Criterion
from configs.schema import UseCase
from serving.contract.contract import Contract
from tasks.data.protected import favourable_place
from tasks.problems.problem import Problem

LEFT = -1  # of a row that no class was answered for


class Outcomes(NamedTuple):
    """What was answered and what turned out, shape (rows,).

    Of classes 1 is the favourable one and 0 any other; NaN is a row that was left to a person, or whose label is not known.
    """

    answered: np.ndarray
    turned: np.ndarray


class Measured(NamedTuple):
    """A number of each row and which rows count, shape (rows,). Of a rate the numbers are 0 and 1."""

    name: str
    number: np.ndarray
    counts: np.ndarray
    is_rate: bool = True


def outcomes_of(use_case: UseCase, problem: Problem, contract: Contract, target: np.ndarray, judged: np.ndarray) -> Outcomes:
    """Of targets as the problem has them, shape (rows,), and what it judged of the answers."""
    place = favourable_place(use_case, contract.classes)
    if place is None:
        return Outcomes(problem.score(judged).astype(np.float64), target.astype(np.float64))
    decided = problem.decisions(problem.unjudged(judged))
    answered = np.where(decided == LEFT, np.nan, decided == place)
    return Outcomes(answered, np.where(np.isnan(target.astype(np.float64)), np.nan, target == place))


def measures_of(criterion: Criterion, outcomes: Outcomes) -> list[Measured]:
    """What a criterion looks at: one measure, or true and false positive rates.

    >>> outcomes = Outcomes(np.array([1.0, 0.0, 1.0]), np.array([1.0, 1.0, 0.0]))
    >>> [(each.name, float(each.number[each.counts].mean())) for each in measures_of("equalised_odds", outcomes)]
    [('true_positive_rate', 0.5), ('false_positive_rate', 1.0)]
    """
    answered, turned = outcomes
    known = ~np.isnan(answered)
    selected = Measured("selection_rate", answered, known)
    false_positives = Measured("false_positive_rate", answered, known & (turned == 0))
    true_positives = Measured("true_positive_rate", answered, known & (turned == 1))
    false_negatives = Measured("false_negative_rate", 1 - answered, known & (turned == 1))
    error = Measured("mean_absolute_error", np.abs(answered - turned), known & ~np.isnan(turned), is_rate=False)
    of: dict[Criterion, list[Measured]] = {
        "selection_rate": [selected],
        "false_positive_rate": [false_positives],
        "false_negative_rate": [false_negatives],
        "equalised_odds": [true_positives, false_positives],
        "error": [error],
    }
    return of[criterion]
