"""Streams of requests as a challenger and its reference meet them: what each answered is a number, the higher the worse."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np


class Stream(NamedTuple):
    """One side's requests in the order in which they are known; `keys` are the persons where persons come again.

    `past` is what was known of each person, by key, before they met a variant.
    """

    values: np.ndarray
    keys: np.ndarray | None = None
    past: np.ndarray | None = None


Dice = np.random.Generator
Make = Callable[[Dice, float, int], tuple[Stream, Stream]]  # by the effect, and how many requests each side has


def errors(rate: float) -> Make:
    """Shares of requests that go wrong; `effect` is added to the challenger's."""

    def make(dice: Dice, effect: float, n: int) -> tuple[Stream, Stream]:
        one, other = ((dice.random(n) < p).astype(float) for p in (rate + effect, rate))
        return Stream(one), Stream(other)

    return make


def bursts(dice: Dice, effect: float, n: int) -> tuple[Stream, Stream]:
    """Errors that come in bursts which meet both sides: 1 % usually, a third in every twentieth stretch of the time."""
    rates = np.where(dice.random(100) < 0.05, 1 / 3, 0.01).repeat(n // 100)
    one, other = ((dice.random(n) < rates + more).astype(float) for more in (effect, 0))
    return Stream(one), Stream(other)


def weekdays(dice: Dice, effect: float, n: int) -> tuple[Stream, Stream]:
    """A loss whose mean goes up and down with the day, the same for both sides."""
    cycle = 0.1 + 0.08 * np.sin(np.linspace(0, 8 * np.pi, n))
    one, other = (np.clip(dice.beta(1, 8, n) + cycle + more, 0, 1) for more in (effect, 0))
    return Stream(one), Stream(other)


def persons(dice: Dice, effect: float, n: int) -> tuple[Stream, Stream]:
    """Each person has a rate of errors of their own, and comes ten times; a person meets one model."""

    def side(more: float) -> Stream:
        rates, keys = dice.beta(0.5, 9.5, n // 10), dice.integers(n // 10, size=n)
        return Stream((dice.random(n) < rates[keys] + more).astype(float), keys)

    return side(effect), side(0.0)


def losses(dice: Dice, effect: float, n: int) -> tuple[Stream, Stream]:
    """Squared errors of probabilities, of different requests."""
    one, other = (np.clip(dice.beta(1, 5, n) + more, 0, 1) for more in (effect, 0))
    return Stream(one), Stream(other)


def late(dice: Dice, effect: float, n: int) -> tuple[Stream, Stream]:
    """The same, known in the order in which labels come: bad losses twice as late as good ones."""

    def side(more: float) -> Stream:
        values = np.clip(dice.beta(1, 5, n) + more, 0, 1)
        due = np.arange(n) + dice.exponential(1000 * (1 + (values > 0.2)))
        return Stream(values[np.argsort(due)])

    return side(effect), side(0.0)


def revenue(dice: Dice, effect: float, n: int) -> tuple[Stream, Stream]:
    """A KPI with a heavy tail, of which less is worse: most give nothing, some give log-normal sums."""

    def side(factor: float) -> Stream:
        return Stream(-factor * (dice.random(n) < 0.1) * dice.lognormal(3, 1.2, n))

    return side(1 - effect), side(1.0)


def regulars(known: bool) -> Make:
    """The same of persons who come ten times and differ in what they spend; `known`: what they spent ten times before."""

    def make(dice: Dice, effect: float, n: int) -> tuple[Stream, Stream]:
        def side(factor: float) -> Stream:
            usual, keys = dice.lognormal(3, 1.0, n // 10), dice.integers(n // 10, size=n)
            spent = factor * (dice.random(n) < 0.5) * usual[keys] * dice.lognormal(0, 0.5, n)
            before = (dice.random((10, len(usual))) < 0.5) * usual * dice.lognormal(0, 0.5, (10, len(usual)))
            return Stream(-spent, keys, -before.mean(axis=0) if known else None)

        return side(1 - effect), side(1.0)

    return make


def worse_ranking(noise: float) -> Callable[[Dice, int], tuple[Stream, Stream, float]]:
    """Squared errors of two models on the same requests, the challenger's scores blurred; and how much AUC that costs."""

    def make(dice: Dice, n: int) -> tuple[Stream, Stream, float]:
        score = dice.normal(-1.6, 1.1, n)
        target = (dice.random(n) < sigmoid(score)).astype(float)
        blurred = (score + 1.6 + dice.normal(0, noise, n)) / (1 + noise**2 / 1.21) - 1.6  # as calibrated as it can be
        cost = auc(target, score) - auc(target, blurred)
        return Stream((sigmoid(blurred) - target) ** 2), Stream((sigmoid(score) - target) ** 2), cost

    return make


def sigmoid(values: np.ndarray) -> np.ndarray:
    """The probability of log odds."""
    return 1 / (1 + np.exp(-values))


def auc(target: np.ndarray, score: np.ndarray) -> float:
    """Area under the ROC curve, by ranks."""
    ranks = np.empty(len(score))
    ranks[np.argsort(score)] = np.arange(1, len(score) + 1)
    positives = target.sum()
    return float((ranks[target == 1].sum() - positives * (positives + 1) / 2) / (positives * (len(target) - positives)))


def paired(dice: Dice, effect: float, n: int) -> tuple[Stream, Stream]:
    """Losses of two models on the same requests, mostly alike."""
    shared = dice.beta(1, 5, n)
    one, other = (np.clip(shared + dice.normal(0, 0.05, n) + more, 0, 1) for more in (effect, 0))
    return Stream(one), Stream(other)
