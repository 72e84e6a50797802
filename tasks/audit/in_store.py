"""In the store: the rows of a person in snapshots, and so which versions learned from them; in references and windows.

A snapshot has the columns of its source, so a person is found by the column that the condition names. What was made of it
by the number of a row (what a model learned, was judged on, and is compared with) is found by theirs.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import numpy as np

from configs.schema import UseCase
from configs.settings import home, store
from tasks.audit.values import Place, Trained
from tasks.data.frames import read_rows
from tasks.data.values import Snapshot
from tasks.history import read_history
from tasks.log.collected import windows_of
from tasks.log.conditions import RECORD_FIELDS, Condition
from tasks.log.table_rows import rows_of, window_rows
from tasks.packaging.reference import REFERENCE_ROWS, reference_rows

Tell = Callable[[str, int, int], None]  # what is searched, how many of how many
NOBODY = "nothing deletes it by itself"


class Stored(NamedTuple):
    """What the store holds of a person, and what of it `cannot` be searched, each with why."""

    places: list[Place]
    trained: list[Trained]
    cannot: list[str]


class _Made(NamedTuple):
    """A bundle of the use case: its digest, its lineage, and the digests of its data."""

    digest: str
    lineage: dict[str, Any]
    data: dict[str, str]


def in_store(use_case: UseCase, conditions: Sequence[Condition], ids: Sequence[str], tell: Tell) -> Stored:
    """Every place of the store that holds rows of whoever meets the conditions, or of the predictions with these ids."""
    bundles = list(_bundles())
    found = _in_snapshots(use_case, conditions, bundles, tell)
    windows = list(windows_of(use_case.name))
    for number, window in enumerate(windows):
        tell("windows", number, len(windows))
        if rows := window_rows(window, conditions, ids):
            found.places.append(_window(use_case, window, rows))
    return found


def _in_snapshots(
    use_case: UseCase, conditions: Sequence[Condition], bundles: list[tuple[str, _Made]], tell: Tell
) -> Stored:
    stored = Stored([], [], [])
    strange = [each.field for each in conditions if each.field in RECORD_FIELDS]
    if strange:
        stored.cannot.append(f"snapshots and references: rows of a source have no {strange[0]!r}, which is a request's")
        return stored
    others = {made.lineage["snapshot"] for name, made in bundles if name != use_case.name}
    mine = [made for name, made in bundles if name == use_case.name]
    snapshots = sorted(store("snapshots").glob("*.parquet"))
    for number, path in enumerate(snapshots):
        tell("snapshots", number, len(snapshots))
        made = [each for each in mine if each.lineage["snapshot"] == path.stem]
        if not made and path.stem in others:
            continue
        try:
            rows = rows_of(path, conditions)
        except duckdb.Error as error:
            stored.cannot.append(f"snapshot {path.stem[:12]}: cannot be read: {str(error).splitlines()[0]}")
            continue
        if rows is None:
            if made:
                lacking = _lacking(path, conditions)
                stored.cannot.append(f"snapshot {path.stem[:12]}: has no column {lacking!r}, so nobody is found by it")
        elif len(rows):
            _add(stored, use_case.name, path.stem, rows, made)
    there = {path.stem for path in snapshots}
    for gone in sorted({made.lineage["snapshot"] for made in mine} - there):
        stored.cannot.append(f"snapshot {gone[:12]}: is not in this home any more")
    return stored


def _add(stored: Stored, use_case: str, snapshot: str, rows: np.ndarray, bundles: list[_Made]) -> None:
    """A snapshot that holds the person, and what was made from it."""
    what = "what a release or a retraining learned from" if bundles else "no bundle of this home was made from it"
    stored.places.append(_place("snapshot", snapshot, len(rows), what))
    for made in bundles:
        learned = int((rows < made.lineage.get("learned_rows", made.lineage["rows"])).sum())  # not recorded once: all
        held_out = _held_out(made, rows)
        versions = _versions(use_case, made.digest)
        stored.trained.append(
            Trained(bundle=made.digest, versions=versions, snapshot=snapshot, learned=learned, held_out=len(held_out))
        )
        name = f"of version {', '.join(versions) or 'none'}, bundle {made.digest[:12]}"
        if len(held_out):
            stored.places.append(_place("holdout", made.data["holdout"], len(held_out), f"label and answer, {name}"))
            stored.cannot.append(
                f"golden rows {name}: some of the held out rows, without identifiers; theirs may be among them"
            )
        if count := _in_reference(made, snapshot, rows):
            stored.places.append(
                _place("reference", made.data["reference"], count, f"what windows are compared with, {name}")
            )


def _window(use_case: UseCase, path: Path, rows: int) -> Place:
    keep, made = use_case.log.keep, datetime.fromtimestamp(path.stat().st_mtime, UTC)
    until = (
        f"until {made + keep:%Y-%m-%d} (log.keep)" if keep else "until the person is erased; the use case has no log.keep"
    )
    return Place(
        kind="window", name=path.stem, rows=rows, told="a copy of logged rows that monitoring looked at", until=until
    )


def _place(kind: str, name: str, rows: int, told: str) -> Place:
    return Place(kind=kind, name=name, rows=rows, told=told, until=NOBODY)


def _held_out(made: _Made, rows: np.ndarray) -> np.ndarray:
    """Those rows that the bundle was judged on: the last of the snapshot, as many as its holdout has."""
    import pyarrow.parquet as pq

    path = _data(made, "holdout", "scores")
    count = pq.read_metadata(path).num_rows if path.exists() else 0
    return rows[rows >= made.lineage["rows"] - count]


def _in_reference(made: _Made, snapshot: str, rows: np.ndarray) -> int:

    if not _data(made, "reference", "references").exists():
        return 0
    total, time = made.lineage["rows"], made.lineage["configuration"]["source"]["time_column"]
    whole = Snapshot(digest=snapshot, rows=total)
    times = read_rows(whole, 0, total, [time])[time].to_numpy() if time and total > REFERENCE_ROWS else None
    return int(np.isin(rows, reference_rows(times, total)).sum())


def _data(made: _Made, name: str, kind: str) -> Path:
    return store(kind) / f"{made.data.get(name, 'none')}.parquet"


def _bundles() -> Iterator[tuple[str, _Made]]:
    """Every bundle of the home, with whose it is."""
    for path in sorted((home() / "store" / "bundles").glob("*/manifest.json")):
        manifest = json.loads(path.read_bytes())
        yield manifest["use_case"], _Made(path.parent.name, manifest["lineage"], manifest.get("data", {}))


def _versions(use_case: str, bundle: str) -> list[str]:
    """The numbers under which a bundle was deployed here."""
    return sorted({entry["version"] for entry in read_history(use_case, "deploy") if entry.get("bundle") == bundle}, key=int)


def _lacking(path: Path, conditions: Sequence[Condition]) -> str:
    import pyarrow.parquet as pq

    there = set(pq.read_schema(path).names)
    return next(each.field for each in conditions if each.field not in there)
