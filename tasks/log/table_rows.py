"""The rows of a person in Parquet files beside the log: copies of its rows, and tables of a source."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tasks.log.conditions import Condition
from tasks.log.values import FEATURE, IDENTIFIER


def rows_of(path: Path, conditions: Sequence[Condition], columns: dict[str, str] | None = None) -> np.ndarray | None:
    """The numbers of a Parquet file's rows that meet every condition; None where it lacks a column.

    `columns` says what the file calls a field, where that is not its name.
    """
    import duckdb

    with duckdb.connect() as connection:
        connection.execute("set timezone = 'UTC'")
        table = f"read_parquet({str(path)!r}, hive_partitioning = false, file_row_number = true)"
        kinds = {name: kind for name, kind, *_ in connection.sql(f"describe select * from {table}").fetchall()}
        names = [(columns or {}).get(each.field, each.field) for each in conditions]
        if not set(names) <= kinds.keys():
            return None
        clauses = [_clause(name, str(kinds[name]), each) for name, each in zip(names, conditions, strict=True)]
        query = f"select file_row_number as row from {table} where {' and '.join(clauses)} order by row"
        found: np.ndarray = connection.execute(query, [each.value for each in conditions]).fetchnumpy()["row"]
        return found


def _clause(name: str, kind: str, condition: Condition) -> str:
    """A condition on a column, as SQL: a source may have numbers, times and booleans where the log has texts."""
    column = '"' + name.replace('"', '""') + '"'
    if condition.numeric:
        return f"try_cast({column} as float) = cast(? as float)"
    if kind.startswith(("TIMESTAMP", "DATE")):
        return f"{column} = try_cast(? as {kind})"
    if kind in ("FLOAT", "DOUBLE") or kind.startswith("DECIMAL"):
        return f"{column} = try_cast(? as double)"
    return f"lower({column}::varchar) = lower(?)" if kind == "BOOLEAN" else f"{column}::varchar = ?"


def window_rows(path: Path, conditions: Sequence[Condition], ids: Collection[str]) -> int:
    """How many rows of a collected window are theirs: by the ids of the log, and by the columns that it has itself."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    kept = pq.read_table(path, columns=["prediction_id"])["prediction_id"]
    by_id = set(np.flatnonzero(pc.is_in(kept, value_set=_texts(ids)).to_numpy(zero_copy_only=False)).tolist())
    there, known = pq.read_schema(path).names, {"prediction_id": "prediction_id"}
    known |= {name.removeprefix(kind): name for kind in (FEATURE, IDENTIFIER) for name in there if name.startswith(kind)}
    mine = all(each.field in known for each in conditions)  # a field may be called as another column is, like `version`
    by_value = rows_of(path, conditions, known) if mine else None
    return len(by_id | set(by_value.tolist() if by_value is not None else ()))


def _texts(ids: Collection[str]) -> Any:
    import pyarrow as pa

    return pa.array(list(ids), pa.string())
