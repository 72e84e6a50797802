"""What is true or false: ones and zeros, which linear models get scaled, and trees as they are."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from serving.contract.contract import Column
from serving.contract.spelling import spelled
from tasks.columns.numeric import Numeric
from tasks.columns.values import Sign


class Boolean(Numeric):
    """Columns of booleans; NaN is a missing one."""

    shown_as: Literal["numbers", "categories"] = "categories"

    def boolean(self, values: Any) -> bool:
        """No: the kind says so already."""
        return False

    def observed(self, present: np.ndarray) -> dict[str, Any]:
        """Nothing: there are but two."""
        return {}

    def usual(self, present: np.ndarray) -> dict[str, Any]:
        """What most are."""
        return {"most": spelled(bool(2 * present.sum() >= len(present)))} if len(present) else {}

    def fault(self, window: Any, reference: Any) -> Sign | None:
        """True for false."""
        return turned(window, reference)

    def shown(self, values: Any) -> Any:
        """As text; a missing one is empty."""
        return values.astype("object").map({1.0: "true", 0.0: "false"}).fillna("")

    def typical(self, values: list[Any]) -> Any:
        """The most frequent."""
        return max(sorted(set(values)), key=values.count)

    def tried(self, column: Column, held: Any) -> np.ndarray:
        """Both."""
        return np.array([0, 1], dtype=np.float32)

    def news(self, column: Column) -> list[Any]:
        """None."""
        return []


LEAST, FIT = 0.3, 0.03


def turned(window: Any, reference: Any) -> Sign | None:
    """Whether as many are true as were false, where these were far apart.

    >>> import pandas as pd
    >>> turned(pd.Series([1.0] * 9 + [0.0]), pd.Series([0.0] * 90 + [1.0] * 10)).told
    'true stands for false: 90% are true; in the reference 10% are'
    """
    now, before = float(window.mean()), float(reference.mean())
    if not (abs(now - before) >= LEAST and abs(now - (1 - before)) <= FIT):
        return None
    return Sign("turned", f"true stands for false: {now:.0%} are true; in the reference {before:.0%} are")
