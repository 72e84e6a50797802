"""A window in which requests came and none was answered has no rows to look at; it is an alarm all the same."""

from __future__ import annotations

from prefect import get_run_logger, task
from prefect.events import emit_event

from configs.schema import UseCase
from configs.settings import service_address
from tasks.channels import Message, send
from tasks.history import read_history, record
from tasks.values import Window


@task(retries=3, retry_delay_seconds=[1, 5, 15])
def tell_all_refused(use_case: UseCase, window: Window) -> str | None:
    """Tell people once of a window whose every request was refused; returns what they were told, or None."""
    told = {entry["window"] for entry in read_history(use_case.name, "all-refused")}
    if not window.refused or window.name in told:
        return None
    count, most = sum(each.requests for each in window.refused), window.refused[0]
    where = f" for {most.feature}" if most.feature else ""
    reason = f"none of the {count:,} requests was answered, most with status {most.status}{where}"
    get_run_logger().warning("Alarm (critical): window %s: %s", window.name, reason)
    title = f"[critical] {use_case.name}: fault in window {window.name}"
    data = {"cause": "fault", "use_case": use_case.name, "window": window.name, "reason": reason}
    for channel in use_case.monitoring.notify:
        send(channel, Message(title, reason, service_address("prefect"), "", data))
    resource = {"prefect.resource.id": f"slipway.use-case.{use_case.name}", "prefect.resource.name": use_case.name}
    emit_event(event="slipway.fault", resource={**resource, "slipway.retrain": "no"}, payload=data)
    record(use_case.name, "all-refused", reason, window=window.name)
    return reason
