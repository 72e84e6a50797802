"""Split by time: the past trains, the newest rows judge."""

from __future__ import annotations

from datetime import timedelta

import numpy as np

from configs.errors import InputError
from configs.schema import UseCase
from tasks.frames import labels, read_rows
from tasks.step import step
from tasks.values import Snapshot
from tasks.values import Split as SplitValue


@step
def split(use_case: UseCase, snapshot: Snapshot) -> SplitValue:
    """Hold out the newest `split.holdout` (a length of time, or a share of the rows).

    Rows without a time lie in the snapshot in a seeded random order, so the share is a random one.

    Raises:
        InputError: a part would be empty or of one class.
    """
    holdout, time_column = use_case.split.holdout, use_case.source.time_column
    if isinstance(holdout, timedelta):
        times = read_rows(snapshot, 0, snapshot.rows, [str(time_column)])[time_column]
        boundary = times.iloc[-1].to_pydatetime() - holdout
        cut = int(np.searchsorted(times.to_numpy(), np.datetime64(boundary)))
        told = boundary.isoformat(sep=" ", timespec="minutes")
    else:
        cut = round(snapshot.rows * (1 - holdout))
        told = f"row {cut}"
    frame = read_rows(snapshot, 0, snapshot.rows, [use_case.target.column])
    target = labels(use_case.target, frame)
    for name, part in (("training", target[:cut]), ("holdout", target[cut:])):
        if not 0 < part.sum() < len(part):
            raise InputError(
                f"split.holdout: the {name} part ({len(part)} rows, cut at {told}) does not hold both classes of "
                f"{use_case.target.column!r}; change 'split.holdout' or give more rows"
            )
    return SplitValue(snapshot=snapshot, cut=cut, boundary=told)
