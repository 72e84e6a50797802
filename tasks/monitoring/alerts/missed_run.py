"""A monitoring run that did not happen is an alarm too."""

from __future__ import annotations

from prefect import task

from configs.schema import UseCase
from configs.settings import service_address
from tasks.monitoring.alerts.critical import tell_at_once
from tasks.monitoring.findings import findings


@task
def tell_missed_run(use_case: UseCase, waited: str) -> str:
    """Tell people that the flow `monitor` did not end within that time; returns what they were told."""
    found = findings(use_case.name)
    last = f"the last window looked at is {found[-1].window}" if found else "no window was looked at yet"
    reason = f"the flow 'monitor' has not come to its end for {waited}; {last}"
    tell_at_once(use_case, "missed", "no monitoring run", reason, service_address("prefect"), cause="missed")
    return reason
