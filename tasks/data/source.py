"""Reading a source: tables or a database, as rows of the use case."""

from __future__ import annotations

import importlib.util
from datetime import UTC, datetime
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

import duckdb

from configs.errors import InputError, nearest
from configs.schema import CsvFormat, Replay, Source, UseCase
from configs.secrets import filled, unfilled
from serving.contract.spelling import CSV_BOOLEANS, csv_moment, csv_text
from tasks.data.csv_file import Declared
from tasks.data.database import read_database
from tasks.data.files import NOTHING, read_file, tell
from tasks.data.frames import EXACT
from tasks.data.row_keys import row_keys
from tasks.data.sql import quoted, text_literal
from tasks.data.time_order import in_time_order

NUMBERS = (
    "FLOAT", "DOUBLE", "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT",
)  # fmt: skip


class Seen:
    """What reading came across: the SHA-256 of each table's files by their names, and what is to be told."""

    def __init__(self) -> None:
        self.files: dict[str, dict[str, str]] = {}
        self.told: list[str] = []


def training_rows(use_case: UseCase, until: datetime | None, seen: Seen | None = None) -> Any:
    """The rows that may be learned from at `until`, or now, as an Arrow table.

    Where rows have a time, their label must have arrived (`label_delay`) by then. Where they have none, they come in the
    order of their keys, so that the last part of every snapshot holds the same rows, and without the share that is replayed
    as live traffic. Rows without a label are left out.
    """
    rows = read_source(use_case, seen)
    source, target = use_case.source, use_case.target.column
    rows = rows.filter(f"{quoted(target)} is not null")
    if source.time_column:
        rows = rows.filter(f"{quoted(source.time_column)} < {_moment((until or datetime.now(UTC)) - source.label_delay)}")
    table = _ordered(rows, source)
    if table.num_rows == 0:
        raise InputError(f"use case {use_case.name!r}: source has no row with a {target!r} before {until or 'now'}")
    if not source.time_column:
        if use_case.replay is not None:
            table = table.take(shuffled(table.num_rows, use_case.replay)[1])
        table = table.take(row_keys(table, table.column_names).argsort(kind="stable")[::-1])
    return table


def replay_rows(use_case: UseCase) -> Any:
    """The rows that a replay sends, in the order it sends them, as an Arrow table; labels may be null."""
    if use_case.replay is None:
        raise InputError(f"use case {use_case.name!r}: has no 'replay' section")
    rows = read_source(use_case)
    if use_case.replay.start is not None:
        later = rows.filter(f"{quoted(str(use_case.source.time_column))} >= {_moment(use_case.replay.start)}")
        return _ordered(later, use_case.source)
    table = _ordered(rows.filter(f"{quoted(use_case.target.column)} is not null"), use_case.source)
    return table.take(shuffled(table.num_rows, use_case.replay)[0])


def _moment(moment: datetime) -> str:
    """A moment as SQL, in UTC as the rows are, whatever its offset."""
    return f"timestamp '{moment.astimezone(UTC).replace(tzinfo=None).isoformat()}'"


def shuffled(rows: int, replay: Replay) -> tuple[list[int], list[int]]:
    """Row numbers in a seeded random order: those to replay, and those to train on.

    >>> shuffled(4, Replay(share=0.5, seed=1))
    ([0, 1], [2, 3])
    """
    import numpy as np

    order = np.random.default_rng(replay.seed).permutation(rows)
    cut = round(rows * (replay.share or 0))
    return order[:cut].tolist(), order[cut:].tolist()


