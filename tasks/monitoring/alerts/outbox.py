"""The outbox of a use case: what Prefect and people are still to be told, one file a finding, gone when all have it.

A file is written before what it tells of is kept, and is worked off afterwards, channel by channel. What a channel took is
taken off the file at once, so the next try tells only those who have not got it; a kill in between tells one of them twice.
"""

from __future__ import annotations

import fcntl
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from prefect.events import emit_event
from pydantic import Field

from configs.errors import InputError
from configs.files import write_atomically
from configs.schema import Notify, UseCase
from configs.secrets import secret
from configs.settings import home, made, report_address, use_case_home
from tasks.history import record
from tasks.monitoring.alerts.channels import Message, send
from tasks.store import Value

WAITS = (1.0, 5.0, 15.0)  # seconds between the tries of a run's end


class Telling(Value):
    """A message, and the channels that have not got it yet, each with why the last try failed. `plot` lies below reports."""

    title: str
    reason: str
    link: str
    page: str = ""
    data: dict[str, Any] = Field(default_factory=dict)
    plot: str = ""
    to: dict[str, str]


class Entry(Value):
    """What one finding is still to tell: the events for Prefect, and the messages."""

    events: list[dict[str, Any]] = Field(default_factory=list)
    messages: list[Telling] = Field(default_factory=list)


def audience(use_case: UseCase, severity: str) -> dict[str, str]:
    """The channels that want to know of something so grave."""
    channels = use_case.monitoring.notify
    return {channel_name(c): "" for c in channels if c.at_least == "warning" or severity == "critical"}


def review_channel(use_case: UseCase) -> Notify | None:
    """Where final decisions of people go, besides the log."""
    webhook = use_case.review.webhook if use_case.review else None
    return None if webhook is None else Notify(by="webhook", url=webhook)


def _channels(use_case: UseCase) -> list[Notify]:
    own = review_channel(use_case)
    return [*use_case.monitoring.notify, *([own] if own else [])]


def channel_name(channel: Notify) -> str:
    """What a channel is called; its address may be a secret.

    >>> channel_name(Notify(by="slack", url="OUR_HOOK"))
    'slack OUR_HOOK'
    """
    return f"{channel.by} {channel.url or ', '.join(channel.to)}"


def put(use_case: str, name: str, entry: Entry, again: bool = False) -> None:
    """Keep what is to be told, in place of an entry of the same name; told again, beside the messages that still wait."""
    path = _folder(use_case) / f"{name}.json"
    with _alone(use_case):
        before = Entry.model_validate_json(path.read_bytes()).messages if again and path.exists() else []
        _keep(path, Entry(events=entry.events, messages=[*before, *entry.messages]))


def deliver(use_case: UseCase, waits: Sequence[float] = (), only: str = "*") -> dict[str, str]:
    """Tell what is still to be told, and after each of `waits` again what failed; why, by channel that has not got all.

    `only` is a pattern of names of entries. Call it for all where Prefect is up: entries may hold events for it.

    A channel that failed gets nothing more in the same try. None keeps another from being told.
    """
    failed = _try(use_case, only)
    for seconds in waits:
        if not failed:
            break
        time.sleep(seconds)
        failed = _try(use_case, only)
    return failed


def waiting(use_case: str) -> dict[str, tuple[int, str]]:
    """Of each channel that has not got everything: how many messages wait for it, and why the last try failed."""
    found: dict[str, tuple[int, str]] = {}
    for path in _files(use_case):
        for message in Entry.model_validate_json(path.read_bytes()).messages:
            for name, why in message.to.items():
                count, before = found.get(name, (0, ""))
                found[name] = count + 1, why or before
    return found


def _try(use_case: UseCase, only: str) -> dict[str, str]:
    channels, failed = {channel_name(c): c for c in _channels(use_case)}, dict[str, str]()
    with _alone(use_case.name):
        for path in _files(use_case.name, only):
            entry = Entry.model_validate_json(path.read_bytes())
            for event in entry.events:
                emit_event(**event)
            _keep(path, Entry(messages=entry.messages))
            for message in entry.messages:
                for name in list(message.to):
                    if name not in failed and (why := _tell(use_case.name, channels.get(name), message)):
                        failed[name] = why
                    if name in failed:
                        message.to[name] = failed[name]
                    else:
                        del message.to[name]
                    _keep(path, Entry(messages=entry.messages))
    return failed


def _tell(use_case: str, channel: Notify | None, message: Telling) -> str:
    """Hand it to one channel; why it was not taken, or nothing. What is no longer in the use case is not told."""
    if channel is None:
        return ""
    path = home() / "reports" / message.plot
    try:
        plot = path.read_bytes() if message.plot and path.exists() else b""
        link = report_address(path) if plot else ""
        send(channel, Message(message.title, message.reason, message.link, message.page, message.data, plot, link))
    except Exception as error:  # whatever it is, it belongs to this channel alone, and is told with it
        return _why(channel, error)
    record(use_case, "told", message.title, channel=channel_name(channel))
    return ""


def _why(channel: Notify, error: Exception) -> str:
    """The error in one line, without the address, which is a secret."""
    if isinstance(error, httpx.HTTPStatusError):
        return f"answered {error.response.status_code}"
    address = secret(channel.url) if channel.url else None
    told = str(error) if isinstance(error, InputError) else f"{type(error).__name__}: {error}"
    return told.replace(address, f"${channel.url}") if address else told


def _folder(use_case: str) -> Path:
    return made(use_case_home(use_case) / "monitoring" / "outbox")


def _files(use_case: str, only: str = "*") -> list[Path]:
    """Oldest first."""
    return sorted(_folder(use_case).glob(f"{only}.json"), key=lambda path: (path.stat().st_mtime_ns, path.name))


def _keep(path: Path, entry: Entry) -> None:
    """What is left of an entry; a file that tells nothing more goes."""
    left = Entry(events=entry.events, messages=[message for message in entry.messages if message.to])
    if left == Entry():
        path.unlink(missing_ok=True)
    else:
        write_atomically(path, left.model_dump_json().encode())


@contextmanager
def _alone(use_case: str) -> Iterator[None]:
    """Nobody else works on the outbox, so that nobody is told twice."""
    with (_folder(use_case) / "lock").open("a", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
