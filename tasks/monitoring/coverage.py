"""Coverage of intervals on the labels that have come, held against what windows of the version's own holdout show."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from tasks.monitoring.measured import Labelled, bound, measure
from tasks.monitoring.values import Coverage
from tasks.problems.metrics import REGRESSION


def watched_coverage(
    promised: float,
    holdout: tuple[np.ndarray, np.ndarray],
    known: Labelled,
    drawn: Iterable[np.ndarray],
    days: int,
    rate: float,
) -> Coverage:
    """The share of the labelled rows within their interval.

    Args:
        promised: The share that the version's intervals are made to hold.
        holdout: Its targets and answers.
        known: The labelled rows of the window.
        drawn: Row numbers of the holdout that make windows as long as this one.
        days: How many the holdout has.
        rate: The share of windows without change that may fall under the floor.
    """
    metric = REGRESSION["coverage"]
    value, lower, upper = measure(metric, known)
    scored = metric.resampled(*holdout)
    floor = bound(metric.name, [scored(rows) for rows in drawn], rate, days)
    return Coverage(
        promised=promised,
        value=value,
        lower=lower,
        upper=upper,
        floor=floor,
        expected=metric.value(*holdout),
        fell=value < floor,
    )
