"""Values of explaining: what moves a model's answers, over many rows."""

from __future__ import annotations

from pathlib import Path

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
