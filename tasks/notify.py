"""Notify: people are told of an alarm, with the reason and where to look: webhook, Slack, e-mail."""

from __future__ import annotations

import smtplib
from datetime import datetime
from email.message import EmailMessage
from typing import Any

import httpx
from prefect import get_run_logger, task

from configs.errors import InputError
from configs.schema import Notify, UseCase
from configs.secrets import secret
from tasks.findings import describe
from tasks.monitoring.alarms import to_tell
from tasks.values import Alarm, Finding

SECONDS = 10
RETRIES = 3


@task(retries=RETRIES, retry_delay_seconds=[1, 5, 15])
def notify(use_case: UseCase, finding: Finding) -> int:
    """Tell of the alarms that are new or whose cooldown is over; returns how many messages went out.

    Raises:
        httpx.HTTPError, OSError: a message could not be handed over, after some retries; the finding is kept all the same.
    """
    sent = 0
    for cause, alarm in to_tell(finding.alarms, datetime.fromisoformat(finding.until)).items():
        get_run_logger().warning("Alarm (%s): %s: %s", alarm.severity, cause, alarm.reason)
        for channel in use_case.monitoring.notify:
            if channel.at_least == "warning" or alarm.severity == "critical":
                SENDERS[channel.by](channel, finding, cause, alarm)
                sent += 1
    return sent


def _webhook(channel: Notify, finding: Finding, cause: str, alarm: Alarm) -> None:
    body = {"cause": cause, "alarm": alarm.model_dump(), "finding": finding.model_dump(mode="json")}
    httpx.post(_url(channel), json=body, timeout=SECONDS).raise_for_status()


def _slack(channel: Notify, finding: Finding, cause: str, alarm: Alarm) -> None:
    """Slack's incoming webhook: a plain `text`, and blocks for clients that show them."""
    title = subject(finding, cause, alarm)
    blocks: list[dict[str, Any]] = [
        {"type": "header", "text": {"type": "plain_text", "text": title[:150]}},
        {"type": "section", "text": {"type": "mrkdwn", "text": f"{alarm.reason}\n<{finding.report}|Evidently report>"}},
    ]
    body = {"text": f"{title}: {alarm.reason} {finding.report}", "blocks": blocks}
    httpx.post(_url(channel), json=body, timeout=SECONDS).raise_for_status()


def _email(channel: Notify, finding: Finding, cause: str, alarm: Alarm) -> None:
    message = EmailMessage()
    message["Subject"], message["From"], message["To"] = (
        subject(finding, cause, alarm),
        channel.sender,
        ", ".join(channel.to),
    )
    message.set_content(f"{alarm.reason}\n\n{finding.report}\n\n{describe(finding)}")
    host, _, port = str(channel.server).rpartition(":")
    user, password = secret("SLIPWAY_SMTP_USERNAME"), secret("SLIPWAY_SMTP_PASSWORD")
    with smtplib.SMTP(host, int(port), timeout=SECONDS) as server:
        if user and password:
            server.starttls()
            server.login(user, password)
        server.send_message(message)


SENDERS = {"webhook": _webhook, "slack": _slack, "email": _email}


def subject(finding: Finding, cause: str, alarm: Alarm) -> str:
    """One line for a person who reads many."""
    return f"[{alarm.severity}] {finding.use_case}: {cause} in window {finding.window}"


def _url(channel: Notify) -> str:
    found = secret(str(channel.url))
    if not found:
        raise InputError(f"monitoring.notify: the secret {channel.url} is not set; it holds the address to post to")
    return found
