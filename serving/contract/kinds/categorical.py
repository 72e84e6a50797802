"""Categories: one of a number of strings, those that training showed or, where they are declared, of those alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from serving.contract.faults import ContractError, shown
from serving.contract.kinds.strings import MISSING, Strings
from serving.contract.spelling import AS_TEXT, CSV_MISSING, SPELLED, csv_category, csv_text

if TYPE_CHECKING:
    from serving.contract.contract import Column


class Categorical(Strings):
    """Columns of categories."""

    def one(self, column: Column, value: Any, row: int) -> str:
        """A string, one of the allowed ones where they are declared."""
        text = super().one(column, value, row)
        if column.allowed is not None and text not in column.allowed and text != MISSING:
            raise ContractError(f"{shown(text)} is not one of {', '.join(column.allowed)}", column.name, row)
        return text

    def from_csv(self, column: Column, text: str) -> str | None:
        """As contracts of its meaning read it."""
        known = column.allowed or column.categories
        if column.meaning >= AS_TEXT:
            return csv_text(text, known, column.missing)
        if column.meaning < SPELLED:
            return None if text in CSV_MISSING and text not in known else text
        return csv_category(text, known)

    def known(self, column: Column) -> frozenset[str | None] | None:
        """What training showed; of a sensitive column the contract does not say it."""
        return frozenset((*column.categories, MISSING, None)) if column.categories or not column.sensitive else None

    def unseen(self, column: Column, encoded: np.ndarray) -> int:
        """How many training did not show."""
        return sum(1 for value in encoded.ravel() if value != MISSING and value not in column.categories)

    def strict(self, column: Column) -> Any:
        """One of the allowed strings where they are declared."""
        return Literal[column.allowed] if column.allowed else super().strict(column)

    def schema(self, column: Column) -> dict[str, Any]:
        """The allowed strings, or any, with some that training showed."""
        if column.allowed is not None:
            return {"enum": [*column.allowed, *([""] if column.nullable else [])]}
        shown_ones = {} if column.sensitive else {"examples": list(column.categories[:5])}
        return {**super().schema(column), **shown_ones}

    def example(self, column: Column) -> str:
        """The first; what is declared everybody may know."""
        return (column.allowed or (not column.sensitive and column.categories) or ("a",))[0]
