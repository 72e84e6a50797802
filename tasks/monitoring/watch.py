"""Watch: from its first release on, a use case is monitored, its log is kept in order, and people are told what fails."""

from __future__ import annotations

from prefect import get_run_logger, task
from prefect.events import emit_event

from configs.schema import UseCase
from tasks.monitoring.watching import resume


@task
def watch(use_case: UseCase) -> None:
    """Switch the schedules and triggers of its deployments on, where they are not; from now on a missed run is noticed."""
    if resume(use_case.name):
        resource = {"prefect.resource.id": f"slipway.use-case.{use_case.name}", "prefect.resource.name": use_case.name}
        emit_event(event="slipway.watched", resource=resource)
        get_run_logger().info("%s is watched from now on, by the schedules of its use case", use_case.name)
