"""What a model reaches without any care, cross-validated: the ground that a gate stands on."""

from __future__ import annotations

import math

import numpy as np

from tasks.onboarding.answers import Answer
from tasks.onboarding.first import Fold
from tasks.onboarding.values import Gate

RESAMPLES = 400
ERROR = 0.01  # a holdout of so many rows shows a model that is as good as the first one to be worse than its gate
CHANCE = 0.05  # a guess is taken for something that was learned
ONE_SIDED = 1.645  # the quantile of the normal at 1 - CHANCE
DRAWN = 5000  # rows of a resample at most; more tell the same


def gate_of(folds: list[Fold], y: np.ndarray, answer: Answer, timed: bool, held_out: int) -> Gate:
    """The bound that a release of this table should keep; the rows of `y` are in time order where `timed`.

    The answers of a first model for rows that it has not seen are resampled (Efron & Tibshirani, "An Introduction to the
    Bootstrap", 1993), which supposes nothing of how its errors are spread. Where it is better than a guess beyond chance,
    the gate is what all but one in a hundred holdouts of that size reach, and at least a guess. Where it is not, there is
    nothing to release, and the gate is what a guess reaches in one of twenty such holdouts.
    """
    if not folds:
        return _unlearned(answer, y, held_out, "no fold has two answers to learn")
    scores = [answer.score(truth, predicted) for truth, predicted in folds]
    pooled = np.concatenate([truth for truth, _ in folds]), np.concatenate([predicted for _, predicted in folds])
    judged = folds[int(np.argmin(scores))] if timed else pooled
    order = "each on rows later than it learned from" if timed else "cross-validated"
    told = f"a first model reaches {', '.join(f'{score:.3f}' for score in scores)} ({order}, {len(y):,} rows)"
    gains = [score - answer.dummy(truth) for truth, score in _drawn(*pooled, answer, len(pooled[0]))]
    if not gains or np.quantile(gains, CHANCE) <= 0:
        return _unlearned(answer, y, held_out, told)
    reached = [score for _, score in _drawn(*judged, answer, held_out)] or scores
    bound, dummy = float(np.quantile(reached, ERROR)), answer.dummy(y)
    value = max(math.floor(100 * bound) / 100, math.ceil(1000 * dummy) / 1000)
    why = (
        f"{told}; all but {ERROR:.0%} of holdouts of {held_out:,} rows would show {bound:.3f} or more; always the same "
        f"answer reaches {dummy:.3g}, and a gate is never below that"
    )
    return Gate(metric=answer.metric, bound="at_least", value=value, why=why, weak=bound <= dummy)


def _unlearned(answer: Answer, y: np.ndarray, held_out: int, told: str) -> Gate:
    """What a guess, the most frequent answer or a number near the mean, is seldom above by chance."""
    dummy = answer.dummy(y)
    spread = answer.noise(dummy, y, held_out) if dummy else 1 / math.sqrt(max(held_out, 1))
    value = math.ceil(100 * (dummy + ONE_SIDED * spread)) / 100
    why = (
        f"{told}; that is not better than always the same answer ({dummy:.3g}) beyond chance: nothing was found to learn; "
        f"a guess is above the gate in about {CHANCE:.0%} of holdouts of {held_out:,} rows"
    )
    return Gate(metric=answer.metric, bound="at_least", value=min(value, 1.0), why=why, weak=True, learned=False)


def _drawn(truth: np.ndarray, predicted: np.ndarray, answer: Answer, rows: int) -> list[tuple[np.ndarray, float]]:
    """Resamples of so many rows: the answers, and the score; without those in which it cannot be said."""
    generator, found = np.random.default_rng(0), []
    for _ in range(RESAMPLES):
        taken = generator.integers(0, len(truth), max(min(rows, DRAWN), 1))
        found.append((truth[taken], answer.score(truth[taken], predicted[taken])))
    return [(some, score) for some, score in found if not np.isnan(score)]
