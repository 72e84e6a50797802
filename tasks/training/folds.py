"""Forward chaining: parts of the past that were the future of what lies before them, and which recipe did best there."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from configs.schema import UseCase
from tasks.data.frames import read_rows
from tasks.data.queries import at_a_query
from tasks.data.ripe import ripe_rows
from tasks.data.values import Split
from tasks.problems.metrics import gain

LEAST_ROWS = 100


class Fold(NamedTuple):
    """Rows [0, learn) train, rows [start, stop) judge; between them lie rows whose label was not known at `start`."""

    learn: int
    start: int
    stop: int


def forward_folds(use_case: UseCase, split: Split) -> list[Fold]:
    """`training.folds` of them, the newest first, as long as the holdout or shorter; none of them sees the holdout,
    or a label that came after it began.

    Without a time rows have no order, and each fold judges other ones. Empty where there are too few rows.
    Tashman, "Out-of-sample tests of forecasting accuracy" (2000).
    """
    number_of_folds, time = use_case.training.folds, use_case.source.time_column
    length = min(split.snapshot.rows - split.cut, split.learn // (number_of_folds + 1))
    if length < LEAST_ROWS:
        return []
    times = read_rows(split.snapshot, 0, split.learn, [time])[time].to_numpy() if time else None
    folds = []
    for stop in range(split.learn, split.learn - number_of_folds * length, -length):
        start = stop - length if use_case.target.query is None or times is None else at_a_query(times, stop - length)
        known = start if times is None else ripe_rows(times, start, use_case.source.label_delay)
        folds.append(Fold(known, start, stop))
    return folds


def best(metric: str, scores: np.ndarray) -> tuple[int, str]:
    """Which candidate to take, and why; `scores` has shape (candidates, folds), the usual candidate first.

    Another one must beat it by more than the standard error of its gain over the folds, else chance would choose
    (the rule of one standard error of Breiman et al., "Classification and Regression Trees", 1984).

    >>> best("roc_auc", np.array([[0.70, 0.71], [0.75, 0.74], [0.60, 0.84]]))
    (1, 'roc_auc 0.7450 against 0.7050, a gain of +0.0400 (standard error 0.0100) over 2 folds')
    """
    gains = np.array([[gain(metric, new, usual) for new, usual in zip(row, scores[0], strict=True)] for row in scores])
    means, folds = gains.mean(axis=1), scores.shape[1]
    errors = gains.std(axis=1, ddof=1) / np.sqrt(folds) if folds > 1 else np.full(len(gains), np.inf)
    beyond = np.where(means > errors, means, -np.inf)
    beyond[0] = 0.0
    chosen = int(np.argmax(beyond))
    if chosen == 0:
        return 0, f"none of {len(scores) - 1} others beat it by more than a standard error over {folds} folds"
    return chosen, (
        f"{metric} {scores[chosen].mean():.4f} against {scores[0].mean():.4f}, a gain of {means[chosen]:+.4f} "
        f"(standard error {errors[chosen]:.4f}) over {folds} folds"
    )
