"""A key of every row: a number that its content decides, and how many equal ones came before it.

So a key is the same in every snapshot that has the row, and of equal rows, which are cases of their own, some are held out
and the others learned from, as of any rows: by content alone all of them would lie on one side.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import duckdb
import numpy as np

from tasks.data.sql import quoted

KEYS = 2.0**64
GOLDEN = np.uint64(0x9E3779B97F4A7C15)
NUMBERS = ("DECIMAL", "FLOAT", "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT")


def row_keys(table: Any, columns: Iterable[str]) -> np.ndarray:
    """A key for each row of a whole Arrow table, shape (rows,), evenly spread below `KEYS`: of its content and of how many
    equals it has. Of equal rows the earlier have the larger keys, so that a table in the order of its keys keeps them.

    >>> import pyarrow as pa
    >>> keys = row_keys(pa.table({"a": [7, 8, 7]}), ["a"])
    >>> len(set(keys.tolist())), bool(keys[0] > keys[2]), bool(content_keys(pa.table({"a": [8]}), ["a"])[0] == keys[1])
    (3, True, True)
    """
    content = content_keys(table, columns)
    order = np.argsort(content, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(content[order]) != 0][: len(order)])
    equals = (np.arange(len(order)) - np.repeat(starts, np.diff(np.r_[starts, len(order)]))).astype(np.uint64)
    keys = np.where(equals == 0, content[order], _mixed(content[order] + equals * GOLDEN))
    found = np.empty_like(keys)
    found[order] = keys[np.lexsort((~keys, content[order]))]
    return found


def content_keys(table: Any, columns: Iterable[str]) -> np.ndarray:
    """The same of the content alone, so that equal rows have one key; MD5, so that it stays the same.

    Numbers are hashed as doubles: a whole number stays what it is when its column gets its first gap.
    """
    connection = duckdb.connect()
    connection.execute("set timezone = 'UTC'")
    rows = connection.from_arrow(table)
    kinds = dict(zip(rows.columns, rows.dtypes, strict=True))
    texts = ", ".join(_text(name, kinds[name]) for name in sorted(columns))
    return rows.project(f"md5_number_lower(concat_ws(chr(31), {texts})) as key").fetchnumpy()["key"].astype(np.uint64)


def _mixed(keys: np.ndarray) -> np.ndarray:
    """SplitMix64's mixing, of 64 bits each: Steele et al., "Fast Splittable Pseudorandom Number Generators" (2014)."""
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        keys = (keys ^ (keys >> np.uint64(shift))) * np.uint64(factor)
    return np.asarray(keys ^ (keys >> np.uint64(31)))


def _text(name: str, kind: Any) -> str:
    column = quoted(name)
    if str(kind).startswith(NUMBERS):
        column = f"cast({column} as double)"
    return f"coalesce(cast({column} as varchar), chr(30))"
