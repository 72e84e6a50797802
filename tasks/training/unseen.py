"""Unseen: which rows of a holdout the champion has not learned from, by what its lineage records."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, NamedTuple

import numpy as np

from configs.forms import parse_time
from configs.schema import UseCase
from serving.scoring.bundle import Bundle
from tasks.data.frames import read_rows
from tasks.data.row_keys import content_keys, row_keys
from tasks.data.values import Snapshot, Split


class Unseen(NamedTuple):
    """Of each row of the holdout whether the champion has not learned from it, shape (rows,), and what is told of that.

    Where rows have a time, those after `since` count. `known` is False where nothing says what the champion learned from.
    """

    rows: np.ndarray
    told: str = ""
    since: datetime | None = None
    known: bool = True


def unseen_rows(use_case: UseCase, champion: Bundle, split: Split) -> Unseen:
    """By time where both models have the same time column, else by looking each row up among those that it learned from.

    A version that does not record how many rows it learned from is taken to have learned from its whole snapshot. Where
    nothing says what it learned from, no row is known to be unseen.
    """
    lineage, time = champion.manifest.lineage, use_case.source.time_column
    learned = Snapshot(digest=lineage["snapshot"], rows=lineage.get("learned_rows", lineage["rows"]))
    told = "" if "learned_rows" in lineage else "; its version does not record what it learned from: all it had is taken"
    if time is not None and champion.contract.time_column == time:
        last = _last_learned(lineage, learned, time, use_case.source.label_delay)
        if last is not None:
            since = last + use_case.source.label_delay
            times = read_rows(split.snapshot, split.cut, split.snapshot.rows, [time])[time].to_numpy()
            return Unseen(times > np.datetime64(since.replace(tzinfo=None)), told, since)
    elif learned.path.exists():
        return Unseen(_looked_up(learned, split), told)
    none = np.zeros(split.snapshot.rows - split.cut, dtype=bool)
    gone = f"; snapshot {learned.digest[:12]}, which it learned from, is gone: nobody knows what it saw"
    return Unseen(none, gone, known=False)


def _last_learned(lineage: dict[str, Any], learned: Snapshot, time: str, delay: timedelta) -> datetime | None:
    """When the last row happened that a version learned from, or the latest that can have been."""
    if recorded := lineage.get("learned_until"):
        last: datetime = parse_time(recorded)
        return last
    if learned.path.exists():
        return parse_time(read_rows(learned, learned.rows - 1, learned.rows, [time])[time].iloc[0].to_pydatetime())
    return parse_time(lineage["until"]) - delay if lineage["until"] else None


def _looked_up(learned: Snapshot, split: Split) -> np.ndarray:
    """By the keys of whole snapshots, which tell equal rows apart: those of an old one that were learned from, or not.

    Where a column came or went all keys are others, and a row that equals a learned one, in the columns that both have,
    counts as seen.
    """
    import pyarrow.parquet as pq

    before, now = (pq.read_table(snapshot.path) for snapshot in (learned, split.snapshot))
    columns = sorted(set(before.column_names) & set(now.column_names))
    same = set(before.column_names) == set(now.column_names)
    keys_of = row_keys if same else content_keys
    known = keys_of(before, columns)[: learned.rows]
    return ~np.isin(keys_of(now, columns)[split.cut :], known)
