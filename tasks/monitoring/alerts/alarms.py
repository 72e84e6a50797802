"""Alarms: one a cause, opened when it appears, told again only after a while, closed when it is clearly over."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from tasks.monitoring.values import Alarm

GRAVE = {
    **dict.fromkeys(("fault", "performance", "fairness"), "critical"),
    **dict.fromkeys(("estimate", "drift", "objective", "reasons", "review"), "warning"),
}
CLEARLY_OVER = 0.8  # of its bound; between this and the bound an open alarm stays open


def alarms(
    before: Mapping[str, Alarm],
    causes: Mapping[str, str],
    lingering: set[str],
    until: datetime,
    cooldown: timedelta,
    window: str,
) -> dict[str, Alarm]:
    """The alarms that are open after a window.

    Args:
        before: Those that were open before it.
        causes: What this window shows, with the reason.
        lingering: Causes that are under their bound, but not clearly.
        until: When the window ended.
        cooldown: How long nothing is told again.
        window: Its name.
    """
    found = {}
    for cause, reason in causes.items():
        old = before.get(cause)
        again = old is None or until - datetime.fromisoformat(old.told) >= cooldown
        found[cause] = Alarm(
            severity=GRAVE[cause],
            reason=reason,
            since=old.since if old else window,
            told=until.isoformat() if again or old is None else old.told,
        )
    for cause in lingering - set(causes):
        if cause in before:
            found[cause] = before[cause]
    return found


def to_tell(open_alarms: Mapping[str, Alarm], until: datetime) -> dict[str, Alarm]:
    """Those that people are told of now: new ones, and those whose cooldown is over."""
    return {cause: alarm for cause, alarm in open_alarms.items() if datetime.fromisoformat(alarm.told) == until}
