"""The history of a use case: every deploy, verdict and finding with its numbers and reasons, one JSON line each."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from typing import Any

from prefect.runtime import flow_run

from configs.settings import use_case_home


def record(use_case: str, what: str, reason: str, **details: Any) -> dict[str, Any]:
    """Append one entry; entries are never changed."""
    entry = {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "what": what,
        "reason": reason,
        "flow_run": flow_run.get_name() or "",
        **details,
    }
    file = os.open(use_case_home(use_case) / "history.jsonl", os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o640)
    try:
        os.write(file, json.dumps(entry).encode() + b"\n")
    finally:
        os.close(file)
    return entry


def read_history(use_case: str, what: str | None = None) -> list[dict[str, Any]]:
    """Entries, oldest first; only those of one kind when `what` is given."""
    path = use_case_home(use_case) / "history.jsonl"
    if not path.exists():
        return []
    entries = [json.loads(line) for line in path.read_text().splitlines()]
    return [entry for entry in entries if what is None or entry["what"] == what]
