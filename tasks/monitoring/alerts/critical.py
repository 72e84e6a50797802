"""A critical message, told at once: log, history, and every channel that takes it; who cannot be told now is told later."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from prefect import get_run_logger

from configs.schema import UseCase
from tasks.history import record
from tasks.monitoring.alerts.outbox import WAITS, Entry, Telling, audience, deliver, put


def tell_at_once(use_case: UseCase, what: str, title: str, reason: str, link: str, **data: Any) -> None:
    """`what` is its kind in the history; `title` follows the name of the use case; webhooks get `data` beside the reason."""
    logger = get_run_logger()
    logger.warning("Alarm (critical): %s", reason)
    message = Telling(
        title=f"[critical] {use_case.name}: {title}",
        reason=reason,
        link=link,
        data={"use_case": use_case.name, "reason": reason, **data},
        to=audience(use_case, "critical"),
    )
    put(use_case.name, f"{what}-{datetime.now(UTC):%Y-%m-%dT%H%M%S%f}", Entry(messages=[message]))
    record(use_case.name, what, reason)
    for channel, why in deliver(use_case, WAITS).items():
        logger.warning("Not told, tried again by the next run: %s: %s", channel, why)
