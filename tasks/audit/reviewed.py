"""Reviewed: what people decided about predictions, as the journal of reviews has it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tasks.log.reviews import journal_path, read_events, reviewing


def reviews_of(use_case: str, ids: Sequence[str]) -> list[dict[str, Any]]:
    """What people said of these predictions, and what was final, oldest first; without what was erased.

    Raises:
        CheckFailed: a line of the journal was changed, or is sealed and the key does not open it.
    """
    if not ids or not journal_path(use_case).exists():
        return []
    with reviewing(use_case):
        events = [event for name in ids for event in read_events(use_case, about=name)]
    return [
        {"time": each.time.isoformat(), "what": each.what, "by": each.by, **each.details}
        for each in sorted(events, key=lambda event: event.time)
    ]
