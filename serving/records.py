"""Records: the typed form of one row, built from the contract, so that JSON is decoded and checked in compiled code.

A record type has one field a column, with the contract's type and bounds, so decoding a request *is* its validation. Only
when that fails are the records looked at again, value by value, to name every fault at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import msgspec
import numpy as np
from msgspec.structs import astuple

from serving.contract import FLOAT32_MAX, Column, Contract, ContractError

Record = Any  # an instance of `Records.type`


class Records:
    """The record type of a contract, and what turns records into model input."""

    def __init__(self, contract: Contract) -> None:
        self.contract = contract
        self._categorical = [column for column in contract.columns if column.kind == "categorical"]
        self._numeric = [column for column in contract.columns if column.kind == "numeric"]
        self._split = len(self._categorical)
        self._columns = [*self._categorical, *self._numeric]
        self._end = len(self._columns)
        names = [*(column.name for column in self._columns), *contract.identifiers]
        fields: list[Any] = [_field(f"f{i}", column) for i, column in enumerate(self._columns)]
        fields += [(f"f{i}", str | int | None, None) for i in range(self._end, len(names))]
        self.type: type[msgspec.Struct] = msgspec.defstruct(
            "Record",
            fields,
            rename={f"f{i}": name for i, name in enumerate(names)},  # a column may have a name that Python has not
            kw_only=True,
            forbid_unknown_fields=True,
            omit_defaults=True,
            gc=False,
        )
        self._names = names
        self._checks = [(f"f{i}", column, not column.nullable) for i, column in enumerate(self._categorical)]
        lows = [-np.inf if column.low is None else column.low for column in self._numeric]
        highs = [np.inf if column.high is None else column.high for column in self._numeric]
        self._low, self._high = (np.array(bounds, dtype=np.float32).reshape(-1, 1) for bounds in (lows, highs))
        self._seen = [frozenset((*column.categories, "", None)) for column in self._categorical]

    def check(self, records: Sequence[Record]) -> None:
        """What the type cannot say about categories; numbers among them become the strings that the contract means.

        Raises:
            ContractError: naming every fault.
        """
        faults = []
        for name, column, required in self._checks:
            for row, record in enumerate(records):
                value = getattr(record, name)
                if value.__class__ is str and column.allowed is None and (value or not required):
                    continue
                if value is None:  # the type has seen to it that the column is nullable
                    continue
                try:
                    setattr(record, name, column.category(value, row))
                except ContractError as error:
                    faults += error.faults
        if faults:
            raise ContractError.of(sorted(faults, key=lambda fault: fault.row or 0))

    def faults(self, records: Sequence[Any]) -> ContractError | None:
        """Why plain records could not be decoded, or None where the contract finds nothing wrong with them."""
        strange = [row for row, record in enumerate(records) if not isinstance(record, Mapping)]
        if strange:
            return ContractError("must be an object with one field a column", None, strange[0])
        found = self.contract.faults(records)
        return ContractError.of(found) if found else None

    def convert(self, records: Sequence[Mapping[str, Any]]) -> list[Record]:
        """Plain records as typed ones.

        Raises:
            ContractError: naming every fault.
        """
        try:
            rows = msgspec.convert(records, list[self.type])  # type: ignore[name-defined]
        except msgspec.ValidationError as error:
            raise self.faults(records) or ContractError(str(error)) from None
        self.check(rows)
        return rows

    def from_columns(self, table: Mapping[str, Any]) -> tuple[list[Record], dict[str, np.ndarray]]:
        """Named columns of equal length as records, and as model input.

        Raises:
            ContractError: naming every fault.
        """
        arrays = self.contract.encode_columns(table)
        lists = [_plain(arrays[column.name]) for column in self._columns]
        lists += [list(table.get(name) or [None] * len(lists[0])) for name in self.contract.identifiers]
        keys = [f"f{i}" for i in range(len(lists))]
        return [self.type(**dict(zip(keys, row, strict=True))) for row in zip(*lists, strict=True)], arrays

    def arrays(self, records: Sequence[Record]) -> dict[str, np.ndarray]:
        """Checked records as model input: one array of shape (rows, 1) a column, float32 or str objects."""
        columns = list(zip(*map(astuple, records), strict=True))
        numbers = np.array(columns[self._split : self._end], dtype=np.float32)  # None becomes NaN
        arrays = {column.name: numbers[i].reshape(-1, 1) for i, column in enumerate(self._numeric)}
        for column, values in zip(self._categorical, columns, strict=False):
            array = np.empty(len(values), dtype=object)
            array[:] = [value or "" for value in values]
            arrays[column.name] = array.reshape(-1, 1)
        return arrays

    def unseen(self, arrays: Mapping[str, np.ndarray]) -> dict[str, int]:
        """How many values of each column lie outside what the training snapshot showed, where any do."""
        counts = {}
        if self._numeric:
            numbers = np.stack([arrays[column.name][:, 0] for column in self._numeric])
            outside = ((numbers < self._low) | (numbers > self._high)).sum(axis=1)
            if outside.any():
                counts = {c.name: int(n) for c, n in zip(self._numeric, outside, strict=True) if n}
        for column, seen in zip(self._categorical, self._seen, strict=True):
            strange = sum(1 for value in arrays[column.name].ravel() if value not in seen)
            if strange:
                counts[column.name] = strange
        return counts

    def names(self) -> list[str]:
        """The fields of a record, in the order of the type."""
        return self._names


def _field(name: str, column: Column) -> Any:
    if column.kind == "categorical":
        kind: Any = str | int | float
    else:
        low = -FLOAT32_MAX if column.minimum is None else max(column.minimum, -FLOAT32_MAX)
        high = FLOAT32_MAX if column.maximum is None else min(column.maximum, FLOAT32_MAX)
        kind = Annotated[float, msgspec.Meta(ge=low, le=high)]
    return (name, kind | None, None) if column.nullable else (name, kind)


def _plain(array: np.ndarray) -> list[Any]:
    """An encoded column as JSON has it: null for what is missing."""
    values = array.ravel().tolist()
    if array.dtype == object:
        return [value or None for value in values]
    return [None if value != value else value for value in values]
