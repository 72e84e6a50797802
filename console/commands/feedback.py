"""`slipway feedback`: what turned out to be true, from a table, to the use case's server, as its clients would send it.

A prediction may be told about more than once and the last word counts, so a command that was stopped is simply run again.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx

from configs.errors import CheckFailed, InputError, nearest
from configs.schema import UseCase
from serving.contract.contract import Contract, read_contract
from serving.contract.heads.choose import head_of
from serving.contract.heads.head import Head
from serving.contract.spelling import csv_text
from tasks.data.csv_file import Declared
from tasks.data.files import read_file
from tasks.deploying.keys import internal_headers
from tasks.routing import gateway, served

ID, LABEL = "prediction_id", "label"
BATCH = 500
CALLER = "feedback"


class Told(NamedTuple):
    """How many labels and numbers were sent, and how many rows said nothing."""

    labels: int
    numbers: int
    empty: int


def send_feedback(use_case: UseCase, path: Path, progress: Callable[[int, int], None]) -> Told:
    """Send every row of a file of any kind that a source may be. All rows are read before the first is sent.

    The column `prediction_id` says which prediction, `label` what was true of it; every other column is a KPI by its name.

    Raises:
        InputError: nothing serves, the file cannot be read, or a row says what it may not, by its number in the file.
        CheckFailed: the server did not take a batch; those before it have been taken.
    """
    running = served.serving(use_case.name)
    if running is None:
        raise InputError(f"use case {use_case.name!r} has no release that could be told; run 'slipway release' first")
    contract = read_contract(running.version.bundle.path / "contract.json")
    outcomes = list(_outcomes(path, _read(path), contract))
    said = [outcome for outcome in outcomes if len(outcome) > 1]
    headers = internal_headers(use_case.name, CALLER)
    with httpx.Client(base_url=gateway.address(use_case.name), headers=headers, timeout=60) as http:
        for start in range(0, len(said), BATCH):
            _send(http, said[start : start + BATCH], start)
            progress(min(start + BATCH, len(said)), len(said))
    labels, numbers = sum(LABEL in each for each in said), sum(len(each.get("kpis", ())) for each in said)
    return Told(labels, numbers, len(outcomes) - len(said))


def _send(http: httpx.Client, batch: list[dict[str, Any]], before: int) -> None:
    answer = http.post("feedback", json={"labels": batch})
    if answer.status_code != 200:
        raise CheckFailed(f"the server answered {answer.status_code} after {before:,} rows: {answer.text[:500]}")


def _read(path: Path) -> Any:
    """The table (Arrow), read as any source is; an id and a label stay the text that a CSV has."""
    table = read_file(str(path), str(path), Declared(texts={ID: csv_text, LABEL: csv_text}))
    if ID not in table.column_names:
        raise InputError(f"{path}: has no column {ID!r}; {nearest(ID, table.column_names)}")
    if table.num_columns == 1:
        raise InputError(f"{path}: has neither a column {LABEL!r} nor one of a KPI")
    return table


def _outcomes(path: Path, table: Any, contract: Contract) -> Iterator[dict[str, Any]]:
    """Each row as `/feedback` takes it; nothing but the id where it says nothing."""
    head = head_of(contract)
    for row, said in enumerate(table.to_pylist()):
        known = {name: value for name, value in said.items() if value is not None and value == value}
        if ID not in known:
            raise InputError(f"{path}: row {row}: {ID!r} is missing")
        outcome: dict[str, Any] = {ID: str(known.pop(ID))}
        if (label := known.pop(LABEL, None)) is not None:
            outcome[LABEL] = _label(path, row, label, head)
        kpis = {name: _number(path, row, name, value) for name, value in known.items()}
        yield {**outcome, "kpis": kpis} if kpis else outcome


def _label(path: Path, row: int, value: Any, head: Head) -> Any:
    try:
        return head.label_of(value)
    except ValueError as error:
        raise InputError(f"{path}: row {row}: label: {error}") from None


def _number(path: Path, row: int, name: str, value: Any) -> float:
    with contextlib.suppress(TypeError, ValueError):  # what is no number is told below
        if math.isfinite(number := float(value)):
            return number
    raise InputError(f"{path}: row {row}: column {name!r}: {str(value)[:40]!r} is no finite number, as a KPI is")
