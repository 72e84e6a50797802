"""The contract: the typed columns in and out of a model, and the one code that turns values into model input.

Validation (in `tasks/`) and serving run the same `encode`, so that a value means the same before training and behind the
API. What a column's values may be and become, its kind says (`kinds/`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np
from msgspec import UNSET, UnsetType

from serving.contract.faults import MAX_FAULTS, ContractError, Fault
from serving.contract.kinds.choose import KINDS, KindName
from serving.contract.kinds.kind import Kind

Problem = Literal["binary", "multiclass", "regression", "ranking"]
# Of values. Before 2 (contracts without it), training read booleans and 32 bits as numbers (`spelled_before`); before 3, a
# CSV's categories that looked like numbers were numbers (`csv_category`).
MEANING = 3


class Column(msgspec.Struct, frozen=True, omit_defaults=True):
    """One input column.

    `minimum`, `maximum` and `allowed` are declared and enforced. `low`, `high` and `categories` are what the training
    snapshot showed: a value outside them is served, because new airports open and summers follow winters. `boolean` numbers
    are true and false where they come from, and may be sent so. `missing` are texts that stand for nothing, beside the
    blank. `meaning` is how values read as categories when the model learned them. `derived` are the numbers that the graph
    gets for a moment, by name (`departed.hour`); of moments `low` and `high` are days from 2000-01-01.
    """

    name: str
    kind: KindName
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
    derived: tuple[str, ...] = ()

    @property
    def its(self) -> Kind:
        """What columns of this kind have in common; nothing else asks for the kind."""
        return KINDS[self.kind]

    @property
    def dtype(self) -> str:
        """The ONNX and numpy name of the encoded type: `float32` or `string`."""
        return self.its.dtype

    def encode(self, values: Sequence[Any]) -> np.ndarray:
        """Values as model input of shape (rows, 1): float32 with NaN for null, or str objects with "" for null.

        Raises:
            ContractError: with the row and what would be right.

        >>> Column("age", "numeric", nullable=True).encode([41, None]).tolist()
        [[41.0], [nan]]
        >>> Column("age", "numeric").encode([None])
        Traceback (most recent call last):
        serving.contract.faults.ContractError: row 0, column 'age': is missing, and this column may not be null
        """
        return self.its.encode(self, values).reshape(-1, 1)

    def from_csv(self, text: str) -> str | float | bool | None:
        """A field of a CSV, which has no types: the contract says which one is meant.

        Raises:
            ValueError: the column is numeric, and this is no number.

        >>> Column("zip", "categorical").from_csv("01234"), Column("age", "numeric").from_csv("41")
        ('01234', 41.0)
        """
        return self.its.from_csv(self, text)

    def faults(self, values: Sequence[Any]) -> list[Fault]:
        """Everything that is wrong with the values, at most `MAX_FAULTS`; slower than `encode`, which stops at the first."""
        found: list[Fault] = []
        one = self.its.one
        for row, value in enumerate(values):
            try:
                one(self, value, row)
            except ContractError as error:
                found += error.faults
                if len(found) >= MAX_FAULTS:
                    break
        return found

    def unseen(self, encoded: np.ndarray) -> int:
        """How many encoded values lie outside what the training snapshot showed."""
        return self.its.unseen(self, encoded)


class Contract(msgspec.Struct, frozen=True):
    """The columns that go in, the target that comes out (`classes[i]` has probability column i), and the time column.

    `problem` is the kind of answer; contracts made before have none, and are binary. A regression has no `classes`; its
    `interval` is the share of rows that the answered interval holds, and is left out where there is none. So is
    `confidence`: the probability under which no class is answered. `query` is the identifier of a ranking's rows that belong
    together.
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
    interval: float | UnsetType = UNSET
    confidence: float | UnsetType = UNSET
    query: str | UnsetType = UNSET

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


def derived(name: str, kind: KindName) -> tuple[str, ...]:
    """The names of the numbers that a graph gets for a column of a kind; none where it gets the value itself, or a text.

    >>> derived("departed", "datetime")[:2], derived("age", "numeric")
    (('departed.day', 'departed.hour'), ())
    """
    return tuple(f"{name}.{part}" for part in KINDS[kind].parts)


class _Marked(msgspec.Struct):
    meaning: int = 1


def parse_contract(data: bytes) -> Contract:
    """The contract in the bytes of a `contract.json`; values keep the meaning of the time it was made.

    Raises:
        msgspec.DecodeError: it is none, or derives numbers from a column that this code does not.
    """
    contract, meaning = msgspec.json.decode(data, type=Contract), msgspec.json.decode(data, type=_Marked).meaning
    for column in contract.columns:
        if strange := sorted(set(column.derived) ^ set(derived(column.name, column.kind))):
            raise msgspec.ValidationError(f"column {column.name!r}: {strange[0]!r} is not what this code derives from it")
    columns = tuple(msgspec.structs.replace(column, meaning=meaning) for column in contract.columns)
    return msgspec.structs.replace(contract, columns=columns, meaning=meaning)


def read_contract(path: Path) -> Contract:
    """The contract of a `contract.json`."""
    return parse_contract(path.read_bytes())


def contract_json(contract: Contract) -> bytes:
    """The one spelling of a contract: equal contracts have equal bytes."""
    return msgspec.json.format(msgspec.json.encode(contract, order="deterministic"), indent=1) + b"\n"
