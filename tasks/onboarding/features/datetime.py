"""Moments, in a first look."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from configs.schema import ColumnRule
from serving.contract.kinds.moments import EXAMPLE, parts, spelled
from serving.contract.kinds.strings import MISSING
from tasks.data.frames import plain
from tasks.onboarding.answers import Answer
from tasks.onboarding.features.numeric import by_a_tree


class Datetime:
    """Columns of moments; what is none is missing."""

    read_as = "timestamp with time zone"
    anybody = False
    costly = False
    adds_up = False
    leaks_alone = True

    def encoded(self, values: Any) -> np.ndarray:
        """In the contract's spelling."""
        return np.array([spelled(value) or MISSING for value in plain(values)], dtype=object)

    def as_numbers(self, values: Any) -> np.ndarray:
        """Their parts."""
        return parts(self.encoded(values).reshape(-1, 1)).astype(np.float64)

    def as_graph(self, values: Any) -> np.ndarray:
        """Their parts."""
        return parts(self.encoded(values).reshape(-1, 1))

    def alone(self, values: Any, y: np.ndarray) -> np.ndarray:
        """By a tree."""
        return by_a_tree(self.as_graph(values), y)

    def sign(self, values: Any, y: np.ndarray, answer: Answer) -> str:
        """None that only moments show; what comes later than its row is left out before (`times.left_later`)."""
        return ""

    def personal(self, values: Any) -> str:
        """Nothing that could be seen."""
        return ""

    def wrong(self, name: str, rule: ColumnRule, values: Any) -> Iterator[str]:
        """What is no moment."""
        strange = values[self.encoded(values) == MISSING]
        if len(strange):
            yield (
                f"features.datetime: {name!r} has {len(strange):,} values that are no time in ISO 8601, as {EXAMPLE!r} is, "
                f"such as {strange.iloc[0]!r}"
            )
