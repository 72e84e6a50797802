"""Values of data: a snapshot, what validation found of it, and its parts."""

from __future__ import annotations

from pathlib import Path

from configs.settings import store
from tasks.store import Value


class Snapshot(Value):
    """An immutable Parquet file of a source for a time window, rows in order."""

    digest: str
    rows: int

    @property
    def path(self) -> Path:
        """Where it lies."""
        return store("snapshots") / f"{self.digest}.parquet"


class Validation(Value):
    """What the suite found."""

    contract: str
    expectations: int
    report: str


class Split(Value):
    """Rows [0, learn) of a snapshot train the candidate, rows [cut, rows) are held out; `boundary` says where that is.

    Between them lie rows whose label was not known there yet. Rows [0, final) train the model that serves.
    """

    snapshot: Snapshot
    learn: int
    cut: int
    final: int
    boundary: str
