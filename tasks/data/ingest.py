"""Ingest: a source, as it was at a moment, as an immutable snapshot."""

from __future__ import annotations

from datetime import datetime

from prefect import get_run_logger, task

from configs.inferred import new_columns
from configs.schema import UseCase
from tasks.data.source import Seen, training_rows
from tasks.data.values import Snapshot
from tasks.store import put_parquet


@task
def ingest(use_case: UseCase, until: datetime | None) -> Snapshot:
    """Read the rows whose label was known at `until`, in time order, into a snapshot named by its content.

    Not cached: a source changes. The same rows give the same snapshot, so every later step is.

    Raises:
        InputError: the source cannot be read, lacks a column, or has no rows.
    """
    seen = Seen()
    table = training_rows(use_case, until, seen)
    for told in [*seen.told, *new_columns(use_case, table.column_names)]:
        get_run_logger().warning(told)
    digest = put_parquet("snapshots", table)
    get_run_logger().info("Snapshot %s: %s rows until %s", digest[:12], f"{table.num_rows:,}", until or "now")
    return Snapshot(digest=digest, rows=table.num_rows, files=seen.files)
