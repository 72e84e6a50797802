"""Numbers: cast to float32 once, here. A missing one is NaN."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import numpy as np

from serving.contract.faults import ContractError, shown
from serving.contract.kinds.kind import Kind, missing
from serving.contract.spelling import CSV_BOOLEANS, csv_number, doubles, spelled

if TYPE_CHECKING:
    from serving.contract.contract import Column

FLOAT32_MAX = float(np.finfo(np.float32).max)
FEW_ROWS = 16  # below, plain Python is faster than numpy


class Numeric(Kind):
    """Columns of numbers; of those that are `boolean`, true and false are 1 and 0."""

    dtype = "float32"
    datatype = "FP32"

    def encode(self, column: Column, values: Sequence[Any]) -> np.ndarray:
        """Arrays at once; a list value by value, which for a single row is several times faster than numpy."""
        if not isinstance(values, np.ndarray) or values.dtype.kind not in "fiu":
            return np.array([self.one(column, value, row) for row, value in enumerate(values)], dtype=np.float32)
        wide = values.astype(np.float64)
        if not column.nullable:
            absent = np.isnan(wide)
            if absent.any():
                raise missing(column.name, int(np.argmax(absent)))
        wrong = np.abs(wide) > FLOAT32_MAX
        if column.minimum is not None:
            wrong |= wide < column.minimum
        if column.maximum is not None:
            wrong |= wide > column.maximum
        if wrong.any():
            row = int(np.argmax(wrong))
            raise _out_of_bounds(column, float(wide[row]), row)
        return wide.astype(np.float32)

    def one(self, column: Column, value: Any, row: int) -> float:
        """A number, NaN for null."""
        if value is None or value != value:
            if not column.nullable:
                raise missing(column.name, row)
            return math.nan
        if not isinstance(value, float | int | np.number | np.bool_) or (
            isinstance(value, bool | np.bool_) and not column.boolean
        ):
            raise ContractError(f"must be a number, found {shown(value)}", column.name, row)
        if (
            not -FLOAT32_MAX <= value <= FLOAT32_MAX
            or (column.minimum is not None and value < column.minimum)
            or (column.maximum is not None and value > column.maximum)
        ):
            raise _out_of_bounds(column, value, row)
        return float(value)

    def from_csv(self, column: Column, text: str) -> float | bool | None:
        """Its number, or null for a token that stands for nothing."""
        if column.boolean and text in CSV_BOOLEANS:
            return text.lower() == "true"
        return None if text in column.missing else csv_number(text)

    def known(self, column: Column) -> None:
        """None: numbers are no strings."""

    def unseen(self, column: Column, encoded: np.ndarray) -> int:
        """How many lie beyond the lowest and the highest that training showed."""
        if column.low is None or column.high is None:
            return 0
        if len(encoded) > FEW_ROWS:
            return int(((encoded < column.low) | (encoded > column.high)).sum())
        low, high = column.low, column.high
        return sum(1 for value in encoded.ravel().tolist() if value < low or value > high)

    def strict(self, column: Column) -> Any:
        """A number within the bounds."""
        low, high = _bounds(column)
        return Annotated[float, msgspec.Meta(ge=low, le=high)]

    def lenient(self, column: Column) -> Any:
        """The same, or a boolean."""
        return self.strict(column) | bool if column.boolean else self.strict(column)

    def logged(self, given: Any, encoded: np.ndarray) -> list[float | None]:
        """As they came, not rounded to the model's 32 bits."""
        if not isinstance(given, np.ndarray) or given.dtype == object:
            return [None if value is None or value != value else _double(value) for value in given]
        return [None if value != value else value for value in doubles(given)]

    def said(self, column: Column, encoded: np.ndarray) -> list[str | None]:
        """By the shortest decimal."""
        return [None if value != value else spelled(value) for value in doubles(encoded)]

    def schema(self, column: Column) -> dict[str, Any]:
        """A number within the bounds."""
        low, high = _bounds(column)
        return {"type": ["number", *["boolean"] * column.boolean], "minimum": low, "maximum": high}

    def example(self, column: Column) -> Any:
        """The middle of what training showed."""
        low, high = (None, None) if column.sensitive else (column.low, column.high)
        if low is None or high is None:
            return column.minimum if column.minimum is not None else min(0.0, column.maximum or 0.0)
        middle = (low + high) / 2
        return round(middle) if low == int(low) and high == int(high) and high - low > 1 else round(middle, 4)


def _bounds(column: Column) -> tuple[float, float]:
    low = -FLOAT32_MAX if column.minimum is None else max(column.minimum, -FLOAT32_MAX)
    return low, FLOAT32_MAX if column.maximum is None else min(column.maximum, FLOAT32_MAX)


def _double(value: Any) -> float:
    return float(str(value)) if isinstance(value, np.floating) else float(value)


def _out_of_bounds(column: Column, value: Any, row: int) -> ContractError:
    if not -FLOAT32_MAX <= value <= FLOAT32_MAX:
        return ContractError("is not a finite number that fits in 32 bits", column.name, row)
    if column.minimum is not None and value < column.minimum:
        return ContractError(f"{value:g} is below the minimum {column.minimum:g}", column.name, row)
    return ContractError(f"{value:g} is above the maximum {column.maximum:g}", column.name, row)