def read_source(use_case: UseCase, seen: Seen | None = None) -> duckdb.DuckDBPyRelation:
    """All rows of the source as a DuckDB relation, every column of the use case in it.

    Raises:
        InputError: which table cannot be read and why, or which column is not there.
    """
    source, declared = use_case.source, declared_columns(use_case)
    rows = open_source(use_case.name, source, declared, seen)
    wanted = [("features", name) for name in use_case.features.all] + [("target.column", use_case.target.column)]
    wanted += [("source.time_column", source.time_column)] if source.time_column else []
    wanted += [("target.query", use_case.target.query)] if use_case.target.query else []
    wanted += [("fairness.protected", name) for name in use_case.fairness.protected] if use_case.fairness else []
    wanted += [("reasons.proxies", name) for name in use_case.reasons.proxies] if use_case.reasons else []
    for key, name in wanted:
        if name not in rows.columns:
            raise InputError(
                f"use case {use_case.name!r}: {key}: the source has no column {name!r}; {nearest(name, rows.columns)}"
            )
    rows = _plain(rows, use_case, declared)
    return _timed(use_case.name, rows, source.time_column) if source.time_column else rows


def open_source(
    use_case: str, source: Source, declared: Declared = NOTHING, seen: Seen | None = None
) -> duckdb.DuckDBPyRelation:
    """All rows of a source, in the types that they have where nothing is declared of a column.

    What was not read of a folder stands in `seen`, or is told by itself.

    Raises:
        InputError: which table cannot be read and why, or what is wrong with the query.
    """
    connection = duckdb.connect()
    connection.execute("set timezone = 'UTC'")
    try:
        if source.database:
            connection.register("rows", read_database(source.database, source.query or "", declared))
            return connection.table("rows")
        for name, url in source.tables.items():
            connection.register(name, _read_table(name, url, declared, source.csv, seen))
        return connection.sql(source.query or f"select * from {quoted(next(iter(source.tables)))}")
    except duckdb.Error as error:
        raise InputError(f"use case {use_case!r}: source.query: {str(error).splitlines()[0]}") from None


def declared_columns(use_case: UseCase) -> Declared:
    """What the use case says of its columns: a category is text as it stands, and so are classes that are texts."""
    features, rules, target = use_case.features, use_case.features.rules, use_case.target
    known = {name: tuple(rules[name].allowed or ()) if name in rules else () for name in features.categorical}
    known |= dict.fromkeys(features.text, tuple(CSV_BOOLEANS))  # a text is what it is
    if isinstance(target.positive, str):
        known[target.column] = tuple(CSV_BOOLEANS)  # classes are the texts that they are
    missing = frozenset(use_case.source.missing)
    texts = {name: partial(csv_text, known=values, missing=missing) for name, values in known.items()}
    moments = dict.fromkeys(features.datetime, partial(csv_moment, missing=missing))
    booleans = frozenset(features.boolean)
    return Declared(frozenset(features.numeric), {**texts, **moments}, missing, booleans=booleans)


def _plain(rows: duckdb.DuckDBPyRelation, use_case: UseCase, declared: Declared) -> duckdb.DuckDBPyRelation:
    """Features and target in types that the contract takes: no decimals, no dictionaries, no token for nothing."""
    changed = []
    for name in dict.fromkeys([*use_case.features.all, use_case.target.column]):
        column, kind, text = quoted(name), str(rows.types[rows.columns.index(name)]), name in declared.texts
        moment = name in use_case.features.datetime and kind.startswith(("DATE", "TIMESTAMP"))
        wanted = "TIMESTAMP" if moment else _plain_type(kind, text)  # of zones, DuckDB has only UTC here
        if wanted is None:
            raise InputError(
                f"use case {use_case.name!r}: column {name!r} is of type {kind}, which {_where(use_case, name)!r} does not "
                f"take; list a date or a time under 'features.datetime', or derive from it in 'source.query', for example "
                f"dayofweek({column}) or cast({column} as varchar)"
            )
        if text and kind in ("BIGINT", "UBIGINT") and _long(rows, column):
            wanted = "VARCHAR"
        found = column if wanted == kind else f"cast({column} as {wanted})"
        if text and wanted == "VARCHAR":
            tokens = ", ".join(text_literal(token) for token in ("", *sorted(declared.missing)))
            found = f"case when {found} not in ({tokens}) then {found} end"
        if found != column:
            changed.append(f"{found} as {column}")
    return rows.project(f"* replace ({', '.join(changed)})") if changed else rows


