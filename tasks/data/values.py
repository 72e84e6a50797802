"""Values of data: a snapshot, what validation found of it, and its parts."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from configs.settings import store
from tasks.store import Value


class Snapshot(Value):
    """An immutable Parquet file of a source for a time window, rows in order.

    `files` are those that were read for it, by table and name, each with its SHA-256. They are no part of what it is: the
    same rows out of other files are the same snapshot, from which nothing is made again.
    """

    digest: str
    rows: int
    files: dict[str, dict[str, str]] = Field(default={}, exclude=True)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Snapshot) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)

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
