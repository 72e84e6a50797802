"""Records: the typed form of one row, built from the contract, so that JSON is decoded and checked in compiled code.

A record type has one field a column, with the contract's type and bounds, so decoding a request *is* its validation. What
the strict type refuses is read again by a lenient one (a number where a category is meant is a category), and only when
that fails too are the records looked at value by value, to name every fault at once.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from typing import Any, NamedTuple

import msgspec
import numpy as np
from msgspec.structs import astuple

from serving.contract.contract import Column, Contract
from serving.contract.faults import MAX_FAULTS, ContractError, Fault
from serving.contract.identifiers import identifier, identifiers
from serving.contract.kinds.strings import MISSING

READ_ROWS = 1024  # decoded at a time
UNWRITABLE = re.compile(r'["\\\x00-\x1f]')  # what msgspec allows in no field's name
Record = Any  # an instance of `Records.strict` or `Records.lenient`


class Inputs(NamedTuple):
    """Model input: float32 `numbers` of shape (columns of numbers, rows), string `texts` of (columns of strings, rows)."""

    numbers: np.ndarray
    texts: np.ndarray

    def rows(self, cut: slice | Sequence[int]) -> Inputs:
        """Some of the rows."""
        chosen = cut if isinstance(cut, slice) else list(cut)
        return Inputs(self.numbers[:, chosen], self.texts[:, chosen])


def json_list(raws: Sequence[msgspec.Raw]) -> bytes:
    """Pieces of JSON as one list."""
    return b"[" + b",".join(raws) + b"]"


def in_slices(rows: int, read: Callable[[slice], list[Record]]) -> list[Record]:
    """What `read` makes of so many rows, a slice at a time: one wrong row then costs the search of a slice.

    Raises:
        ContractError: naming every fault, by its row of all.
    """
    found: list[Record] = []
    faults: list[Fault] = []
    for start in range(0, rows, READ_ROWS):
        try:
            found += read(slice(start, start + READ_ROWS))
        except ContractError as error:
            faults += [msgspec.structs.replace(each, row=start + (each.row or 0)) for each in error.faults]
            if len(faults) >= MAX_FAULTS:
                break
    if faults:
        raise ContractError.of(faults[:MAX_FAULTS])
    return found


class Records:
    """The record type of a contract, and what turns records into model input.

    Args:
        contract: What a record must be.
        others: Fields that the contract does not know are passed over; by default they are faults.
    """

    def __init__(self, contract: Contract, others: bool = False) -> None:
        self.contract, self._others = contract, others
        self._strings = [column for column in contract.columns if column.dtype == "string"]
        self._numbers = [column for column in contract.columns if column.dtype == "float32"]
        self._split = len(self._strings)
        self._columns = [*self._strings, *self._numbers]
        self._end = len(self._columns)
        names = [*(column.name for column in self._columns), *contract.identifiers]
        self._names = names
        # Inside, a name that msgspec does not allow gets another one; clients, log and errors know only the column's.
        self._inside = {name: f"\ue000{i}" for i, name in enumerate(names) if UNWRITABLE.search(name)}
        self._outside = {inside: name for name, inside in self._inside.items()}
        self.strict = self._type("Record", _strict_field, str | int | None)
        self.lenient = self._type("LenientRecord", _lenient_field, str | int | float | None)
        self._lists: list[msgspec.json.Decoder[list[Record]]] = [
            msgspec.json.Decoder(list[kind])  # type: ignore[valid-type]
            for kind in (self.strict, self.lenient)
        ]
        free = [column.its.free and column.allowed is None and not column.missing for column in self._strings]
        self._checks = [(f"f{i}", column, free[i], not column.nullable) for i, column in enumerate(self._strings)]
        self._odd = [(f"f{i}", c) for i, c in enumerate(self._columns) if c.boolean or (i >= self._split and not c.its.free)]
        self._subjects = [(f"f{i}", name) for i, name in enumerate(names) if i >= self._end]
        lows = [-np.inf if column.low is None else column.low for column in self._numbers]
        highs = [np.inf if column.high is None else column.high for column in self._numbers]
        self._low, self._high = (np.array(bounds, dtype=np.float32).reshape(-1, 1) for bounds in (lows, highs))
        self._seen = [(at, c.name, known) for at, c in enumerate(self._strings) if (known := c.its.known(c)) is not None]

    def _type(self, name: str, field: Callable[[str, Column], Any], subject: Any) -> type[msgspec.Struct]:
        """A record type; a column may have a name that Python has not, so fields are numbered."""
        fields: list[Any] = [field(f"f{i}", column) for i, column in enumerate(self._columns)]
        fields += [(f"f{i}", subject, None) for i in range(self._end, len(self._names))]
        return msgspec.defstruct(
            name,
            fields,
            rename={f"f{i}": self._inside.get(given, given) for i, given in enumerate(self._names)},
            kw_only=True,
            forbid_unknown_fields=not self._others,
            omit_defaults=True,
            gc=False,
        )

    def check(self, records: Sequence[Record]) -> None:
        """What the lenient type cannot say about strings, booleans and identifiers; both become what the contract means.

        Raises:
            ContractError: naming every fault.
        """
        faults: list[Fault] = []
        for name, column, free, required in self._checks:
            for row, record in enumerate(records):
                value = getattr(record, name)
                if free and value.__class__ is str and (value or not required):
                    continue
                if value is None:  # the type has seen to it that the column is nullable
                    continue
                try:
                    setattr(record, name, column.its.one(column, value, row) or None)
                except ContractError as error:
                    faults += error.faults
        for name, column in self._odd:
            for row, record in enumerate(records):
                if (value := getattr(record, name)) is not None:
                    try:
                        setattr(record, name, column.its.one(column, value, row))
                    except ContractError as error:
                        faults += error.faults
        for name, given in self._subjects:
            for row, record in enumerate(records):
                try:
                    setattr(record, name, identifier(getattr(record, name), given, row))
                except ContractError as error:
                    faults += error.faults
        if faults:
            raise ContractError.of(sorted(faults, key=lambda fault: fault.row or 0))

    def read(self, raws: Sequence[msgspec.Raw]) -> list[Record]:
        """The JSON of records as typed ones.

        Raises:
            ContractError: naming every fault.
            msgspec.DecodeError: it is not JSON.
        """
        return in_slices(len(raws), lambda cut: self._read(json_list(raws[cut])))

    def _read(self, body: bytes) -> list[Record]:
        strict, lenient = self._lists
        if self._inside:
            return self.convert(msgspec.json.decode(body))
        try:
            return strict.decode(body)
        except msgspec.ValidationError:
            pass
        try:
            rows = lenient.decode(body)
        except msgspec.ValidationError as error:
            raise self.faults(msgspec.json.decode(body)) or ContractError(str(error)) from None
        self.check(rows)
        return rows

    def faults(self, records: Sequence[Any]) -> ContractError | None:
        """Why plain records could not be decoded, or None where the contract finds nothing wrong with them."""
        strange = [row for row, record in enumerate(records) if not isinstance(record, Mapping)]
        if strange:
            return ContractError("must be an object with one field a column", None, strange[0])
        found = self.contract.faults(records)
        for name in self.contract.identifiers:
            found += [fault for row, record in enumerate(records) for fault in _wrong(record.get(name), name, row)]
        return ContractError.of(sorted(found, key=lambda fault: fault.row or 0)[:MAX_FAULTS]) if found else None

    def convert(self, records: Sequence[Mapping[str, Any]]) -> list[Record]:
        """Plain records as typed ones.

        Raises:
            ContractError: naming every fault.
        """
        named = records
        if self._inside and all(isinstance(record, Mapping) for record in records):
            named = [{self._inside.get(name, name): value for name, value in record.items()} for record in records]
        try:
            rows = msgspec.convert(named, list[self.lenient])  # type: ignore[name-defined]
        except msgspec.ValidationError as error:
            raise self.faults(records) or ContractError(str(error)) from None
        self.check(rows)
        return rows

    @property
    def renamed(self) -> bool:
        """Whether a column has another name inside a record, so that only `fields` tells its own."""
        return bool(self._inside)

    def value_of(self, name: str) -> Callable[[Record], Any]:
        """Reads the value of a column or an identifier out of a record."""
        return attrgetter(f"f{self._names.index(name)}")

    def fields(self, record: Record) -> dict[str, Any]:
        """A record as it is logged: its values by the columns' own names."""
        fields: dict[str, Any] = msgspec.to_builtins(record)
        return {self._outside.get(name, name): value for name, value in fields.items()} if self._inside else fields

    def from_columns(self, table: Mapping[str, Any]) -> tuple[list[Record], Inputs]:
        """Named columns of equal length as records, and as model input.

        Raises:
            ContractError: naming every fault.
        """
        arrays = self.contract.encode_columns(table)
        count = len(arrays[self._columns[0].name])
        numbers = [arrays[column.name][:, 0] for column in self._numbers]
        texts = [arrays[column.name][:, 0] for column in self._strings]
        inputs = Inputs(
            np.array(numbers, dtype=np.float32).reshape(-1, count), np.array(texts, dtype=object).reshape(-1, count)
        )
        lists = [column.its.logged(table[column.name], arrays[column.name]) for column in self._columns]
        lists += [identifiers(table[name], name) if name in table else [None] * count for name in self.contract.identifiers]
        keys = [f"f{i}" for i in range(len(lists))]
        return [self.strict(**dict(zip(keys, row, strict=True))) for row in zip(*lists, strict=True)], inputs

    def inputs(self, records: Sequence[Record]) -> Inputs:
        """Checked records as model input; None becomes NaN or the empty string."""
        columns = list(zip(*map(astuple, records), strict=True))
        texts = np.empty((self._split, len(records)), dtype=object)
        for i in range(self._split):
            texts[i] = [value or MISSING for value in columns[i]]
        return Inputs(np.array(columns[self._split : self._end], dtype=np.float32), texts)

    def feeds(self, inputs: Inputs) -> dict[str, np.ndarray]:
        """The model's inputs by name, each of shape (rows, 1)."""
        count = inputs.texts.shape[1]
        numbers, texts = inputs.numbers.reshape(-1, count, 1), inputs.texts.reshape(-1, count, 1)
        feeds = dict(zip(self._names, texts, strict=False))
        feeds.update(zip(self._names[self._split : self._end], numbers, strict=True))
        return feeds

    def unseen(self, inputs: Inputs) -> dict[str, int]:
        """How many values of each column lie outside what the training snapshot showed, where any do."""
        counts = {}
        outside = (inputs.numbers < self._low) | (inputs.numbers > self._high)
        if outside.any():
            sums = outside.sum(axis=1).tolist()
            counts = {column.name: n for column, n in zip(self._numbers, sums, strict=True) if n}
        for at, name, known in self._seen:
            strange = sum([text not in known for text in inputs.texts[at].tolist()])
            if strange:
                counts[name] = strange
        return counts


def _strict_field(name: str, column: Column) -> Any:
    return _field(name, column, column.its.strict(column))


def _lenient_field(name: str, column: Column) -> Any:
    return _field(name, column, column.its.lenient(column))


def _field(name: str, column: Column, kind: Any) -> Any:
    return (name, kind | None, None) if column.nullable else (name, kind)


def _wrong(value: Any, name: str, row: int) -> list[Fault]:
    try:
        identifier(value, name, row)
    except ContractError as error:
        return error.faults
    return []
