"""What turned out to be true, as a table says it: of each prediction what `/feedback` takes, once every row was checked."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple

from configs.errors import InputError, nearest
from configs.schema import UseCase
from configs.secrets import filled, unfilled
from serving.contract.contract import Contract
from serving.contract.heads.choose import head_of
from serving.contract.spelling import CSV_BOOLEANS, csv_number, csv_text, spelled
from serving.scoring.model import KPI_NAME, LONGEST_ID, MOST_KPIS, SERVICE_KPIS
from tasks.data.csv_file import Declared
from tasks.data.database import read_database
from tasks.data.files import READ, kind_of, read_file
from tasks.data.places import places

ID, LABEL = "prediction_id", "label"
SHOWN = 10  # bad rows that are told one by one
SLICE = 10_000
LARGEST = 1e300  # of a KPI, as the server takes it


class Columns(NamedTuple):
    """What the table calls its ids and its labels. Every other column is a KPI by its name."""

    id: str = ID
    label: str = LABEL


USUAL = Columns()


class Outcomes(NamedTuple):
    """Of each prediction what the rows say together: its label, its `kpis`, or both; of what is said twice, the last.

    `empty` rows said nothing but an id, `again` told of a prediction that a row before them told of.
    """

    told: list[dict[str, Any]]
    empty: int
    again: int


class _Bad(NamedTuple):
    row: int
    column: str
    problem: str


def read_outcomes(
    use_case: UseCase, contract: Contract, location: str, query: str | None = None, columns: Columns = USUAL
) -> Outcomes:
    """The outcomes that a file, a folder, or with a query a database holds.

    Raises:
        InputError: it cannot be read, lacks a column, or rows say what no outcome may: the first by their places, and how
            many there are.
    """
    try:
        table = _table(use_case, contract, location, query, columns)
        _check_columns(location, table.column_names, columns, contract.target)
        reader = _Reader(contract, columns, use_case.source.csv.decimal)
        found, bad, wrong = _outcomes(reader, table)
        if bad:
            raise InputError(_told(use_case, location, query, bad, wrong, table.num_rows))
    except InputError as error:
        raise InputError(unfilled(str(error), location)) from None
    return found


def _table(use_case: UseCase, contract: Contract, location: str, query: str | None, columns: Columns) -> Any:
    """The rows as any source is read. An id and a label are the text that a CSV has; what is blank or `missing` is null."""
    missing = frozenset(use_case.source.missing)
    text = any(isinstance(each, str) for each in contract.classes)
    label = partial(csv_text, known=tuple(CSV_BOOLEANS) if text else (), missing=missing)
    declared = Declared(texts={columns.id: csv_text, columns.label: label}, missing=missing)
    if query is not None:
        return read_database(location, query, declared)
    where = f"source {location!r}"
    if kind_of(location) is None and re.match(r"[a-z0-9]+(\+[a-z0-9]+)?://", location) and not _is_storage(location):
        raise InputError(f"{where}: is neither {READ}, nor a database's address with '--query'")
    return read_file(where, filled(where, location), declared, use_case.source.csv)


def _is_storage(location: str) -> bool:
    import fsspec

    return location.partition("://")[0] in fsspec.available_protocols()


def _check_columns(location: str, there: list[str], columns: Columns, target: str) -> None:
    """That ids are there, that what else there is may be said, and that no label is taken for a number."""
    where, listed = f"source {location!r}", ", ".join(map(repr, there))
    if columns.id not in there:
        raise InputError(f"{where}: has no column {columns.id!r} of prediction ids; '--id' names it: {listed}")
    if columns.label not in there and (columns.label != LABEL or "did you mean" in nearest(LABEL, there) or target in there):
        raise InputError(f"{where}: has no column {columns.label!r} of labels; '--label' names it: {listed}")
    kpis = [name for name in there if name not in columns]
    if not kpis and columns.label not in there:
        raise InputError(f"{where}: has neither a column {columns.label!r} nor one of a KPI; '--label' names it: {listed}")
    if len(kpis) > MOST_KPIS:
        raise InputError(f"{where}: has {len(kpis)} columns of KPIs, and a prediction may have {MOST_KPIS}; leave some out")
    for name in kpis:
        if name in SERVICE_KPIS:
            raise InputError(f"{where}: column {name!r} is a KPI of the service itself; choose another name")
        if not re.fullmatch(KPI_NAME, name):
            raise InputError(
                f"{where}: column {name!r} cannot be a KPI: small letters, digits and '_', at most 40; every column beside "
                f"{columns.id!r} and {columns.label!r} is one, so rename it or leave it out"
            )


def _outcomes(reader: _Reader, table: Any) -> tuple[Outcomes, list[_Bad], int]:
    """What the rows say together, the first things that are wrong with them, and how many rows are."""
    told: dict[str, dict[str, Any]] = {}
    bad: list[_Bad] = []
    empty = again = wrong = 0
    for batch in table.to_batches(SLICE):  # a table as Python values is ten times its size
        for row, said in enumerate(batch.to_pylist(), empty + again + wrong + len(told)):
            name, outcome, faults = reader.read(row, said)
            if faults:
                wrong += 1
                bad += faults[: SHOWN - len(bad)]
            elif not outcome:
                empty += 1
            elif name in told:
                again += 1
                told[name] = _later(told[name], outcome)
            else:
                told[name] = {ID: name, **outcome}
    return Outcomes(list(told.values()), empty, again), bad, wrong


def _later(before: dict[str, Any], outcome: dict[str, Any]) -> dict[str, Any]:
    kpis = before.get("kpis", {}) | outcome.get("kpis", {})
    return {**before, **outcome, **({"kpis": kpis} if kpis else {})}


class _Reader:
    """Reads a row."""

    def __init__(self, contract: Contract, columns: Columns, decimal: str) -> None:
        self._head, self._columns, self._decimal = head_of(contract), columns, decimal
        self._measured = not contract.classes

    def read(self, row: int, said: Mapping[str, Any]) -> tuple[str, dict[str, Any], list[_Bad]]:
        """The id of its prediction, what is said of that, and what is wrong with it."""
        known = {name: value for name, value in said.items() if value is not None and value == value}
        name, label, kpis, bad = "", {}, dict[str, float](), list[_Bad]()
        for column, value in {self._columns.id: None, **known}.items():
            try:
                if column == self._columns.id:
                    name = _id(value)
                elif column == self._columns.label:
                    label = {LABEL: self._label(value)}
                elif (number := self._number(value)) is not None:
                    kpis[column] = number
            except ValueError as error:
                bad.append(_Bad(row, column, str(error)))
        return name, {**label, **({"kpis": kpis} if kpis else {})}, bad

    def _label(self, value: Any) -> Any:
        if isinstance(value, list | dict):
            raise ValueError(f"{str(value)[:40]} is no label")
        if not (self._measured and self._decimal == "," and isinstance(value, str)):
            return self._head.label_of(value)
        try:
            return self._head.label_of(csv_number(_pointed(value)))
        except ValueError:
            raise ValueError(f"must be a finite number with a decimal comma, found {value[:40]!r}") from None

    def _number(self, value: Any) -> float | None:
        """A KPI, also where a field of its column that is none made texts of all."""
        try:
            text = _pointed(value) if self._decimal == "," and isinstance(value, str) else value
            number = csv_number(text) if isinstance(text, str) else float(text)
        except (TypeError, ValueError):
            number = math.inf
        if number is None or abs(number) <= LARGEST:
            return number
        raise ValueError(f"{str(value)[:40]!r} is no finite number, as a KPI is")


def _pointed(text: str) -> str:
    return text.replace(".", "?").replace(",", ".")


def _id(value: Any) -> str:
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = spelled(value)
    if value is None:
        raise ValueError("is missing")
    if not isinstance(value, str) or not 0 < len(value) <= LONGEST_ID:
        raise ValueError(f"{str(value)[:40]!r} is no id of a prediction: a text of at most {LONGEST_ID} characters")
    return value


def _told(use_case: UseCase, location: str, query: str | None, bad: list[_Bad], wrong: int, rows: int) -> str:
    """The first things that are wrong, each at its place."""
    at = {each.row: f"row {each.row}" for each in bad}
    if query is None:
        at |= places(filled("source", location), at.keys(), use_case.source.csv)
    lines = [f"  {at[each.row]}, column {each.column!r}: {each.problem}" for each in bad]
    more = ["  ..."] if wrong > len(at) else []
    return "\n".join([f"source {location!r}: {wrong:,} of {rows:,} rows are wrong, so nothing was sent", *lines, *more])
