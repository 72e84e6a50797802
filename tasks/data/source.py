"""Reading a source: tables or a database, as rows of the use case."""

from __future__ import annotations

import importlib.util
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import duckdb

from configs.errors import InputError, nearest
from configs.schema import Replay, Source, UseCase
from tasks.data.csv_types import Known, csv_categories, csv_options
from tasks.data.row_keys import row_keys


def training_rows(use_case: UseCase, until: datetime | None) -> Any:
    """The rows that may be learned from at `until`, or now, as an Arrow table.

    Where rows have a time, their label must have arrived (`label_delay`) by then. Where they have none, they come in the
    order of their keys, so that the last part of every snapshot holds the same rows, and without the share that is replayed
    as live traffic. Rows without a label are left out.
    """
    rows = read_source(use_case)
    source, target = use_case.source, use_case.target.column
    rows = rows.filter(f'"{target}" is not null')
    if source.time_column:
        rows = rows.filter(f'"{source.time_column}" < {_moment((until or datetime.now(UTC)) - source.label_delay)}')
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
        later = rows.filter(f'"{use_case.source.time_column}" >= {_moment(use_case.replay.start)}')
        return _ordered(later, use_case.source)
    table = _ordered(rows.filter(f'"{use_case.target.column}" is not null'), use_case.source)
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


def read_source(use_case: UseCase) -> duckdb.DuckDBPyRelation:
    """All rows of the source as a DuckDB relation, every column of the use case in it.

    Raises:
        InputError: which table cannot be read and why, or which column is not there.
    """
    source = use_case.source
    connection = duckdb.connect()
    connection.execute("set timezone = 'UTC'")
    try:
        if source.database:
            connection.register("rows", _read_database(source.database, source.query or ""))
            rows = connection.table("rows")
        else:
            known = {name: _declared(use_case, name) for name in use_case.features.categorical}
            for name, url in source.tables.items():
                connection.register(name, _read_table(name, url, known))
            rows = connection.sql(source.query or f'select * from "{next(iter(source.tables))}"')
    except duckdb.Error as error:
        raise InputError(f"use case {use_case.name!r}: source.query: {str(error).splitlines()[0]}") from None
    wanted = [("features", name) for name in use_case.features.all] + [("target.column", use_case.target.column)]
    wanted += [("source.time_column", source.time_column)] if source.time_column else []
    for key, name in wanted:
        if name not in rows.columns:
            raise InputError(
                f"use case {use_case.name!r}: {key}: the source has no column {name!r}; {nearest(name, rows.columns)}"
            )
    return _timed(use_case.name, rows, source.time_column) if source.time_column else rows


def _timed(use_case: str, rows: duckdb.DuckDBPyRelation, column: str) -> duckdb.DuckDBPyRelation:
    """The rows with their time as a timestamp in UTC; a CSV has it as text.

    Raises:
        InputError: one has no time, or text that is none.
    """
    if rows.types[rows.columns.index(column)] == "TIMESTAMP":
        return rows
    wrong = rows.filter(f'try_cast("{column}" as timestamptz) is null').limit(1).fetchall()
    if wrong:
        value = wrong[0][rows.columns.index(column)]
        raise InputError(
            f"use case {use_case!r}: source.time_column: {column!r} has {value!r}, which is no time; "
            "write ISO 8601, for example '2026-03-01 12:00'"
        )
    return rows.project(f'* replace (cast(cast("{column}" as timestamptz) as timestamp) as "{column}")')


def _ordered(rows: duckdb.DuckDBPyRelation, source: Source) -> Any:
    """In time order, ties in the order of all columns, so that equal rows give equal bytes."""
    if source.time_column:
        return rows.order(f'"{source.time_column}", {", ".join(_quoted(rows.columns))}').to_arrow_table()
    return rows.order(", ".join(_quoted(rows.columns))).to_arrow_table()


def _quoted(names: list[str]) -> list[str]:
    return [f'"{name}"' for name in names]


def _declared(use_case: UseCase, column: str) -> tuple[str, ...]:
    rule = use_case.features.rules.get(column)
    return tuple(rule.allowed) if rule and rule.allowed else ()


def _read_table(name: str, url: str, known: Known) -> Any:
    """A CSV or Parquet file as an Arrow table; `known` is what is declared of columns that hold categories."""
    import pandas as pd
    import pyarrow as pa

    where = f"source.tables.{name}"
    location = _resolve(where, url)
    kind = location.removesuffix(".gz").removesuffix(".bz2").removesuffix(".zip").removesuffix(".zst")
    suffix = Path(urlsplit(kind).path).suffix
    if suffix not in (".csv", ".parquet"):
        raise InputError(f"{where}: {url!r} is neither .csv nor .parquet (compressed or not)")
    try:
        if suffix == ".csv":
            frame = csv_categories(pd.read_csv(location, **csv_options(known)), known)
        else:
            frame = pd.read_parquet(location)
    except Exception as error:  # every file system and format has errors of its own; all mean "cannot be read"
        raise InputError(f"{where}: cannot read {url!r}: {type(error).__name__}: {error}") from error
    if frame.empty:
        raise InputError(f"{where}: {url!r} has no rows")
    return pa.Table.from_pandas(frame, preserve_index=False)


def _resolve(where: str, url: str) -> str:
    """A path or URL that pandas can open; `package://` is looked up without importing the package."""
    expanded = os.path.expandvars(url)
    if "${" in expanded:
        raise InputError(f"{where}: {url!r} names an environment variable that is not set")
    if not expanded.startswith("package://"):
        return expanded
    package, _, inside = expanded.removeprefix("package://").partition("/")
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise InputError(f"{where}: no Python package {package!r} is installed, so {url!r} cannot be read")
    return str(Path(spec.submodule_search_locations[0]) / inside)


def _read_database(url: str, query: str) -> Any:
    import pandas as pd
    import pyarrow as pa
    import sqlalchemy as sa

    try:
        with sa.create_engine(os.path.expandvars(url)).connect() as connection:
            return pa.Table.from_pandas(pd.read_sql(sa.text(query), connection), preserve_index=False)
    except (sa.exc.SQLAlchemyError, ImportError) as error:
        reason = str(getattr(error, "orig", None) or error).splitlines()[0]
        raise InputError(f"source.database: {reason}") from None
