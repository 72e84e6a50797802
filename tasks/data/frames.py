"""Reading snapshots the way the contract sees them: the one place where a table becomes model input."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import numpy as np

from configs.settings import store
from serving.contract.contract import MEANING, Column, Contract, ContractError, read_contract
from serving.contract.spelling import SPELLED, doubles
from tasks.data.values import Snapshot
from tasks.log.values import FEATURE

EXACT = 2**53  # up to here a float is any whole number


def read_rows(snapshot: Snapshot, start: int, stop: int, columns: list[str] | None = None) -> Any:
    """Rows [start, stop) of a snapshot as a pandas frame; row groups without any of them are not read."""
    import pyarrow.parquet as pq

    with pq.ParquetFile(snapshot.path) as file:
        sizes = [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)]
        ends = np.cumsum(sizes, dtype=np.int64)
        groups = np.flatnonzero((ends > start) & (ends - sizes < stop))
        before = int((ends - sizes)[groups[0]]) if len(groups) else 0
        return frame_of(file.read_row_groups(groups.tolist(), columns).slice(start - before, stop - start))


def frame_of(table: Any) -> Any:
    """An Arrow table as a pandas frame. Whole numbers with gaps turn to floats: those that a float would round stay."""
    import pyarrow as pa
    import pyarrow.compute as pc

    frame = table.to_pandas(split_blocks=True)  # so that most columns stay where Arrow has them
    for name, column in zip(table.column_names, table.columns, strict=True):
        if pa.types.is_integer(column.type) and column.null_count and (pc.max(pc.abs(column)).as_py() or 0) > EXACT:
            frame[name] = column.to_pandas(integer_object_nulls=True)
    return frame


def encode(contract: Contract, frame: Any) -> Any:
    """The frame's features as the contract encodes them, as a frame: float32 numbers and string categories."""
    import pandas as pd

    return pd.DataFrame({name: array.ravel() for name, array in encode_columns(contract, frame).items()})


def encode_columns(contract: Contract, frame: Any) -> dict[str, np.ndarray]:
    """`Contract.encode_columns` of a frame: a (rows, 1) array a column.

    Raises:
        ContractError: a column is missing from the frame, or holds a value that is not allowed.
    """
    if set(contract.names) <= set(frame.columns):
        try:
            return {column.name: encode_column(column, frame[column.name], contract.meaning) for column in contract.columns}
        except ContractError:  # once more, to name all faults
            pass
    return contract.encode_columns({name: plain(frame[name], contract.meaning) for name in contract.names if name in frame})


def encode_column(column: Column, series: Any, meaning: int = MEANING) -> np.ndarray:
    """`Column.encode` of a series. Equal texts are encoded once: long tables repeat their categories.

    Raises:
        ContractError: a value is not allowed.
    """
    import pandas as pd

    if not isinstance(series.dtype, pd.StringDtype):
        return column.encode(plain(series, meaning))
    codes, texts = pd.factorize(series)
    try:
        return column.encode([*texts, *[None] * bool((codes < 0).any())])[codes]  # a missing one's code is -1, the last
    except ContractError:
        return column.encode(plain(series, meaning))  # once more, to name the row


def as_served(contract: Contract, frame: Any, names: list[str]) -> Any:
    """Some of the features as the contract encodes them, so that rows of a log and of a snapshot compare: float32, strings.

    A missing string is None.
    """
    import pandas as pd

    columns = {column.name: column for column in contract.columns}
    encoded = {name: encode_column(columns[name], frame[name], contract.meaning).ravel() for name in names}
    found = pd.DataFrame(encoded, index=frame.index)
    return found.replace({name: {"": None} for name in names if columns[name].dtype == "string"})


def logged_features(frame: Any, names: list[str]) -> Any:
    """The features of a collected window's rows, by their own names."""
    return frame[[f"{FEATURE}{name}" for name in names]].set_axis(names, axis=1)


def model_input(encoded: Any) -> dict[str, np.ndarray]:
    """An encoded frame as the scorer takes it: one (rows, 1) array a column."""
    return {name: encoded[name].to_numpy().reshape(-1, 1) for name in encoded.columns}


def plain(series: Any, meaning: int = MEANING) -> Any:
    """A column as the contract takes it: an array of its own type where it holds numbers, else a list of Python values.

    Contracts made before numbers kept their type (`meaning`) learned all of them as 64 bits.
    """
    import pandas as pd

    if pd.api.types.is_numeric_dtype(series) and not pd.api.types.is_bool_dtype(series):
        if meaning < SPELLED:
            return series.to_numpy(dtype=np.float64, na_value=np.nan)
        if isinstance(series.dtype, np.dtype):
            return series.to_numpy()
    if isinstance(series.dtype, pd.StringDtype):
        texts: list[Any] = series.to_numpy(dtype=object, na_value=None).tolist()
        return texts
    return [None if pd.isna(value) else _number(value) if isinstance(value, Decimal) else value for value in series.tolist()]


def _number(value: Decimal) -> int | float:
    """A decimal as the number that it is in any other table."""
    return int(value) if value == value.to_integral_value() else float(value)


def client_values(series: Any) -> list[Any]:
    """A column as a client sends it: numbers by their shortest decimal, moments in ISO 8601, None for what is missing."""
    values = plain(series)
    if not isinstance(values, np.ndarray):
        return [value.isoformat() if isinstance(value, date) else value for value in values]
    if values.dtype.kind != "f":
        return values.tolist()
    return [None if value != value else value for value in doubles(values)]


def contract_of(digest: str) -> Contract:
    """A contract from the store."""
    return read_contract(store("contracts") / f"{digest}.json")
