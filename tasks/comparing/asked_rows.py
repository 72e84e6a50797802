"""What was answered to the fair rows, as it is read back from the store."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from configs.settings import store
from serving.contract.contract import Contract
from tasks.comparing.fair_rows import common_contract
from tasks.comparing.side import Side
from tasks.comparing.values import Basis
from tasks.data.frames import read_rows
from tasks.problems.chance import day_blocks
from tasks.problems.problem import problem_of


class Asked(NamedTuple):
    """Rows that are fair to all: their numbers in the snapshot and days, of shape (rows,), and their targets.

    `outputs` are those of each version, shape (rows, k), in the terms of `common`; `judged` what its problem judges of them.
    """

    numbers: np.ndarray
    target: np.ndarray
    blocks: np.ndarray
    outputs: dict[str, np.ndarray]
    judged: dict[str, np.ndarray]
    common: Contract


def asked_rows(sides: Sequence[Side], basis: Basis) -> Asked:
    """The rows of a basis that has some."""
    import pyarrow.parquet as pq

    kept = pq.read_table(store("answers") / f"{basis.answers}.parquet")
    common = common_contract(sides)
    rows, timed = kept.num_rows, "time" in kept.column_names
    flat = {side.number: kept[column(side.number)].combine_chunks().flatten().to_numpy() for side in sides}
    outputs = {number: values.reshape(rows, -1) for number, values in flat.items()}
    return Asked(
        numbers=kept["row"].to_numpy(),
        target=problem_of(common).known(kept["target"].to_pandas()),
        blocks=day_blocks(kept["time"].to_numpy() if timed else None, rows),
        outputs=outputs,
        judged={side.number: side.problem.judged(outputs[side.number]) for side in sides},
        common=common,
    )


def column(number: str) -> str:
    """Where the outputs of a version stand."""
    return f"version {number}"


def columns_of(basis: Basis, numbers: np.ndarray, columns: Sequence[str]) -> Any:
    """Some columns of rows of the basis, as far as its snapshot has them, as a frame."""
    import pyarrow.parquet as pq

    assert basis.snapshot is not None
    start, there = int(numbers.min()), set(pq.read_schema(basis.snapshot.path).names)
    names = [name for name in dict.fromkeys(columns) if name in there]
    whole = read_rows(basis.snapshot, start, int(numbers.max()) + 1, names)
    return whole.iloc[numbers - start].reset_index(drop=True)
