"""The contract: the typed columns in and out of a model, and the one code that turns values into model input.

Validation (in `tasks/`) and serving run the same `encode`, so that a value means the same before training and behind the
API: numbers are cast to float32 once, here; categories are strings, and a missing category is the empty string.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np

from serving.contract.spelling import CSV_BOOLEANS, CSV_MISSING, csv_category, csv_number, csv_text, spelled, spelled_before

Problem = Literal["binary", "multiclass", "regression"]
# Of values. Before 2 (contracts without it), training read booleans and 32 bits as numbers (`spelled_before`); before 3, a
# CSV's categories that looked like numbers were numbers (`csv_category`).
MEANING = 3
SPELLED, AS_TEXT = 2, 3
MISSING = ""  # a missing category; ONNX string tensors have no null
FLOAT32_MAX = float(np.finfo(np.float32).max)
FEW_ROWS = 16  # below, plain Python is faster than numpy
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


class Column(msgspec.Struct, frozen=True, omit_defaults=True):
    """One input column.

    `minimum`, `maximum` and `allowed` are declared and enforced. `low`, `high` and `categories` are what the training
    snapshot showed: a value outside them is served, because new airports open and summers follow winters. `boolean` numbers
    are true and false where they come from, and may be sent so. `missing` are texts that stand for nothing, beside the
    blank. `meaning` is how values read as categories when the model learned them.
    """

    name: str
    kind: Literal["numeric", "categorical"]
    nullable: bool = False
    sensitive: bool = False
    minimum: float | None = None
    maximum: float | None = None
    allowed: tuple[str, ...] | None = None
    low: float | None = None
    high: float | None = None
    categories: tuple[str, ...] = ()
    boolean: bool = False
    missing: tuple[str, ...] = ()
    meaning: int = MEANING

    @property
    def dtype(self) -> str:
        """The ONNX and numpy name of the encoded type: `float32` or `string`."""
        return "float32" if self.kind == "numeric" else "string"

    def encode(self, values: Sequence[Any]) -> np.ndarray:
        """Values as model input of shape (rows, 1): float32 with NaN for null, or str objects with "" for null.

        Raises:
            ContractError: with the row and what would be right.

        >>> Column("age", "numeric", nullable=True).encode([41, None]).tolist()
        [[41.0], [nan]]
        >>> Column("age", "numeric").encode([None])
        Traceback (most recent call last):
        serving.contract.contract.ContractError: row 0, column 'age': is missing, and this column may not be null
        """
        encoded = self._numbers(values) if self.kind == "numeric" else self._categories(values)
        return encoded.reshape(-1, 1)

    def _numbers(self, values: Sequence[Any]) -> np.ndarray:
        """Arrays at once; a list value by value, which for a single row is several times faster than numpy."""
        if not isinstance(values, np.ndarray) or values.dtype.kind not in "fiu":
            return np.array([self._number(value, row) for row, value in enumerate(values)], dtype=np.float32)
        wide = values.astype(np.float64)
        if not self.nullable:
            missing = np.isnan(wide)
            if missing.any():
                raise self._null(int(np.argmax(missing)))
        wrong = np.abs(wide) > FLOAT32_MAX
        if self.minimum is not None:
            wrong |= wide < self.minimum
        if self.maximum is not None:
            wrong |= wide > self.maximum
        if wrong.any():
            row = int(np.argmax(wrong))
            raise self._out_of_bounds(float(wide[row]), row)
        return wide.astype(np.float32)

    def _number(self, value: Any, row: int) -> float:
        if value is None or value != value:
            if not self.nullable:
                raise self._null(row)
            return math.nan
        if not isinstance(value, float | int | np.number | np.bool_) or (
            isinstance(value, bool | np.bool_) and not self.boolean
        ):
            raise ContractError(f"must be a number, found {shown(value)}", self.name, row)
        if (
            not -FLOAT32_MAX <= value <= FLOAT32_MAX
            or (self.minimum is not None and value < self.minimum)
            or (self.maximum is not None and value > self.maximum)
        ):
            raise self._out_of_bounds(value, row)
        return float(value)

    def _categories(self, values: Sequence[Any]) -> np.ndarray:
        encoded = np.empty(len(values), dtype=object)
        for row, value in enumerate(values):
            encoded[row] = self._category(value, row)
        return encoded

    def _category(self, value: Any, row: int) -> str:
        if isinstance(value, str):
            text = MISSING if value in self.missing else value
        elif value is None or value != value:  # NaN, as tables write a missing value
            text = MISSING
        elif isinstance(value, int | float | np.number | np.bool_):
            if not -FLOAT32_MAX <= value <= FLOAT32_MAX:
                raise ContractError(f"must be a string, found the number {shown(value)}", self.name, row)
            text = spelled(value) if self.meaning >= SPELLED else spelled_before(value)
        else:
            raise ContractError(f"must be a string, found {shown(value)}", self.name, row)
        if text == MISSING:
            if not self.nullable:
                raise self._null(row)
        elif self.allowed is not None and text not in self.allowed:
            raise ContractError(f"{shown(text)} is not one of {', '.join(self.allowed)}", self.name, row)
        return text

    def category(self, value: Any, row: int) -> str:
        """One value of a categorical column as its string; raises as `encode` does."""
        return self._category(value, row)

    def from_csv(self, text: str) -> str | float | bool | None:
        """A field of a CSV, which has no types: the contract says which one is meant.

        Raises:
            ValueError: the column is numeric, and this is no number.

        >>> Column("zip", "categorical").from_csv("01234"), Column("age", "numeric").from_csv("41")
        ('01234', 41.0)
        """
        if self.kind == "numeric":
            if self.boolean and text in CSV_BOOLEANS:
                return text.lower() == "true"
            return None if text in self.missing else csv_number(text)
        known = self.allowed or self.categories
        if self.meaning >= AS_TEXT:
            return csv_text(text, known, self.missing)
        if self.meaning < SPELLED:
            return None if text in CSV_MISSING and text not in known else text
        return csv_category(text, known)

    def faults(self, values: Sequence[Any]) -> list[Fault]:
        """Everything that is wrong with the values, at most `MAX_FAULTS`; slower than `encode`, which stops at the first."""
        found: list[Fault] = []
        one = self._number if self.kind == "numeric" else self._category
        for row, value in enumerate(values):
            try:
                one(value, row)
            except ContractError as error:
                found += error.faults
                if len(found) >= MAX_FAULTS:
                    break
        return found

    def unseen(self, encoded: np.ndarray) -> int:
        """How many encoded values lie outside what the training snapshot showed."""
        if self.kind == "categorical":
            return sum(1 for value in encoded.ravel() if value != MISSING and value not in self.categories)
        if self.low is None or self.high is None:
            return 0
        if len(encoded) > FEW_ROWS:
            return int(((encoded < self.low) | (encoded > self.high)).sum())
        low, high = self.low, self.high
        return sum(1 for value in encoded.ravel().tolist() if value < low or value > high)

    def _null(self, row: int) -> ContractError:
        return ContractError("is missing, and this column may not be null", self.name, row)

    def _out_of_bounds(self, value: Any, row: int) -> ContractError:
        if not -FLOAT32_MAX <= value <= FLOAT32_MAX:
            return ContractError("is not a finite number that fits in 32 bits", self.name, row)
        if self.minimum is not None and value < self.minimum:
            return ContractError(f"{value:g} is below the minimum {self.minimum:g}", self.name, row)
        return ContractError(f"{value:g} is above the maximum {self.maximum:g}", self.name, row)


class Contract(msgspec.Struct, frozen=True):
    """The columns that go in, the target that comes out (`classes[i]` has probability column i), and the time column.

    `problem` is the kind of answer; contracts made before have none, and are binary. A regression has no `classes`.
    `identifiers` are fields that a record may carry beside the columns: they are logged with the answer, so that one
    subject's records can be found and erased, and never reach the model.
    """

    use_case: str
    columns: tuple[Column, ...]
    target: str
    classes: tuple[str | int | bool, ...]
    time_column: str | None = None
    identifiers: tuple[str, ...] = ()
    meaning: int = MEANING
    problem: Problem = "binary"

    @property
    def names(self) -> tuple[str, ...]:
        """The column names, in the order of the model's inputs."""
        return tuple(column.name for column in self.columns)

    def encode(self, records: Sequence[Mapping[str, Any]]) -> dict[str, np.ndarray]:
        """Records by name as model input, one (rows, 1) array a column.

        Raises:
            ContractError: a record lacks a column that may not be null, has one the contract does not know, or holds a
                value that is not allowed.
        """
        known = frozenset((*self.names, *self.identifiers))
        try:
            for row, record in enumerate(records):
                if not record.keys() <= known:
                    raise ContractError("is not in the contract", min(record.keys() - known), row)
            return {column.name: column.encode([record.get(column.name) for record in records]) for column in self.columns}
        except ContractError:
            raise ContractError.of(self.faults(records)) from None

    def faults(self, records: Sequence[Mapping[str, Any]]) -> list[Fault]:
        """Everything that is wrong with records by name, in the order of rows; at most `MAX_FAULTS`."""
        known = frozenset((*self.names, *self.identifiers))
        listed = ", ".join((*self.names, *self.identifiers))
        found = [
            Fault(f"is not in the contract; known: {listed}", name, row)
            for row, record in enumerate(records)
            for name in sorted(record.keys() - known)
        ]
        for column in self.columns:
            found += column.faults([record.get(column.name) for record in records])
        return sorted(found, key=lambda fault: fault.row or 0)[:MAX_FAULTS]

    def encode_columns(self, table: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """A table of columns as model input; the same rules as `encode`.

        Raises:
            ContractError: a column is missing from the table, or holds a value that is not allowed.
        """
        absent = [Fault("is not in the table", column.name) for column in self.columns if column.name not in table]
        if absent:
            raise ContractError.of(absent)
        try:
            return {column.name: column.encode(table[column.name]) for column in self.columns}
        except ContractError:
            faults = [fault for column in self.columns for fault in column.faults(table[column.name])]
            raise ContractError.of(faults[:MAX_FAULTS]) from None


def shown(value: Any) -> str:
    """A value in a message to whoever sent it; never in a log."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 10**40:
        return "a whole number of more than 40 digits"  # Python refuses to print very large ones
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "..."


class _Marked(msgspec.Struct):
    meaning: int = 1


def parse_contract(data: bytes) -> Contract:
    """The contract in the bytes of a `contract.json`; values keep the meaning of the time it was made.

    Raises:
        msgspec.DecodeError: it is none.
    """
    contract, meaning = msgspec.json.decode(data, type=Contract), msgspec.json.decode(data, type=_Marked).meaning
    columns = tuple(msgspec.structs.replace(column, meaning=meaning) for column in contract.columns)
    return msgspec.structs.replace(contract, columns=columns, meaning=meaning)


def read_contract(path: Path) -> Contract:
    """The contract of a `contract.json`."""
    return parse_contract(path.read_bytes())


def contract_json(contract: Contract) -> bytes:
    """The one spelling of a contract: equal contracts have equal bytes."""
    return msgspec.json.format(msgspec.json.encode(contract, order="deterministic"), indent=1) + b"\n"
