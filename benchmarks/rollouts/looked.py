"""A simulated rollout, looked at a hundred times with the product's own comparisons, and with a plain z-test."""

from __future__ import annotations

import numpy as np

from benchmarks.rollouts.streams import Stream
from tasks.verdicts import means, pairs
from tasks.verdicts.cuped import without_past

REQUESTS = 10_000
LOOKS = np.linspace(REQUESTS // 100, REQUESTS, 100).astype(int)  # requests of a side at each of a hundred looks
LEVEL = 0.05
Z = 1.959964


def ours(one: Stream, other: Stream, kind: str, until: np.ndarray = LOOKS, level: float = LEVEL) -> tuple[int, int]:
    """At which look the challenger is called worse, and better, for the first time; 0: at none."""
    if kind == "pairs":
        centre, half = pairs.sequence(((one.values - other.values)[None] + 1) / 2, level)
        lower, upper = (2 * (centre[0] + side * half[0])[until - 1] - 1 for side in (-1, 1))
        return first(lower > 0), first(upper < 0)
    found = np.array([_interval(one, other, kind, n, level) for n in until])
    return first(found[:, 0] > 0), first(found[:, 1] < 0)


def _interval(one: Stream, other: Stream, kind: str, n: int, level: float) -> tuple[float, float]:
    sides = []
    for side in (one, other):
        values = side.values[:n]
        sides.append(values if side.keys is None else means.clusters(values, side.keys[:n]))
    if kind == "heavy":
        sides = list(means.trimmed(*sides))
    if one.past is not None and other.past is not None:
        known = [side.past[np.unique(side.keys[:n])] for side in (one, other)]
        sides = list(without_past(sides[0], sides[1], *means.trimmed(*known)))
    found = means.difference(sides[0], sides[1], level, bounded=kind == "bounded")
    assert found is not None
    return found[1], found[2]


def z_test(one: Stream, other: Stream, kind: str, until: np.ndarray = LOOKS) -> int:
    """At which look a z-test of 5 % for one look calls the challenger worse."""
    groups = [one.values - other.values] if kind == "pairs" else [one.values, -other.values]
    found = []
    for n in until:
        error = np.sqrt(sum(group[:n].var() for group in groups) / n)
        found.append(error > 0 and sum(group[:n].mean() for group in groups) / error > Z)
    return first(np.array(found))


def first(called: np.ndarray) -> int:
    """The number of the first look that calls it, from 1; 0: none does."""
    return int(called.argmax()) + 1 if called.any() else 0
