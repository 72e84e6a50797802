"""The fence: what was begun before a rollback never switches after it.

Each use case has a number, its epoch, that a rollback raises. A run reads it when it begins, and takes part in the traffic
only while it is still that number. Both happen under one short lock, which is not that of the runs (`tasks/lock.py`): a
rollback waits for no training, only for the seconds in which somebody writes the route or stops a release.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from configs.errors import CheckFailed
from configs.files import write_atomically
from configs.settings import use_case_home


class Fenced(CheckFailed):
    """A rollback came after this run began, so it changes nothing any more."""


def epoch(use_case: str) -> int:
    """How often the use case was rolled back or retired."""
    return int(_read(use_case)["epoch"])


@contextmanager
def switching(use_case: str, began: int | None = None) -> Iterator[None]:
    """Hold what decides about traffic; with `began`, only if nobody has rolled back since that epoch.

    Raises:
        Fenced: somebody has.
    """
    with _lock(use_case, lambda _: None):
        if began is not None:
            refuse_if_fenced(use_case, began)
        yield


@contextmanager
def unless_fenced(use_case: str, began: int) -> Iterator[None]:
    """Say that the rollback is why, where a check says no because a rollback has changed what it looked at.

    Raises:
        Fenced: a check failed, and somebody has rolled back since.
    """
    try:
        yield
    except CheckFailed as failure:
        if not isinstance(failure, Fenced) and epoch(use_case) != began:
            raise Fenced(f"{_why(use_case)} Besides: {failure}") from failure
        raise


@contextmanager
def emergency(use_case: str, what: str, reason: str, say: Callable[[str], None]) -> Iterator[None]:
    """Raise the fence, and hold everything that could move traffic until this is through; `what` tells those fenced."""
    with _lock(use_case, lambda holder: say(f"{holder} is switching {use_case} at this moment; waiting for it")):
        moment = datetime.now(UTC).isoformat(timespec="seconds")
        entry = {"epoch": epoch(use_case) + 1, "what": what, "reason": reason, "time": moment}
        write_atomically(_path(use_case), json.dumps(entry).encode())
        yield


def last_emergency(use_case: str) -> dict[str, str] | None:
    """The last time somebody raised the fence: `what` was done, `reason` and `time`; None where nobody ever did."""
    found = _read(use_case)
    return {name: str(found[name]) for name in ("what", "reason", "time")} if "time" in found else None


def refuse_if_fenced(use_case: str, began: int) -> None:
    """Raise where the use case was rolled back since that epoch."""
    if epoch(use_case) != began:
        raise Fenced(_why(use_case))


def _why(use_case: str) -> str:
    last = _read(use_case)
    return (
        f"{use_case} was {last['what']} after this run began ({last['reason']}, {last['time']}), so this run "
        f"switches nothing. Where its version is wanted nonetheless: 'slipway deploy {use_case} --version N'."
    )


def _read(use_case: str) -> dict[str, str | int]:
    path = _path(use_case)
    return json.loads(path.read_text()) if path.exists() else {"epoch": 0}


def _path(use_case: str) -> Path:
    return use_case_home(use_case) / "fence.json"


@contextmanager
def _lock(use_case: str, waiting: Callable[[str], None]) -> Iterator[None]:
    """The kernel lets go of it when the process ends, however it ends."""
    with open(use_case_home(use_case) / "switch.lock", "a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            waiting(file.read().strip() or "another process")
            fcntl.flock(file, fcntl.LOCK_EX)
        file.truncate(0)
        file.write(f"process {os.getpid()}")
        file.flush()
        yield
