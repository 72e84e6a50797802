"""What a model reaches without any care, cross-validated: the ground that a gate stands on."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from tasks.onboarding.answers import Answer
from tasks.onboarding.kinds import as_features
from tasks.onboarding.values import Column, Gate

FOLDS = 3
MARGIN = 0.03  # at least; what a release may be worse than the baseline
SIGMAS = 3.0  # of the chance that lies in a holdout of so many rows


def gate_of(
    columns: list[Column], sample: Any, target: Any, answer: Answer, timed: bool, held_out: int, say: Callable[[str], None]
) -> Gate:
    """The bound that a release of this table should keep; `sample` is in time order where `timed`."""
    y = answer.matrix(target)
    scores = _scores(columns, sample, y, answer, timed, say)
    noise = answer.noise(float(np.clip(np.mean(scores), 0, 1)), y, held_out)
    margin, dummy, worst = max(MARGIN, SIGMAS * noise), answer.dummy(y), min(scores)
    value = max(math.floor(100 * (worst - margin)) / 100, math.floor(100 * dummy) / 100)
    folds = ", ".join(f"{score:.3f}" for score in scores)
    order = "each on rows later than it learned from" if timed else "cross-validated"
    why = (
        f"a first model reaches {folds} ({order}, {len(y):,} rows); the worst less {margin:.2f} for chance in "
        f"{held_out:,} held out rows; always the same answer reaches {dummy:.3g}"
    )
    return Gate(metric=answer.metric, bound="at_least", value=value, why=why, weak=worst - margin <= dummy)


def _scores(
    columns: list[Column], sample: Any, y: np.ndarray, answer: Answer, timed: bool, say: Callable[[str], None]
) -> list[float]:
    """The answer's metric on each fold in which it can be said."""
    from sklearn.model_selection import KFold, TimeSeriesSplit
    from threadpoolctl import threadpool_limits

    x = np.column_stack([as_features(column, sample[column.name]) for column in columns if column.is_feature])
    x[np.isinf(x)] = np.nan
    folds = TimeSeriesSplit(FOLDS) if timed else KFold(FOLDS, shuffle=True, random_state=0)
    scores = []
    for at, (learn, judge) in enumerate(folds.split(x)):
        say(f"a first model: fold {at + 1} of {FOLDS}")
        if len(np.unique(y[learn], axis=0)) < 2:
            continue
        with threadpool_limits(1, user_api="openmp"):  # for so few rows, threads that wait for each other cost more
            model = answer.fit(answer.model(), x[learn], y[learn])
        scores.append(answer.score(y[judge], answer.predict(model, x[judge])))
    return [score for score in scores if not np.isnan(score)] or [answer.dummy(y)]
