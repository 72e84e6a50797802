"""Split: the past trains, the newest rows judge; where rows have no time, those with the smallest keys."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import numpy as np

from configs.errors import InputError
from configs.schema import UseCase
from tasks.data.frames import read_rows
from tasks.data.queries import at_a_query, whole_queries
from tasks.data.ripe import ripe_rows
from tasks.data.row_keys import KEYS, row_keys
from tasks.data.values import Snapshot
from tasks.data.values import Split as SplitValue
from tasks.problems.problem import problem_of
from tasks.step import step


@step
def split(use_case: UseCase, snapshot: Snapshot) -> SplitValue:
    """Hold out the newest `split.holdout` (a length of time, or a share of the rows).

    The candidate learns nothing from rows whose label was not known when the holdout began; the model that serves learns
    from all (`split.refit`). Without a time the holdout is the share with the smallest keys, the same rows in every
    snapshot, and no model ever learns from them: later versions are judged on them too.

    Raises:
        InputError: a part would be empty, or lack classes that it needs; or a query has rows of several times.
    """
    time, refit = use_case.source.time_column, use_case.split.refit
    if time is None:
        learn = cut = final = shared(_table(snapshot), float(use_case.split.holdout))  # type: ignore[arg-type]
        told = f"row {cut}"
    else:
        times = read_rows(snapshot, 0, snapshot.rows, [time])[time].to_numpy()
        cut, told = newest(times, use_case.split.holdout)
        if query := use_case.target.query:
            whole_queries(query, time, read_rows(snapshot, 0, snapshot.rows, [query, time]))
            cut = at_a_query(times, cut)
        learn = ripe_rows(times, cut, use_case.source.label_delay) if cut < snapshot.rows else cut
        final = snapshot.rows if refit else learn
    target = use_case.target
    whole = read_rows(snapshot, 0, snapshot.rows, [target.column])[target.column]
    parts = {"training": whole[:learn], "holdout": whole[cut:]}
    if lacking := problem_of(target).lacking(target, whole, *parts.values()):
        name, what = lacking
        raise InputError(
            f"split.holdout: the {name} part ({len(parts[name])} rows, cut at {told}) {what}; change 'split.holdout' or "
            "give more rows"
        )
    return SplitValue(snapshot=snapshot, learn=learn, cut=cut, final=final, boundary=told)


def newest(times: np.ndarray, holdout: timedelta | float) -> tuple[int, str]:
    """Where the newest part begins, and how that is told; `times` is ascending."""
    if isinstance(holdout, timedelta):
        boundary = times[-1] - np.timedelta64(holdout)
        return int(np.searchsorted(times, boundary)), str(boundary.astype("datetime64[m]")).replace("T", " ")
    cut = round(len(times) * (1 - holdout))
    return cut, f"row {cut}"


def shared(table: Any, holdout: float) -> int:
    """Where rows begin whose keys are within the share; an Arrow table without times lies in the order of the keys."""
    return int((row_keys(table, table.column_names) >= holdout * KEYS).sum())


def _table(snapshot: Snapshot) -> Any:
    import pyarrow.parquet as pq

    return pq.read_table(snapshot.path)
