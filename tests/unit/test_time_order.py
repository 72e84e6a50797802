"""Rows in time order: the very table that DuckDB's sort of all columns gives, in its chunks, however the rows came."""

from __future__ import annotations

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from tasks.data.time_order import CHUNK_ROWS, in_time_order

ROWS = CHUNK_ROWS + 5_000
BY_ALL = '"at", n, c'


@pytest.mark.parametrize("shuffled", [False, True])
@pytest.mark.parametrize("times", [ROWS, ROWS - 2_000, 500, 1])
def test_the_order_and_the_chunks_are_those_of_duckdbs_sort(times: int, shuffled: bool) -> None:
    """Times that are all their own, a few shared, nearly all shared, one for all; missing values among the others."""
    generator = np.random.default_rng(times)
    moments = np.sort(np.r_[np.arange(times), generator.integers(0, times, ROWS - times)])
    numbers = np.where(generator.random(ROWS) < 0.1, np.nan, generator.normal(size=ROWS).round(1))
    made = {
        "at": pa.array(np.datetime64("2026-01-01", "us") + moments * np.timedelta64(1, "m")),
        "n": pa.array(numbers, from_pandas=True),
        "c": pa.array([None if code == 0 else f"é{code}" for code in generator.integers(0, 5000, ROWS).tolist()]),
    }
    table = pa.table(made)
    table = table.take(generator.permutation(ROWS)) if shuffled else table
    wanted = duckdb.connect().from_arrow(table).order(BY_ALL).to_arrow_table()
    found = in_time_order(table, "at", BY_ALL)
    assert found.equals(wanted)
    assert [[len(chunk) for chunk in column.chunks] for column in found.columns] == [[CHUNK_ROWS, 5_000]] * 3
    assert [len(chunk) for chunk in wanted["c"].chunks] == [CHUNK_ROWS, 5_000]


def test_no_rows_stay_none() -> None:
    table = pa.table({"at": pa.array([], pa.timestamp("us"))})
    assert in_time_order(table, "at", '"at"').num_rows == 0
