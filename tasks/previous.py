"""Which version served before the champion."""

from __future__ import annotations

from configs.errors import InputError
from tasks.history import read_history
from tasks.registry import champion


def previous_version(use_case: str) -> str:
    """What the champion replaced when it was first deployed, so that two rollbacks go back two versions.

    Raises:
        InputError: there is no champion, or it replaced none.
    """
    serving = champion(use_case)
    if serving is None:
        raise InputError(f"use case {use_case!r} has no champion, so there is nothing to roll back")
    first = next((e for e in read_history(use_case, "deploy") if e["version"] == serving.version), None)
    if first is None or not first["previous"]:
        raise InputError(f"use case {use_case!r}: version {serving.version} is the first, so there is none to go back to")
    return str(first["previous"])
