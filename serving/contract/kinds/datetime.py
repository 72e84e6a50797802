"""Moments: dates and times in ISO 8601. The log keeps them in one spelling, in UTC; the graph gets their parts."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import numpy as np

from serving.contract.faults import ContractError, shown
from serving.contract.kinds import moments
from serving.contract.kinds.kind import missing
from serving.contract.kinds.strings import MISSING, Strings
from serving.contract.spelling import csv_moment

if TYPE_CHECKING:
    from serving.contract.contract import Column


class Datetime(Strings):
    """Columns of moments. No number is one: seconds, milliseconds and days since when, nobody could say."""

    parts = moments.PARTS
    width = moments.WIDTH
    free = False

    def graph(self, encoded: np.ndarray) -> np.ndarray:
        """Their parts, NaN for a missing one."""
        return moments.parts(encoded)

    def one(self, column: Column, value: Any, row: int) -> str:
        """The spelling of a moment, "" for null and for what stands for nothing."""
        if value is None or value != value or (isinstance(value, str) and (not value or value in column.missing)):
            if not column.nullable:
                raise missing(column.name, row)
            return MISSING
        text = moments.spelled(value)
        if text is None:
            right = f"must be a time in ISO 8601, such as {moments.EXAMPLE!r}, from the year 1 to 9999"
            raise ContractError(f"{right}, found {shown(value)}", column.name, row)
        return text

    def from_csv(self, column: Column, text: str) -> str | None:
        """As it stands."""
        return csv_moment(text, column.missing)

    def known(self, column: Column) -> None:
        """None: every moment is new."""

    def unseen(self, column: Column, encoded: np.ndarray) -> int:
        """None: time goes on."""
        return 0

    def strict(self, column: Column) -> Any:
        """The one spelling; the lenient type reads others."""
        tokens = "|".join(map(re.escape, column.missing))
        nothing = rf"(?!(?:{tokens})\Z)" * bool(tokens)
        return Annotated[str, msgspec.Meta(pattern=f"^{nothing}{moments.SPELLED}")]

    def lenient(self, column: Column) -> Any:
        """A text."""
        return str

    def schema(self, column: Column) -> dict[str, Any]:
        """A time, and what the model sees of it."""
        told = f"ISO 8601; without an offset it is UTC. The model sees {', '.join(column.derived)}"
        return {"type": ["string"], "format": "date-time", "description": told}

    def example(self, column: Column) -> str:
        """The middle of what training showed."""
        if column.sensitive or column.low is None or column.high is None:
            return moments.EXAMPLE
        return moments.at((column.low + column.high) // 2 + 0.5)
