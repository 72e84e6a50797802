"""Whether a use case is released: what its history says of its deploys and of its retirement."""

from __future__ import annotations

from tasks.history import read_history


def released_version(use_case: str) -> str:
    """The version that was deployed last; empty before the first deploy, and from a retirement until the next one."""
    last = _last(use_case)
    return str(last["version"]) if last and last["what"] == "deploy" else ""


def is_retired(use_case: str) -> bool:
    """Whether a person took it out of service for good."""
    last = _last(use_case)
    return bool(last) and last["what"] == "retire"


def _last(use_case: str) -> dict[str, str]:
    changes = [entry for entry in read_history(use_case) if entry["what"] in ("deploy", "retire")]
    return changes[-1] if changes else {}
