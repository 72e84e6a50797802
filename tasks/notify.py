"""Notify: people are told of alarms that are new, with the reason, a plot and where to look."""

from __future__ import annotations

from datetime import datetime

from prefect import get_run_logger, task

from configs.schema import UseCase
from configs.settings import report_address
from tasks.channels import Message, send
from tasks.finding_plot import draw, plot_page
from tasks.findings import describe, findings
from tasks.monitoring.alarms import to_tell
from tasks.values import Finding, write_atomically


@task(retries=3, retry_delay_seconds=[1, 5, 15])
def notify(use_case: UseCase, finding: Finding) -> int:
    """Tell of the alarms that are new or whose cooldown is over; returns how many messages went out.

    Raises:
        httpx.HTTPError, OSError: a message could not be handed over, after some retries.
    """
    sent, plot = 0, b""
    path, told = plot_page(use_case.name, finding.window), to_tell(finding.alarms, datetime.fromisoformat(finding.until))
    if told and use_case.monitoring.notify:
        plot = draw(finding, [f for f in findings(use_case.name) if f.until < finding.until])
        write_atomically(path, plot)
    for cause, alarm in told.items():
        get_run_logger().warning("Alarm (%s): %s: %s", alarm.severity, cause, alarm.reason)
        data = {"cause": cause, "alarm": alarm.model_dump(), "finding": finding.model_dump(mode="json")}
        title = f"[{alarm.severity}] {finding.use_case}: {cause} in window {finding.window}"
        for channel in use_case.monitoring.notify:
            if channel.at_least == "warning" or alarm.severity == "critical":
                page = describe(finding)
                send(channel, Message(title, alarm.reason, finding.report, page, data, plot, report_address(path)))
                sent += 1
    return sent
