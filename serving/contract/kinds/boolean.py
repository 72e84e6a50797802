"""What is true or false: 1 and 0 for the model and in the log. A missing one is NaN."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from serving.contract.faults import ContractError, shown
from serving.contract.kinds.kind import Kind, missing
from serving.contract.spelling import CSV_BOOLEANS, CSV_MISSING, spelled

if TYPE_CHECKING:
    from serving.contract.contract import Column


class Boolean(Kind):
    """Columns of booleans. The numbers 1 and 0 are what databases and tensors have for them; a text is none."""

    dtype = "float32"
    datatype = "BOOL"
    free = False

    def encode(self, column: Column, values: Sequence[Any]) -> np.ndarray:
        """Ones and zeros."""
        return np.array([self.one(column, value, row) for row, value in enumerate(values)], dtype=np.float32)

    def one(self, column: Column, value: Any, row: int) -> float:
        """1 or 0, NaN for null."""
        if value is None or value != value:
            if not column.nullable:
                raise missing(column.name, row)
            return math.nan
        if isinstance(value, bool | np.bool_ | int | float | np.number) and value in (0, 1):
            return float(value)
        raise ContractError(f"must be true or false (or 1 or 0), found {shown(value)}", column.name, row)

    def from_csv(self, column: Column, text: str) -> str | bool | None:
        """True or false, or null for what stands for nothing; any other text, which is then refused."""
        if text in CSV_MISSING or text in column.missing:
            return None
        return text.lower() in ("true", "1") if text in CSV_BOOLEANS or text in ("0", "1") else text

    def known(self, column: Column) -> None:
        """None: they are no strings."""

    def unseen(self, column: Column, encoded: np.ndarray) -> int:
        """None: there are but two."""
        return 0

    def strict(self, column: Column) -> Any:
        """As the log has them; the lenient type reads `true` and `false`."""
        return Literal[0, 1]

    def lenient(self, column: Column) -> Any:
        """A boolean or a number."""
        return bool | float

    def logged(self, given: Any, encoded: np.ndarray) -> list[float | None]:
        """Ones and zeros."""
        return [None if value != value else value for value in encoded.ravel().tolist()]

    def said(self, column: Column, encoded: np.ndarray) -> list[str | None]:
        """True and false."""
        return [None if value != value else spelled(bool(value)) for value in encoded.tolist()]

    def schema(self, column: Column) -> dict[str, Any]:
        """A boolean."""
        return {"type": ["boolean"]}

    def example(self, column: Column) -> bool:
        """True."""
        return True
