"""When requests of a load arrive: at random, at a rate that follows its phases."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any


def arrivals(phases: list[dict[str, Any]], seed: int = 0) -> Iterator[tuple[str, float]]:
    """Phase and due time in seconds of every request, by thinning (Lewis and Shedler, 1979).

    A phase goes from rate `first` to rate `last` in `seconds`, in a straight line.

    >>> sum(1 for _ in arrivals([{"phase": "soak", "first": 100, "last": 100, "seconds": 10}]))
    989
    """
    dice, begin = random.Random(seed), 0.0
    for phase in phases:
        highest, at = max(phase["first"], phase["last"]), 0.0
        while (at := at + dice.expovariate(highest)) < phase["seconds"]:
            rate = phase["first"] + (phase["last"] - phase["first"]) * at / phase["seconds"]
            if dice.random() * highest < rate:
                yield phase["phase"], begin + at
        begin += phase["seconds"]
