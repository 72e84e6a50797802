"""Retention: records older than the use case keeps them go, by whole days."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from configs.schema import UseCase
from configs.settings import prediction_log
from tasks.history import record
from tasks.log.collected import windows_of
from tasks.log.files import part_day, parts, remove_part, swapping
from tasks.log.ledger import described, note
from tasks.log.reviews import forget_events


def drop_old(use_case: UseCase, now: datetime | None = None) -> list[str]:
    """Remove the days that ended longer ago than `log.keep`, and windows collected before then; returns the days.

    Call it within `log_files.maintaining`, after compaction: only what is Parquet has a day.
    """
    keep = use_case.log.keep
    if keep is None:
        return []
    folder, last = prediction_log(use_case.name), ((now or datetime.now(UTC)) - keep).date()
    old = [part for part in parts(folder) if part_day(part) < last]
    for part in old:
        note(use_case.name, "dropped", part=described(part, folder), why=f"older than {keep.days} days")
    with swapping(folder):
        for part in old:
            remove_part(part)
            if not any(part.parent.iterdir()):
                part.parent.rmdir()
    for window in windows_of(use_case.name):
        if window.stat().st_mtime < time.time() - keep.total_seconds():
            window.unlink()
    forget_events(use_case.name, lambda event: bool(event.about) and event.time.date() < last)
    days = sorted({part_day(part).isoformat() for part in old})
    if days:
        record(use_case.name, "log-retention", f"records of {len(days)} days were older than {keep.days} days", days=days)
    return days
