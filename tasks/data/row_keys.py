"""A key of every row: a number that its content decides, the same in every snapshot that has the row."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import duckdb
import numpy as np

from tasks.data.sql import quoted

KEYS = 2.0**64
NUMBERS = ("DECIMAL", "FLOAT", "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT")


def row_keys(table: Any, columns: Iterable[str]) -> np.ndarray:
    """A key for each row of an Arrow table, shape (rows,), evenly spread below `KEYS`; MD5, so that it stays the same.

    Numbers are hashed as doubles: a whole number stays what it is when its column gets its first gap.
    """
    connection = duckdb.connect()
    connection.execute("set timezone = 'UTC'")
    rows = connection.from_arrow(table)
    kinds = dict(zip(rows.columns, rows.dtypes, strict=True))
    texts = ", ".join(_text(name, kinds[name]) for name in sorted(columns))
    return rows.project(f"md5_number_lower(concat_ws(chr(31), {texts})) as key").fetchnumpy()["key"].astype(np.uint64)


def _text(name: str, kind: Any) -> str:
    column = quoted(name)
    if str(kind).startswith(NUMBERS):
        column = f"cast({column} as double)"
    return f"coalesce(cast({column} as varchar), chr(30))"
