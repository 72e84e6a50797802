"""`slipway history`: what happened to a use case, in order, from what its home recorded. Needs no service; reads only."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from datetime import datetime, tzinfo
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.table import Table
from rich.text import Text

from configs.errors import InputError
from configs.load import load_use_case, use_case_names
from configs.settings import home
from console.releases import serving as running
from tasks.fence import last_emergency
from tasks.history import read_history
from tasks.registry.verdicts import outcome
from tasks.routing.released import is_retired
from tasks.routing.served import serving
from tasks.training.values import Comparison

DECISIONS = ("deploy", "verdict", "declined")
Entry = dict[str, Any]


class Event(NamedTuple):
    """One thing that happened: `kind` is the history's word, `what` a person's; `until` is how far the data was known."""

    time: datetime
    kind: str
    what: str
    version: str
    why: str
    by: str
    until: str


def show(use_case: str, since: str | None, as_data: bool, screen: Console) -> None:
    """Print the events, oldest first, and what serves now.

    Raises:
        InputError: nothing was ever recorded of the use case, or `since` is no time.
    """
    require_history(use_case)
    zone = zone_of(use_case)
    begin = _moment(since, zone)
    found = [event for event in events(use_case, zone) if begin is None or event.time >= begin]
    if as_data:
        lines = [event._replace(time=event.time.isoformat())._asdict() for event in found]  # type: ignore[arg-type]
        print(json.dumps({"use_case": use_case, "time_zone": str(zone), "events": lines, "now": now(use_case)}, indent=1))
        return
    title = f"{use_case}, times in {zone}" + (f", since {since}" if since else "")
    screen.print(table(title, found) if found else f"Nothing is recorded of {use_case} since {since}")
    screen.print(now(use_case), markup=False, highlight=False, soft_wrap=True)


def require_history(use_case: str) -> None:
    """Refuse a name that nothing was recorded under.

    Raises:
        InputError: saying where to look.
    """
    if not (home() / "use_cases" / use_case).is_dir() or not read_history(use_case):
        raise InputError(f"use case {use_case!r} has no history in {home()}; 'slipway status' lists those that have")


def zone_of(use_case: str) -> ZoneInfo:
    """The use case's own; UTC where its file is gone, since its history is not."""
    return ZoneInfo(load_use_case(use_case).time_zone if use_case in use_case_names() else "UTC")


def events(use_case: str, zone: tzinfo) -> list[Event]:
    """What happened, oldest first. Left out is what went as it should and changed nothing: gates that held, calm windows."""
    emergency = last_emergency(use_case) or {}
    entries = read_history(use_case)
    if emergency and not any(_through(entry, emergency) for entry in entries):
        entries = [*entries, {**emergency, "what": "emergency", "how": emergency["what"], "flow_run": ""}]
    told = [(entry, TOLD.get(entry["what"], _other)(entry, emergency)) for entry in entries]
    found = [_event(entry, *words, zone) for entry, words in told if words is not None]
    return sorted(found, key=lambda event: event.time)  # stable: those of one second stay in their order


def table(title: str, found: Iterable[Event]) -> Table:
    """The events as a table for people."""
    shown = Table(title=title, title_justify="left")
    for column in ("when", "what", "version", "why"):
        shown.add_column(column, overflow="fold", no_wrap=column == "when")
    for event in found:
        why = "; ".join([event.why, *([f"data until {event.until[:10]}"] if event.until else []), f"by {event.by}"])
        cells = (f"{event.time:%Y-%m-%d %H:%M}", event.what, event.version, why)
        shown.add_row(*(Text(cell) for cell in cells))  # reasons hold brackets that are no markup
    return shown


def now(use_case: str) -> str:
    """What serves at this moment, in a line."""
    if is_retired(use_case):
        return f"Now: {use_case} is retired, nothing serves; 'slipway release {use_case}' brings it back"
    last = serving(use_case)
    if last is None:
        return f"Now: nothing of {use_case} serves, or ever did; 'slipway release {use_case}' changes that"
    version = last.version.version
    try:
        release = running(use_case)
    except InputError as error:
        return f"Now: version {version} was switched to last; whether it runs cannot be said: {error}"
    if release is None:
        return f"Now: version {version} was switched to last, and is down; 'slipway deploy {use_case}' starts it"
    return f"Now: {use_case} version {version} serves (release {release.name}, platform {release.platform})"


