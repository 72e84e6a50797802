"""Notify: Prefect and people are told what is still in the outbox, each channel for itself."""

from __future__ import annotations

from collections.abc import Sequence

from prefect import get_run_logger, task

from configs.schema import UseCase
from tasks.monitoring.alerts.outbox import deliver


@task
def notify(use_case: UseCase, waits: Sequence[float] = ()) -> dict[str, str]:
    """Tell what is new, and what was not taken before; returns why, by channel that has not got all.

    A channel that does not take its message is told here, in the status and at the end of the run. It stops nothing.
    """
    failed = deliver(use_case, waits)
    for channel, why in failed.items():
        get_run_logger().warning("Not told, tried again by the next run: %s: %s", channel, why)
    return failed
