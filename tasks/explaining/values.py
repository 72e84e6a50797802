"""Values of explaining: what moves a model's answers, over many rows; what would have to change for another answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from configs.settings import store
from tasks.store import Value


class Importance(Value):
    """How much one column moves answers, a row on average, with an interval of 95 %."""

    column: str
    value: float
    lower: float
    upper: float


class Effect(Value):
    """How answers change along one column: accumulated local effects, which are 0 on average over the rows.

    `answers` has by name each number that is answered: its effect at every place of `at`, which ascends where `ordered`.
    """

    column: str
    ordered: bool
    at: list[float] | list[str]
    answers: dict[str, list[float]]


class Influence(Value):
    """What moves the answers of one model, on `rows` held out rows, the most important column first.

    `how` says how importance was measured, `unit` in what. `effects` are of the columns that matter most; of `left_out` ones
    there is none, and why. `page` is the digest of a page of it.
    """

    how: str
    unit: str
    rows: int
    columns: list[Importance]
    effects: list[Effect]
    left_out: dict[str, str] = {}
    page: str = ""

    @property
    def page_path(self) -> Path:
        """Where the page lies: HTML that loads nothing."""
        return store("influence") / f"{self.page}.html"


class Changed(Value):
    """One column that would have to be otherwise, and the words for it."""

    column: str
    was: Any
    value: Any
    says: str


class Way(Value):
    """Changes which together lead to the wanted answer, and none of which can be left out.

    `distance` is the sum of the changes: numbers in median absolute deviations of their column, anything else 1.
    `answer` and `output` are what the model says of the changed record.
    """

    changes: list[Changed]
    distance: float
    answer: Any
    output: list[float]


class WhatIf(Value):
    """What would have to change. Of the `version` that answered: another may say otherwise.

    `ways` come the cheapest first; where there are none `none` says why: nothing in reach, or nothing to look for. `movable`
    are the columns that were changed, at most `most` at once, and `asked` is how many records the model was asked.
    """

    version: str
    outcome: str
    ways: list[Way] = []
    none: str = ""
    movable: list[str] = []
    most: int = 0
    asked: int = 0

    @property
    def told(self) -> list[str]:
        """A sentence a way: it says what the model would have answered, and promises nothing."""
        return [f"would have been {self.outcome} if {together([each.says for each in way.changes])}" for way in self.ways]


def together(parts: list[str]) -> str:
    """Several as one.

    >>> together(["a"]), together(["a", "b"]), together(["a", "b", "c"])
    ('a', 'a and b', 'a, b and c')
    """
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)
