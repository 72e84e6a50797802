"""What is wrong with values: each fault with its place, and the error that names all of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

SHOWN_FAULTS = 5  # in one line of text; all of them stand in `faults`
MAX_FAULTS = 1000  # enough to see what is wrong with a table


class Fault(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing that is wrong: what and what would be right (`problem`), and where (`row` counts from 0)."""

    problem: str
    column: str | None = None
    row: int | None = None

    def __str__(self) -> str:
        where = [] if self.row is None else [f"row {self.row}"]
        where += [] if self.column is None else [f"column {self.column!r}"]
        return f"{', '.join(where)}: {self.problem}" if where else self.problem


class ContractError(ValueError):
    """Values that the contract does not allow; `faults` names every one, `problem`, `column` and `row` are the first's."""

    def __init__(self, problem: str, column: str | None = None, row: int | None = None, *more: Fault) -> None:
        self.problem, self.column, self.row = problem, column, row
        self.faults = [Fault(problem, column, row), *more]
        super().__init__("; ".join(map(str, self.faults[:SHOWN_FAULTS])))

    @classmethod
    def of(cls, faults: Sequence[Fault]) -> ContractError:
        """One error for all of them (at least one)."""
        first = faults[0]
        return cls(first.problem, first.column, first.row, *faults[1:])


def shown(value: Any) -> str:
    """A value in a message to whoever sent it; never in a log."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 10**40:
        return "a whole number of more than 40 digits"  # Python refuses to print very large ones
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "..."
