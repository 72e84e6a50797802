"""What a first look at a table asks of every kind of feature. How a release encodes it, `tasks/columns/` says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np

from configs.schema import ColumnRule
from tasks.onboarding.answers import Answer

FOLDS = 3  # of what one column alone tells


class FeatureKind(Protocol):
    """A kind of feature; `values` is a pandas series as a table has it, `y` the answers as a matrix of shape (rows, k)."""

    read_as: str  # the SQL type that the texts of such a column are read as; empty where they stay texts
    anybody: bool  # whether such a column may say who a person is, whatever was seen in it
    costly: bool  # whether what it costs to look at grows with the length of its values
    adds_up: bool  # whether two such columns may make a target
    leaks_alone: bool  # whether such a column that alone tells the answer is taken to be known only after it

    def encoded(self, values: Any) -> np.ndarray:
        """As a contract has them, shape (rows,): float32 numbers, or strings, of which a missing one is empty."""

    def as_numbers(self, values: Any) -> np.ndarray:
        """What trees take, shape (rows,) or, of several numbers a value, (rows, width); NaN for what is missing."""

    def as_graph(self, values: Any) -> Any:
        """What a release's pipeline learns from, shape (rows, width): an array, or a sparse matrix."""

    def alone(self, values: Any, y: np.ndarray) -> np.ndarray:
        """The answers where only this column is known, as `y`, each from rows that it is not one of."""

    def sign(self, values: Any, y: np.ndarray, answer: Answer) -> str:
        """What tells that the column leaks the answer, and only such a kind shows; or nothing."""

    def personal(self, values: Any) -> str:
        """What the values hold that may say who a person is, whatever the column is called; or nothing."""

    def wrong(self, name: str, rule: ColumnRule, values: Any) -> Iterator[str]:
        """Rules that the values, without gaps, do not keep, and such that none of their kind can."""