def _where(use_case: UseCase, name: str) -> str:
    """The key that lists a column."""
    return f"features.{kind}" if (kind := use_case.features.kinds.get(name)) else "target"


def _plain_type(kind: str, text: bool) -> str | None:
    """What a column of DuckDB's type becomes, as a text or not; None where nobody can say what it would mean.

    >>> _plain_type("DECIMAL(18,2)", text=False), _plain_type("DECIMAL(20,0)", text=True), _plain_type("DATE", text=True)
    ('DOUBLE', 'VARCHAR', None)
    """
    if kind in NUMBERS or kind == "VARCHAR":
        return kind
    if kind == "BOOLEAN":
        return "VARCHAR" if text else kind
    if kind in ("HUGEINT", "UHUGEINT", '"NULL"') or (kind.startswith("DECIMAL") and kind.endswith(",0)")):
        return "VARCHAR" if text else "DOUBLE"
    if kind.startswith("DECIMAL"):
        return "DOUBLE"
    return "VARCHAR" if kind == "UUID" or kind.startswith("ENUM") else None


def _long(rows: duckdb.DuckDBPyRelation, column: str) -> bool:
    """Whether whole numbers have digits that a float, which a gap makes of them, would lose."""
    return rows.filter(f"{column} not between -{EXACT} and {EXACT}").limit(1).fetchall() != []


def _timed(use_case: str, rows: duckdb.DuckDBPyRelation, column: str) -> duckdb.DuckDBPyRelation:
    """The rows with their time as a timestamp in UTC; a CSV has it as text.

    Raises:
        InputError: one has no time, or text that is none.
    """
    if rows.types[rows.columns.index(column)] == "TIMESTAMP":
        return rows
    name = quoted(column)
    wrong = rows.filter(f"try_cast({name} as timestamptz) is null").limit(1).fetchall()
    if wrong:
        value = wrong[0][rows.columns.index(column)]
        raise InputError(
            f"use case {use_case!r}: source.time_column: {column!r} has {value!r}, which is no time; "
            "write ISO 8601, for example '2026-03-01 12:00'"
        )
    return rows.project(f"* replace (cast(cast({name} as timestamptz) as timestamp) as {name})")


def _ordered(rows: duckdb.DuckDBPyRelation, source: Source) -> Any:
    """In time order, ties in the order of all columns, so that equal rows give equal bytes."""
    by_all = ", ".join(map(quoted, [*([source.time_column] if source.time_column else []), *rows.columns]))
    if source.time_column is None:
        return rows.order(by_all).to_arrow_table()
    return in_time_order(rows.to_arrow_table(), source.time_column, by_all)


def _read_table(name: str, url: str, declared: Declared, form: CsvFormat, seen: Seen | None) -> Any:
    """A file or folder as an Arrow table."""
    where, digests = f"source.tables.{name}", dict[str, str]()
    say = tell if seen is None else seen.told.append
    try:
        table = read_file(where, _resolve(where, url), declared, form, digests, say)
    except InputError as error:
        raise InputError(unfilled(str(error), url)) from None
    if table.num_rows == 0:
        raise InputError(f"{where}: {url!r} has no rows")
    if seen is not None:
        alone = PurePosixPath(urlsplit(url).path).name
        seen.files[name] = {inside or alone: digest for inside, digest in digests.items()}
    return table


def _resolve(where: str, url: str) -> str:
    """A path or URL that fsspec can open; `package://` is looked up without importing the package."""
    expanded = filled(where, url)
    if not expanded.startswith("package://"):
        return expanded
    package, _, inside = expanded.removeprefix("package://").partition("/")
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise InputError(f"{where}: no Python package {package!r} is installed, so {url!r} cannot be read")
    return str(Path(spec.submodule_search_locations[0]) / inside)
