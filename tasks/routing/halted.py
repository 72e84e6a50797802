"""Halted: a person has stopped a use case, and no model of it answers until a person lifts that.

A file of the home says so, whatever serves. Servers find it as a traffic plan (`serving/traffic/plan.py`), which the release
that serves has, and any other has before it gets its first request.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from configs.errors import InputError
from configs.files import write_atomically
from configs.settings import home
from serving.traffic.plan import Halt, Plan
from tasks.store import Value

Answer = str | int | float | bool | None


class Halted(Value):
    """Who stopped it, when (UTC) and why; `answer` is what every row gets instead, or None where requests are refused."""

    reason: str
    by: str
    time: str
    answer: Answer = None

    def plan(self) -> Plan:
        """What servers carry out meanwhile."""
        return Plan(id=f"halt-{self.time}", salt="halt", halt=Halt(self.reason, self.answer))


def halted(use_case: str) -> Halted | None:
    """How it was halted; None where it was not, or is not any more."""
    try:
        return Halted.model_validate_json(_path(use_case).read_bytes())
    except FileNotFoundError:
        return None


def refuse_halted(use_case: str) -> None:
    """Raise where it is halted.

    Raises:
        InputError: saying by whom, and how that is lifted.
    """
    if (stands := halted(use_case)) is not None:
        raise InputError(
            f"use case {use_case!r} is halted (since {stands.time}, by {stands.by}: {stands.reason}); "
            f"'slipway halt {use_case} --lift --reason ...' ends that"
        )


def keep_halted(use_case: str, reason: str, by: str, answer: Answer) -> Halted:
    """From now on it is halted."""
    moment = datetime.now(UTC).isoformat(timespec="seconds")
    stands = Halted(reason=reason, by=by, time=moment, answer=answer)
    restore_halted(use_case, stands)
    return stands


def restore_halted(use_case: str, stands: Halted | None) -> None:
    """It is halted as that says, or not."""
    if stands is None:
        forget_halted(use_case)
    else:
        write_atomically(_path(use_case), stands.model_dump_json(indent=1).encode())


def forget_halted(use_case: str) -> None:
    """It is halted no more."""
    _path(use_case).unlink(missing_ok=True)


def _path(use_case: str) -> Path:
    return home() / "use_cases" / use_case / "halted.json"
