"""What was decided about a version and what happened to its use case, from the history."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from configs.settings import home
from tasks.history import read_history
from tasks.papers.values import Table

Entry = dict[str, Any]
HEADS = ["when", "version", "what", "why", "run or person"]
INCIDENTS = ("halt", "quarantine", "retire", "log-erasure")


def history(use_case: str) -> str:
    """Where it lies."""
    return f"use_cases/{use_case}/history.jsonl"


def until(use_case: str) -> str:
    """When the last thing was recorded; empty where nothing was."""
    return max((str(entry["time"]) for entry in read_history(use_case)), default="")


def gates_table(use_case: str, version: str) -> Table:
    """What was shown before the version got traffic, a check a row."""
    rows = [
        [entry["time"][:19], check["check"], str(check["passed"]), str(check.get("found", "")), _by(entry)]
        for entry in read_history(use_case, "gate")
        if entry.get("version") == version
        for check in entry.get("checks", [])
    ]
    heads = ["when", "check", "passed", "found", "run or person"]
    nothing = "" if rows else f"no check of version {version} is in the history"
    return Table(heads=heads, rows=rows, source=history(use_case), nothing=nothing)


def verdicts_table(use_case: str, version: str) -> Table:
    """How it was compared with the version that served, and with those that came after it."""
    return _told(
        use_case,
        lambda entry: entry["what"] == "verdict" and version in (entry.get("version"), entry.get("against")),
        f"version {version} was compared with no other",
    )


def rollouts_table(use_case: str, version: str) -> Table:
    """Each step of its rollouts."""
    return _told(
        use_case,
        lambda entry: entry["what"] == "rollout" and entry.get("version") == version,
        f"version {version} was not rolled out in stages",
    )


def changes_table(use_case: str) -> Table:
    """Every version that was switched to, the first one too."""
    return _told(use_case, lambda entry: entry["what"] == "deploy", "no version was switched to")


def incidents_table(use_case: str) -> Table:
    """Emergency stops, versions that were locked out or rolled back, rollouts that failed, and what was erased."""
    return _told(use_case, _is_incident, "no stop, quarantine, rollback, failed rollout, retirement or erasure was recorded")


def _is_incident(entry: Entry) -> bool:
    failed = entry["what"] == "rollout" and entry.get("move") == "failed"
    return entry["what"] in INCIDENTS or failed or bool(entry["what"] == "deploy" and entry.get("rollback"))


def _told(use_case: str, wanted: Callable[[Entry], bool], nothing: str) -> Table:
    entries: Iterable[Entry] = filter(wanted, read_history(use_case))
    rows = [[each["time"][:19], _versions(each), _what(each), each["reason"], _by(each)] for each in entries]
    return Table(heads=HEADS, rows=rows, source=history(use_case), nothing="" if rows else nothing)


def _versions(entry: Entry) -> str:
    version, before = str(entry.get("version") or ""), entry.get("previous") or entry.get("against")
    return f"{version} after {before}" if before else version


def _what(entry: Entry) -> str:
    if entry["what"] == "deploy":
        return "rolled back" if entry.get("rollback") else "switched to"
    return " ".join(str(each) for each in (entry["what"], entry.get("move")) if each)


def _by(entry: Entry) -> str:
    return str(entry.get("by") or entry.get("flow_run") or "a command")


def where(path: Any) -> str:
    """A path below the home, as papers tell it."""
    return str(path.relative_to(home()))
