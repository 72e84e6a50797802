"""A run that ended badly is an alarm too, whoever or whatever started it."""

from __future__ import annotations

from datetime import UTC, datetime

from prefect import get_run_logger, task

from configs.schema import UseCase
from configs.settings import service_address
from tasks.history import record
from tasks.monitoring.alerts.outbox import WAITS, Entry, Telling, audience, deliver, put

MESSAGE = 1000


@task
def tell_failed_run(use_case: UseCase, run: str, run_id: str, state: str, message: str) -> str:
    """Tell people that a run failed, was crashed by its death, or was stopped; returns what they were told."""
    reason = f"the run {run!r} ended as {state}: {message[:MESSAGE]}"
    get_run_logger().warning("Alarm (critical): %s", reason)
    told = Telling(
        title=f"[critical] {use_case.name}: {run} {state.lower()}",
        reason=reason,
        link=f"{service_address('prefect')}/runs/flow-run/{run_id.removeprefix('prefect.flow-run.')}",
        data={"cause": state.lower(), "use_case": use_case.name, "run": run, "reason": reason},
        to=audience(use_case, "critical"),
    )
    put(use_case.name, f"failed-{datetime.now(UTC):%Y-%m-%dT%H%M%S%f}", Entry(messages=[told]))
    record(use_case.name, "failed", reason)
    for channel, why in deliver(use_case, WAITS).items():
        get_run_logger().warning("Not told, tried again by the next run: %s: %s", channel, why)
    return reason
