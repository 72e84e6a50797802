"""Notify: people are told of alarms that are new, with the reason and where to look."""

from __future__ import annotations

from datetime import datetime

from prefect import get_run_logger, task

from configs.schema import UseCase
from tasks.channels import Message, send
from tasks.findings import describe
from tasks.monitoring.alarms import to_tell
from tasks.values import Finding


@task(retries=3, retry_delay_seconds=[1, 5, 15])
def notify(use_case: UseCase, finding: Finding) -> int:
    """Tell of the alarms that are new or whose cooldown is over; returns how many messages went out.

    Raises:
        httpx.HTTPError, OSError: a message could not be handed over, after some retries.
    """
    sent = 0
    for cause, alarm in to_tell(finding.alarms, datetime.fromisoformat(finding.until)).items():
        get_run_logger().warning("Alarm (%s): %s: %s", alarm.severity, cause, alarm.reason)
        data = {"cause": cause, "alarm": alarm.model_dump(), "finding": finding.model_dump(mode="json")}
        title = f"[{alarm.severity}] {finding.use_case}: {cause} in window {finding.window}"
        for channel in use_case.monitoring.notify:
            if channel.at_least == "warning" or alarm.severity == "critical":
                send(channel, Message(title, alarm.reason, finding.report, describe(finding), data))
                sent += 1
    return sent
