"""The speed of one row: every version scores the same rows, one at a time and in turn, on this machine and now."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow.parquet as pq

from configs.settings import store
from serving.contract.faults import ContractError
from serving.scoring.onnx import Scorer
from tasks.comparing.side import Side
from tasks.comparing.values import Basis, Scalar
from tasks.data.frames import encode, model_input, read_rows
from tasks.data.values import Snapshot
from tasks.packaging.speed import CALLS, rounds


def speed_of_one(sides: Sequence[Side], basis: Basis) -> tuple[dict[str, Scalar], list[str]]:
    """Microseconds a row by version, the median over rounds; none, and why, where no rows suit all."""
    for frame in _frames(sides, basis):
        try:
            inputs = [model_input(encode(side.contract, frame)) for side in sides]
        except ContractError:  # a column or a value that one of them does not take: other rows may do
            continue
        scorers = [Scorer(side.bundle.model, side.contract) for side in sides]
        rounds(scorers, inputs)  # the first calls of a session are slower
        seconds = np.median(rounds(scorers, inputs), axis=0)
        return {side.number: round(float(each) * 1e6, 1) for side, each in zip(sides, seconds, strict=True)}, []
    return {side.number: None for side in sides}, ["No rows in this home suit all versions, so none was timed"]


def _frames(sides: Sequence[Side], basis: Basis) -> Iterator[object]:
    """Up to as many rows as are timed: fair ones, else the last of each version's snapshot."""
    if basis.snapshot is not None:
        numbers = pq.read_table(store("answers") / f"{basis.answers}.parquet", columns=["row"])["row"].to_numpy()[:CALLS]
        yield read_rows(basis.snapshot, int(numbers[0]), int(numbers[-1]) + 1).iloc[numbers - numbers[0]]
    for side in reversed(sides):
        lineage = side.bundle.manifest.lineage
        snapshot = Snapshot(digest=lineage["snapshot"], rows=lineage["rows"])
        if snapshot.path.exists():
            yield read_rows(snapshot, max(0, snapshot.rows - CALLS), snapshot.rows)
