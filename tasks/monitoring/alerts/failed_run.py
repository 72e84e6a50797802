"""A run that ended badly is an alarm too, whoever or whatever started it."""

from __future__ import annotations

from prefect import task

from configs.schema import UseCase
from configs.settings import service_address
from tasks.monitoring.alerts.critical import tell_at_once

MESSAGE = 1000


@task
def tell_failed_run(use_case: UseCase, run: str, run_id: str, state: str, message: str) -> str:
    """Tell people that a run failed, was crashed by its death, or was stopped; returns what they were told."""
    reason = f"the run {run!r} ended as {state}: {message[:MESSAGE]}"
    link = f"{service_address('prefect')}/runs/flow-run/{run_id.removeprefix('prefect.flow-run.')}"
    tell_at_once(use_case, "failed", f"{run} {state.lower()}", reason, link, cause=state.lower(), run=run)
    return reason
