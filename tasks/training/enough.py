"""Whether a verdict can be had at all: how many rows there are that neither model has learned from, and on how many days."""

from __future__ import annotations

from datetime import timedelta

import numpy as np

from configs.schema import UseCase
from tasks.problems.problem import Problem, problem_of
from tasks.training.unseen import Unseen
from tasks.training.values import Comparison

LEAST_DAYS = 5  # rows of one day are not independent, so days are what is counted; of fewer the spread is not known


def too_little(use_case: UseCase, version: str, unseen: Unseen, days: np.ndarray, target: np.ndarray) -> Comparison | None:
    """The verdict "undecided" where the unseen rows are too few, with what happens then; else None.

    `days` and `target` are those of the whole holdout, shape (rows,); without a time each row is a day of its own.
    """
    timed, needed = use_case.source.time_column is not None, use_case.monitoring.min_labels
    problem = problem_of(use_case.target)
    if say_enough(problem, needed, timed, days[unseen.rows], target[unseen.rows]):
        return None
    wanted = f"{needed}{problem.rows_needed}" + f" on {LEAST_DAYS} days" * timed
    found = f"{unseen.rows.sum():,} labelled rows" + f" on {len(np.unique(days[unseen.rows]))} days" * timed
    again = ""
    if not unseen.known:
        then = f"'slipway release {use_case.name}' makes a version that records what it learned from"
    elif not say_enough(problem, needed, timed, days, target):
        then = (
            f"'split.holdout' never gives more than {len(target):,} rows: make it longer, or 'monitoring.min_labels' smaller"
        )
    elif again := _again(use_case, unseen, days):
        then = f"from {again[:16].replace('T', ' ')} on there can be enough"
    else:
        then = "the next retraining looks again"
    return Comparison(
        better=False,
        undecided=True,
        again=again,
        reason=f"undecided: {found} that version {version} has not learned from{unseen.told}; a verdict needs {wanted}. "
        f"The champion stays; {then}",
    )


def say_enough(problem: Problem, needed: int, timed: bool, days: np.ndarray, target: np.ndarray) -> bool:
    """Whether these rows are enough for a verdict; `days` and `target` have shape (rows,)."""
    enough = len(target) >= needed and problem.enough(target)
    return enough and not (timed and len(np.unique(days)) < LEAST_DAYS)


def _again(use_case: UseCase, unseen: Unseen, days: np.ndarray) -> str:
    """When the labels of enough rows will have come, at the pace of the holdout; empty where rows have no time."""
    if unseen.since is None:
        return ""
    pace = len(days) / len(np.unique(days))
    length = max(LEAST_DAYS, int(np.ceil(use_case.monitoring.min_labels / pace)))
    return (unseen.since + timedelta(days=length) + use_case.source.label_delay).isoformat()
