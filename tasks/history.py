"""The history of a use case: every deploy, verdict and finding with its numbers and reasons, one JSON line each."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from configs.files import append_line
from configs.settings import use_case_home

logger = logging.getLogger(__name__)
_told: set[tuple[Path, int]] = set()


def record(use_case: str, what: str, reason: str, **details: Any) -> dict[str, Any]:
    """Append one entry; entries are never changed. The torn end of a write that a crash cut off is told, and cut off."""
    entry = {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "what": what,
        "reason": reason,
        "flow_run": _flow_run(),
        **details,
    }
    path = use_case_home(use_case) / "history.jsonl"
    if torn := append_line(path, json.dumps(entry).encode()):
        logger.warning("%s: the last line was cut off by a crash, and is left out: %r", path, torn[:200])
    return entry


def read_history(use_case: str, what: str | None = None) -> list[dict[str, Any]]:
    """Entries, oldest first; only those of one kind when `what` is given. A line that is no entry is left out and told."""
    path = use_case_home(use_case) / "history.jsonl"
    if not path.exists():
        return []
    entries = []
    for number, line in enumerate(path.read_bytes().splitlines(), start=1):
        found = _entry(line)
        if found is None:
            _tell(path, number)
        elif what is None or found["what"] == what:
            entries.append(found)
    return entries


def _flow_run() -> str:
    """The flow run that records; a process without Prefect, which takes a second to import, runs no flow."""
    if "prefect" not in sys.modules:
        return ""
    from prefect.runtime import flow_run

    return flow_run.get_name() or ""


def _entry(line: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) and {"time", "what", "reason"} <= found.keys() else None


def _tell(path: Path, number: int) -> None:
    if (path, number) not in _told:  # once a process: a history is read often
        _told.add((path, number))
        logger.warning("%s:%s: no entry of a history (a crash may have cut it off); it is left out", path, number)
