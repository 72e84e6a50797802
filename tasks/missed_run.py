"""A monitoring run that did not happen is an alarm too."""

from __future__ import annotations

from prefect import get_run_logger, task

from configs.schema import UseCase
from configs.settings import service_address
from tasks.channels import Message, send
from tasks.findings import findings
from tasks.history import record


@task(retries=3, retry_delay_seconds=[1, 5, 15])
def tell_missed_run(use_case: UseCase, waited: str) -> str:
    """Tell people that the flow `monitor` did not end within that time; returns what they were told."""
    found = findings(use_case.name)
    last = f"the last window looked at is {found[-1].window}" if found else "no window was looked at yet"
    reason = f"the flow 'monitor' has not come to its end for {waited}; {last}"
    get_run_logger().warning("Alarm (critical): %s", reason)
    title = f"[critical] {use_case.name}: no monitoring run"
    data = {"cause": "missed", "use_case": use_case.name, "reason": reason}
    for channel in use_case.monitoring.notify:
        send(channel, Message(title, reason, service_address("prefect"), "", data))
    record(use_case.name, "missed", reason)
    return reason
