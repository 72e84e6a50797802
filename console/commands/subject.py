"""`slipway audit subject`, for people: what is held on one person, and what cannot be searched."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

from configs.errors import CheckFailed
from configs.schema import UseCase
from console.commands.why import reviews_table
from tasks.audit.checkpoint import sign_again
from tasks.audit.in_store import Tell
from tasks.audit.subject import keep_read, subject
from tasks.audit.values import Place, Subject, Trained
from tasks.log.conditions import Condition


@contextmanager
def searching(screen: Console) -> Iterator[Tell]:
    """A bar for what is being searched; nothing of it stays."""
    with Progress(console=screen, transient=True, disable=not screen.is_terminal) as bar:
        task = bar.add_task("", total=None)
        yield lambda what, done, total: bar.update(task, description=what, completed=done, total=total)


def gather(
    cases: Sequence[tuple[UseCase, list[Condition]]], reason: str, by: str, tell: Tell
) -> tuple[list[Subject], list[str]]:
    """What each use case holds, each such read recorded; and which cannot be read, with why: one hides no other."""
    found, failed = [], []
    for case, conditions in cases:
        try:
            one = subject(case, conditions, tell)
            keep_read(one, conditions, reason, by)
            sign_again(case.name)
        except CheckFailed as error:
            failed.append(f"use case {case.name}: {error}")
        else:
            found.append(one)
    return found, failed


def tell_subject(found: Subject, screen: Console) -> None:
    """Print it, but for the records, which are for `--json`."""
    counts = {kind: len(rows) for kind, rows in found.records.items()}
    versions = ", ".join(f"{rows:,} by version {version}" for version, rows in found.versions.items())
    span = f", {found.first[:16]} to {found.last[:16]}: {versions}" if found.predictions else ""
    _say(screen, f"{found.use_case}: {found.predictions:,} predictions in the log{span}")
    _say(screen, f"  labels and numbers that came: {counts.get('feedback', 0):,}; shadows: {counts.get('shadow', 0):,}")
    for each in found.exposures:
        _say(screen, f"  {each['rows']:,} under plan {each['plan']}, arm {each['assigned']}, answered by {each['answered']}")
    for hold in found.holds:
        _say(screen, f"  {hold}")
    for entry in found.erasures:
        _say(screen, f"  erased {entry['time'][:16]}: {entry['predictions']:,} predictions ({entry['reason']})")
    for entry in found.reads:
        _say(screen, f"  read {entry['time'][:16]} by {entry['by']}: {entry['reason']}")
    if found.reviews:
        screen.print(reviews_table(found.reviews))
    tell_places(found.places, found.trained, found.cannot, screen)


def tell_places(places: Sequence[Place], trained: Sequence[Trained], cannot: Sequence[str], screen: Console) -> None:
    """What of the store holds the person, which versions learned from them, and what cannot be searched."""
    table = Table(title="what else holds them", title_justify="left")
    for column in ("what", "rows", "which", "until"):
        table.add_column(column, overflow="fold")
    for place in places:
        table.add_row(*map(Text, (f"{place.kind} {place.name[:12]}", f"{place.rows:,}", place.told, place.until)))
    screen.print(table if places else "Nothing that can be searched of the store holds them")
    for each in trained:
        numbers = ", ".join(each.versions)
        who = f"version {numbers}" if numbers else f"bundle {each.bundle[:12]}, which was never deployed here,"
        _say(screen, f"{who} learned from {each.learned:,} of their rows, and was judged on {each.held_out:,}")
    _say(screen, "Not searched, and why:")
    for line in cannot:
        _say(screen, f"  {line}")


def _say(screen: Console, text: str) -> None:
    screen.print(text, markup=False, highlight=False, soft_wrap=True)
