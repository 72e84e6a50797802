"""Keep looking: a rollout's schedule runs while one is under way, and only then."""

from __future__ import annotations

from prefect import task

from configs.schema import UseCase
from tasks.monitoring.watching import look_by_schedule


@task
def keep_looking(use_case: UseCase, under_way: bool) -> None:
    """Switch the schedule of the use case's rollouts on or off."""
    look_by_schedule(use_case.name, "rollout", under_way)
