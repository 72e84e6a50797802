"""A monitoring run that did not happen is an alarm too."""

from __future__ import annotations

from datetime import UTC, datetime

from prefect import get_run_logger, task

from configs.schema import UseCase
from configs.settings import service_address
from tasks.history import record
from tasks.monitoring.alerts.outbox import WAITS, Entry, Telling, audience, deliver, put
from tasks.monitoring.findings import findings


@task
def tell_missed_run(use_case: UseCase, waited: str) -> str:
    """Tell people that the flow `monitor` did not end within that time; returns what they were told."""
    found = findings(use_case.name)
    last = f"the last window looked at is {found[-1].window}" if found else "no window was looked at yet"
    reason = f"the flow 'monitor' has not come to its end for {waited}; {last}"
    get_run_logger().warning("Alarm (critical): %s", reason)
    message = Telling(
        title=f"[critical] {use_case.name}: no monitoring run",
        reason=reason,
        link=service_address("prefect"),
        data={"cause": "missed", "use_case": use_case.name, "reason": reason},
        to=audience(use_case, "critical"),
    )
    put(use_case.name, f"missed-{datetime.now(UTC):%Y-%m-%dT%H%M%S}", Entry(messages=[message]))
    record(use_case.name, "missed", reason)
    for channel, why in deliver(use_case, WAITS).items():
        get_run_logger().warning("Not told, tried again by the next run: %s: %s", channel, why)
    return reason
