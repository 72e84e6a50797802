"""What categories and texts have in common: a value is a string, and a missing one is the empty string."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import numpy as np

from serving.contract.faults import ContractError, shown
from serving.contract.kinds.kind import Kind, missing
from serving.contract.kinds.numeric import FLOAT32_MAX
from serving.contract.spelling import SPELLED, spelled, spelled_before

if TYPE_CHECKING:
    from serving.contract.contract import Column

MISSING = ""  # ONNX string tensors have no null
LONGEST_SAID = 80  # characters of a value, where a sentence has it


class Strings(Kind):
    """Columns of strings. A number or a boolean is the string that it is spelled as."""

    dtype = "string"
    datatype = "BYTES"

    def encode(self, column: Column, values: Sequence[Any]) -> np.ndarray:
        """Strings, as objects."""
        encoded = np.empty(len(values), dtype=object)
        for row, value in enumerate(values):
            encoded[row] = self.one(column, value, row)
        return encoded

    def one(self, column: Column, value: Any, row: int) -> str:
        """A string, "" for null and for what stands for nothing."""
        if isinstance(value, str):
            text = MISSING if value in column.missing else value
        elif value is None or value != value:  # NaN, as tables write a missing value
            text = MISSING
        elif isinstance(value, int | float | np.number | np.bool_):
            if not -FLOAT32_MAX <= value <= FLOAT32_MAX:
                raise ContractError(f"must be a string, found the number {shown(value)}", column.name, row)
            text = spelled(value) if column.meaning >= SPELLED else spelled_before(value)
        else:
            raise ContractError(f"must be a string, found {shown(value)}", column.name, row)
        if text == MISSING and not column.nullable:
            raise missing(column.name, row)
        return text

    def strict(self, column: Column) -> Any:
        """A string that stands for something; the lenient type reads others as nothing."""
        if not column.missing:
            return Annotated[str, msgspec.Meta(min_length=1)]
        tokens = "|".join(map(re.escape, column.missing))
        return Annotated[str, msgspec.Meta(min_length=1, pattern=rf"^(?!(?:{tokens})\Z)")]

    def lenient(self, column: Column) -> Any:
        """A string, or what has a spelling."""
        return str | int | float | bool

    def logged(self, given: Any, encoded: np.ndarray) -> list[str | None]:
        """The strings."""
        return [value or None for value in encoded.ravel()]

    def said(self, column: Column, encoded: np.ndarray) -> list[str | None]:
        """As they are; of long ones the beginning."""
        texts = (value if len(value) <= LONGEST_SAID else f"{value[:LONGEST_SAID]}..." for value in encoded.tolist())
        return [text or None for text in texts]

    def schema(self, column: Column) -> dict[str, Any]:
        """A string, or what has a spelling."""
        bounds = {"minimum": -FLOAT32_MAX, "maximum": FLOAT32_MAX}
        return {"type": ["string", "number", "boolean"], **({} if column.nullable else {"minLength": 1}), **bounds}
