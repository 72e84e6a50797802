"""`slipway privacy`: what a source holds of persons, and how many rows share what somebody else could know. Reads only."""

from __future__ import annotations

import json
from collections.abc import Iterable

import duckdb
from rich.console import Console
from rich.table import Table
from rich.text import Text

from configs.load import load_use_case
from configs.schema import UseCase
from configs.settings import home, store
from serving.scoring.bundle import BundleError, read_bundle
from tasks.data.source import read_source
from tasks.data.values import Snapshot
from tasks.privacy.anonymity import of_log, of_table, quasi_identifiers
from tasks.privacy.scan import scan
from tasks.privacy.told import ANONYMITY, PERSONAL, anonymity_row, personal_row
from tasks.privacy.values import Anonymity
from tasks.routing.served import serving


def show(use_case: str, as_data: bool, screen: Console) -> None:
    """Print both tables, or all of it as JSON.

    Raises:
        InputError: there is no such use case, its source cannot be read, or a quasi-identifier is no column of it.
        CheckFailed: the log cannot be read.
    """
    case = load_use_case(use_case)
    rows = read_source(case)
    columns = quasi_identifiers(case, rows.columns)
    found = scan(rows, case)
    kept = [each for each in (of_table(rows, case, "source"), _served(case), of_log(case, columns)) if each]
    if as_data:
        said = {"use_case": use_case, **found.model_dump(), "kept": [each.model_dump() for each in kept]}
        print(json.dumps(said, ensure_ascii=False, indent=1))
        return
    title = f"{use_case}: {found.rows:,} rows, {found.columns} columns of the source"
    screen.print(
        _table(title, PERSONAL, map(personal_row, found.found)) if found.found else f"{title}: nothing personal found"
    )
    if kept:
        screen.print(_table(f"{use_case}: k-anonymity, rows and not persons counted", ANONYMITY, map(anonymity_row, kept)))
    else:
        _say(screen, "Nothing to know a person by is declared or named; list it under 'privacy.quasi_identifiers'")
    if found.texts:
        _say(screen, f"Names within texts are not looked for, and these are prose: {', '.join(found.texts)}")


def _served(case: UseCase) -> Anonymity | None:
    """Of the snapshot of the version that serves; None where none does, or the home does not have it any more."""
    served = serving(case.name) if (home() / "use_cases" / case.name).is_dir() else None
    if served is None:
        return None
    try:
        lineage = read_bundle(store("bundles") / served.version.bundle.digest).manifest.lineage
    except BundleError:
        return None
    snapshot = Snapshot(digest=lineage["snapshot"], rows=lineage["rows"])
    if not snapshot.path.exists():
        return None
    return of_table(duckdb.read_parquet(str(snapshot.path)), case, f"snapshot of version {served.version.version}")


def _table(title: str, heads: list[str], rows: Iterable[list[str]]) -> Table:
    shown = Table(title=title, title_justify="left")
    for head in heads:
        shown.add_column(head, overflow="fold")
    for row in rows:
        shown.add_row(*map(Text, row))
    return shown


def _say(screen: Console, text: str) -> None:
    screen.print(text, markup=False, highlight=False, soft_wrap=True)
