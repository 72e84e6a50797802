"""What columns of strings have in common."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from serving.contract.contract import Column
from serving.contract.kinds.strings import MISSING

MOST_VALUES = 1000  # of a column that generated rows may have
UNSEEN = "never seen before"


class Strings:
    """Columns of strings."""

    varies: Literal["in order", "by level", "not"] = "not"

    def boolean(self, values: Any) -> bool:
        """No: true and false are strings."""
        return False

    def missing(self, encoded: np.ndarray) -> np.ndarray:
        """The empty string."""
        return np.asarray(encoded == MISSING)

    def usual(self, present: np.ndarray) -> dict[str, Any]:
        """Nothing: hardly two are alike."""
        return {}

    def typical(self, values: list[Any]) -> Any:
        """The most frequent."""
        return max(sorted(set(values)), key=values.count)

    def tried(self, column: Column, held: Any) -> np.ndarray:
        """Those that rows of the holdout have, those of the contract, and new ones."""
        texts = dict.fromkeys([*held.tolist(), *(column.allowed or column.categories)])
        return np.array([text for text in texts if text != MISSING][:MOST_VALUES] + self.news(column), dtype=object)

    def news(self, column: Column) -> list[str]:
        """One that nobody has seen, where not all are declared."""
        return [UNSEEN] if column.allowed is None else []
