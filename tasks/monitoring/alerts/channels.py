"""The channels by which people are told: webhook, Slack, e-mail."""

from __future__ import annotations

import base64
import smtplib
from email.message import EmailMessage
from typing import Any, NamedTuple

import httpx

from configs.errors import InputError
from configs.schema import Notify
from configs.secrets import secret

SECONDS = 10


class Message(NamedTuple):
    """What people are told: a line, why, where to look, a page for those who read on, all of it as data, and a plot.

    `plot` is a PNG, `plot_link` where a browser finds it.
    """

    title: str
    reason: str
    link: str
    page: str
    data: dict[str, Any]
    plot: bytes = b""
    plot_link: str = ""


def send(channel: Notify, message: Message) -> None:
    """Hand a message over.

    Raises:
        InputError: the secret that holds the channel's address is not set.
        httpx.HTTPError, OSError: the other side did not take it.
    """
    {"webhook": _webhook, "slack": _slack, "email": _email}[channel.by](channel, message)


def _webhook(channel: Notify, message: Message) -> None:
    """The data, and the plot as base64."""
    plot = {"plot": {"link": message.plot_link, "png": base64.b64encode(message.plot).decode()}} if message.plot else {}
    httpx.post(_url(channel), json={**message.data, **plot}, timeout=SECONDS).raise_for_status()


def _slack(channel: Notify, message: Message) -> None:
    """Slack's incoming webhook: a plain `text`, and blocks for clients that show them.

    It takes no files, and an image only from where Slack itself can fetch it; so the plot is a link.
    """
    plot = f"  <{message.plot_link}|Plot>" if message.plot else ""
    blocks: list[dict[str, Any]] = [
        {"type": "header", "text": {"type": "plain_text", "text": message.title[:150]}},
        {"type": "section", "text": {"type": "mrkdwn", "text": f"{message.reason}\n<{message.link}|Where to look>{plot}"}},
    ]
    body = {"text": f"{message.title}: {message.reason} {message.link}", "blocks": blocks}
    httpx.post(_url(channel), json=body, timeout=SECONDS).raise_for_status()


def _email(channel: Notify, message: Message) -> None:
    letter = EmailMessage()
    letter["Subject"], letter["From"], letter["To"] = message.title, channel.sender, ", ".join(channel.to)
    letter.set_content(f"{message.reason}\n\n{message.link}\n\n{message.page}")
    if message.plot:
        letter.add_attachment(message.plot, maintype="image", subtype="png", filename="window.png", disposition="inline")
    host, _, port = str(channel.server).rpartition(":")
    user, password = secret("SLIPWAY_SMTP_USERNAME"), secret("SLIPWAY_SMTP_PASSWORD")
    with smtplib.SMTP(host, int(port), timeout=SECONDS) as server:
        if user and password:
            server.starttls()
            server.login(user, password)
        server.send_message(letter)


def _url(channel: Notify) -> str:
    found = secret(str(channel.url))
    if not found:
        raise InputError(f"monitoring.notify: the secret {channel.url} is not set; it holds the address to post to")
    return found
