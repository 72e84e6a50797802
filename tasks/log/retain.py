"""Retention: records older than the use case keeps them go, by whole days, but for what a legal hold has."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from configs.schema import UseCase
from configs.settings import prediction_log
from tasks.history import record
from tasks.log.collected import windows_of
from tasks.log.files import part_day, parts, remove_part, swapping
from tasks.log.hold import Kept, kept
from tasks.log.ledger import described, note
from tasks.log.reviews import forget_events
from tasks.log.rewrite import take_out


def drop_old(use_case: UseCase, now: datetime | None = None) -> list[str]:
    """Remove the days that ended longer ago than `log.keep`, and windows collected before then; returns the days.

    Of a day with records under a legal hold those stay. Call it within `log_files.maintaining`, after compaction: only what
    is Parquet has a day.

    Raises:
        CheckFailed: which holds there are cannot be said, so nothing was dropped.
    """
    keep = use_case.log.keep
    if keep is None:
        return []
    folder, last = prediction_log(use_case.name), ((now or datetime.now(UTC)) - keep).date()
    old, why = [part for part in parts(folder) if part_day(part) < last], f"older than {keep.days} days"
    if held := kept(use_case.name):
        old = [part for part in old if _reduce(use_case.name, part, held, why)]
    else:
        _remove(use_case.name, old, why)
    for window in windows_of(use_case.name):
        if window.stat().st_mtime < time.time() - keep.total_seconds():
            window.unlink()
    stays = set(held.ids) if held else set()
    forget_events(use_case.name, lambda about, time: about not in stays and time.date() < last)
    days = sorted({part_day(part).isoformat() for part in old})
    if days:
        but = ", but for what is under legal hold" if held else ""
        record(use_case.name, "log-retention", f"records of {len(days)} days were {why}{but}", days=days)
    return days


def _remove(use_case: str, old: list[Path], why: str) -> None:
    folder = prediction_log(use_case)
    for part in old:
        note(use_case, "dropped", part=described(part, folder), why=why)
    with swapping(folder):
        for part in old:
            remove_part(part)
            if not any(part.parent.iterdir()):
                part.parent.rmdir()


def _reduce(use_case: str, part: Path, held: Kept, why: str) -> bool:
    """Drop all of a part but what is held; whether there was any such."""

    def tell(after: dict[str, Any] | None, _: list[str]) -> None:
        note(use_case, "dropped", part=described(part, prediction_log(use_case)), after=after, why=why)

    return bool(take_out(use_case, part, f"not {held.clause}", held.values, held.ids, tell))
