"""The time of a use case: now, or, where history is replayed as live traffic, how far the replay has come."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from configs.files import write_atomically
from configs.forms import parse_time
from configs.schema import UseCase
from configs.settings import use_case_home


def current_time(use_case: UseCase) -> datetime | None:
    """The replay's clock where there is one, else None for "up to now"; no step may look beyond it."""
    if use_case.replay is None or use_case.replay.start is None:
        return None
    path = use_case_home(use_case.name) / "clock"
    return parse_time(path.read_text()) if path.exists() else use_case.replay.start


def set_clock(use_case: UseCase, moment: datetime) -> None:
    """Move the replay's clock; it never goes back."""
    before = current_time(use_case)
    if before is None or moment > before:
        moves = [*clock_moves(use_case), (datetime.now(UTC), moment)]
        text = json.dumps([[real.isoformat(), shown.isoformat()] for real, shown in moves])
        write_atomically(use_case_home(use_case.name) / "clock-moves.json", text.encode())
        write_atomically(use_case_home(use_case.name) / "clock", moment.isoformat().encode())


def clock_moves(use_case: UseCase) -> list[tuple[datetime, datetime]]:
    """When the replay's clock was moved, and to which moment, oldest first: so it is known where it stood at any time."""
    path = use_case_home(use_case.name) / "clock-moves.json"
    moves = json.loads(path.read_text()) if path.exists() else []
    return [(datetime.fromisoformat(real), datetime.fromisoformat(shown)) for real, shown in moves]
