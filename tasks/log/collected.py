"""Collected windows: copies of logged rows that monitoring makes and keeps in the store, each with whose it is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from configs.settings import store
from tasks.store import put_parquet

OWNER = b"slipway.use_case"


def keep_window(use_case: str, table: Any) -> str:
    """Keep a window's rows for a use case; returns their digest."""
    return put_parquet("windows", table.replace_schema_metadata({**(table.schema.metadata or {}), OWNER: use_case}))


def windows_of(use_case: str) -> Iterator[Path]:
    """The use case's collected windows, and those of earlier versions that are nobody's: nothing reads them again."""
    import pyarrow.parquet as pq

    for path in store("windows").glob("*.parquet"):
        owner = (pq.read_schema(path).metadata or {}).get(OWNER)
        if owner is None or owner == use_case.encode():
            yield path
