"""When a record counts: at its event time where that can be, else when it arrived.

A client may say any time. One of 1970 would open hundreds of windows, one of next century never be looked at. So an event
may have happened up to `WINDOWS_BACK` windows before its record arrived, and may be to come for up to `AHEAD`; a record that
says something else counts when it arrived. Where history is replayed, "arrived" is where the replay's clock stood then, and
what is to come has no bound: it waits for the clock.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from configs.forms import parse_duration
from configs.schema import UseCase
from tasks.clock import clock_moves, current_time

WINDOWS_BACK = 12
AHEAD = timedelta(days=366)


def reach(use_case: UseCase) -> timedelta:
    """How long before its arrival an event may have happened: twelve windows, a year where they have no length."""
    window = use_case.monitoring.window
    if window.endswith("rows"):
        return AHEAD
    return WINDOWS_BACK * (timedelta(days=31) if window == "1 month" else parse_duration(window))


def happened(use_case: UseCase) -> str:
    """When a record of the log counts, as SQL."""
    arrived, back = _arrived(use_case), f"interval '{reach(use_case) // timedelta(seconds=1)} seconds'"
    ahead = "" if current_time(use_case) else f" and event_time <= time + interval '{AHEAD.days} days'"
    return f"case when event_time >= {arrived} - {back}{ahead} then event_time else {arrived} end"


def _arrived(use_case: UseCase) -> str:
    """When a record arrived by the clock of the use case, as SQL."""
    if use_case.replay is None or use_case.replay.start is None:
        return "time"
    moves = "".join(f" when time >= {_sql(real)} then {_sql(shown)}" for real, shown in reversed(clock_moves(use_case)))
    start = _sql(use_case.replay.start)
    return f"(case{moves} else {start} end)" if moves else start


def _sql(moment: datetime) -> str:
    return f"timestamp '{moment.astimezone(UTC).replace(tzinfo=None).isoformat(sep=' ')}'"
