"""Rows in the order of their times: DuckDB sorts whole rows, of which only those of equal times need it."""

from __future__ import annotations

from typing import Any

import duckdb
import numpy as np

from tasks.data.sql import quoted

CHUNK_ROWS = 122_880  # as DuckDB's sorted tables have them: the bytes of a snapshot follow from its chunks


def in_time_order(table: Any, time: str, by_all: str) -> Any:
    """An Arrow table by a column of times, none of them missing; rows of equal times by `by_all`, as in SQL.

    >>> import pyarrow as pa
    >>> found = in_time_order(pa.table({"at": [2, 1, 1], "x": ["a", "c", "b"]}), "at", '"at", x')
    >>> found["at"].to_pylist(), found["x"].to_pylist()
    ([1, 1, 2], ['b', 'c', 'a'])
    """
    import pyarrow as pa

    times = table[time].to_numpy()
    order = np.argsort(times, kind="stable")
    same = np.diff(times[order]).astype(np.int64) == 0
    tied = np.flatnonzero(np.r_[same, False] | np.r_[False, same])
    if 2 * len(tied) > len(table):
        order = _sorted(table, by_all)
    elif len(tied):
        order[tied] = order[tied][_sorted(table.take(order[tied]), by_all)]
    starts = range(0, max(len(table), 1), CHUNK_ROWS)
    if (np.diff(order) > 0).all():  # they came so
        return pa.concat_tables([table.slice(start, CHUNK_ROWS).combine_chunks() for start in starts])
    return table.take(pa.chunked_array(np.split(order, starts[1:])))


def _sorted(table: Any, by: str) -> np.ndarray:
    """The places of the rows in their order."""
    import pyarrow as pa

    place = max(table.column_names, key=len) + "_"  # a name that no column has
    placed = table.append_column(place, pa.array(np.arange(len(table))))
    rows = duckdb.from_arrow(placed, connection=duckdb.connect())
    return np.asarray(rows.order(by).project(quoted(place)).fetchnumpy()[place])
