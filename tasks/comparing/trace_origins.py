"""Trace origins: why each version was made, what was decided about it, when it served and who switched to it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from prefect import task

from configs.schema import UseCase
from tasks.comparing.values import Deployed, Origin
from tasks.history import read_history
from tasks.registry.values import Version
from tasks.routing.served import serving

GATE = "gate."


@task
def trace_origins(use_case: UseCase, compared: Sequence[Version]) -> list[Origin]:
    """From the registry's tags and the home's history; times in the use case's time zone."""
    entries, zone, now = read_history(use_case.name), ZoneInfo(use_case.time_zone), serving(use_case.name)
    serves = now.version.version if now else ""
    return [_origin(version, entries, zone, serves == version.version) for version in compared]


def _origin(version: Version, history: list[dict[str, Any]], zone: ZoneInfo, serves: bool) -> Origin:
    tags, entries = version.tags, [entry for entry in history if entry.get("version") == version.version]
    deploys = [entry for entry in entries if entry["what"] == "deploy"]
    verdicts = [f"{_when(entry, zone)}: {entry['reason']}" for entry in entries if entry["what"] == "verdict"]
    return Origin(
        version=version.version,
        parent=tags.get("parent", ""),
        cause=tags.get("cause") or (deploys[0]["reason"] if deploys else ""),
        trained_by=tags.get("flow_run_name", ""),
        verdicts=verdicts or ([tags["verdict"]] if "verdict" in tags else []),
        gates=[value for name, value in sorted(tags.items()) if name.startswith(GATE)],
        deployed=[
            Deployed(
                time=_when(entry, zone),
                reason=entry["reason"],
                by=entry.get("flow_run") or "a command",
                instead=entry.get("previous") or "",
            )
            for entry in deploys
        ],
        serves=serves,
    )


def _when(entry: dict[str, Any], zone: ZoneInfo) -> str:
    return f"{datetime.fromisoformat(entry['time']).astimezone(zone):%Y-%m-%d %H:%M}"