def _event(entry: Entry, what: str, why: str, zone: tzinfo) -> Event:
    return Event(
        time=datetime.fromisoformat(entry["time"]).astimezone(zone),
        kind=entry["what"],
        what=what,
        version=str(entry.get("version") or ""),
        why=why,
        by=entry.get("by") or entry.get("flow_run") or "a command",
        until=str(entry.get("until") or ""),
    )


def _deploy(entry: Entry, emergency: Entry) -> tuple[str, str]:
    released = str(entry.get("flow_run", "")).startswith("release-")
    what = "rolled back" if _rolled_back(entry, emergency) else "released" if released else "deployed"
    before = f", version {entry['previous']} before" if entry.get("previous") else ""
    return what, f"{entry['reason']} (on {entry.get('platform') or entry['target']}{before})"


def _rolled_back(entry: Entry, emergency: Entry) -> bool:
    """What was recorded before entries said so is known where it is the last emergency."""
    return entry.get("rollback", emergency.get("what") == "rolled back" and _through(entry, emergency))


def _through(entry: Entry, emergency: Entry) -> bool:
    """Whether the entry is what an emergency came to: its switch, or the retirement."""
    after = entry["time"] >= emergency["time"]
    return after and entry["what"] in ("deploy", "retire") and entry["reason"] == emergency["reason"]


def _verdict(entry: Entry, _: Entry) -> tuple[str, str]:
    known = {name: entry[name] for name in Comparison.model_fields if name in entry}
    what = outcome(
        Comparison.model_validate(known), bool(entry.get("promoted", entry["better"])), bool(entry.get("rollout"))
    )
    return f"retrained: {what[0].lower()}{what[1:]}", f"{entry['cause']}: {entry['reason']}"


def _declined(entry: Entry, _: Entry) -> tuple[str, str]:
    return "not retrained", f"{entry['cause']}: {entry['reason']}"


def _finding(entry: Entry, _: Entry) -> tuple[str, str] | None:
    causes = entry.get("causes")
    return (f"alarm: {', '.join(causes)}", f"{entry['window']}: {entry['reason']}") if causes else None


def _gate(entry: Entry, _: Entry) -> tuple[str, str] | None:
    return None if entry["passed"] else ("gate closed", entry["reason"])


def _told_by(entry: Entry, _: Entry) -> tuple[str, str]:
    return "told", f"{entry['reason']}, by {entry['channel']}"


def _critical(entry: Entry, _: Entry) -> tuple[str, str]:
    return f"run {entry['what']}", entry["reason"]


def _retire(entry: Entry, _: Entry) -> tuple[str, str]:
    return "retired", entry["reason"]


def _quarantine(entry: Entry, _: Entry) -> tuple[str, str]:
    return "in quarantine" if entry["move"] == "in" else "out of quarantine", entry["reason"]


def _halt(entry: Entry, _: Entry) -> tuple[str, str]:
    return "halted" if entry["move"] == "halt" else "answers again", f"{entry['reason']} ({entry['by']})"


def _held(entry: Entry, _: Entry) -> tuple[str, str]:
    return f"legal hold {entry['move']}", f"{entry['hold']}: {entry['reason']}"


def _unfinished(entry: Entry, _: Entry) -> tuple[str, str]:
    return f"{entry['how']}, not through", entry["reason"]


def _audit_run(entry: Entry, _: Entry) -> None:
    """Each night; what of it is new to people is an alarm of its own."""


def _other(entry: Entry, _: Entry) -> tuple[str, str]:
    """Keys, erasures, and whatever else is recorded: in the history's own words."""
    return entry["what"].replace("-", " "), entry["reason"]


TOLD: dict[str, Callable[[Entry, Entry], tuple[str, str] | None]] = {
    "deploy": _deploy,
    "verdict": _verdict,
    "declined": _declined,
    "finding": _finding,
    "gate": _gate,
    "told": _told_by,
    "missed": _critical,
    "failed": _critical,
    "audit-run": _audit_run,
    "quarantine": _quarantine,
    "halt": _halt,
    "hold": _held,
    "retire": _retire,
    "emergency": _unfinished,
}


def _moment(text: str | None, zone: tzinfo) -> datetime | None:
    """A day without an offset begins when it begins in the use case's time zone."""
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(zone)
    except (ValueError, OverflowError):
        raise InputError(f"--since: {text!r} is not a time; write for example '2026-03-01' or '2026-03-01T12:00'") from None
