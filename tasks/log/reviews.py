"""The journal of reviews: what people decided about single answers, one JSON line an event, appended and synced to disk.

`review_line.py` says what a line is, `folded.py` how neither one answer nor a sum needs all of them.
"""

from __future__ import annotations

import json
import mmap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from configs.files import append_line, locked, write_atomically
from configs.settings import home, made, use_case_home
from tasks.log.folded import drop, everything, fold, places_of
from tasks.log.review_line import Event, decoded, opened, without, written


class Mark(NamedTuple):
    """A place between lines of the journal: how many lines are before it, and bytes."""

    before: int
    offset: int


START = Mark(0, 0)


def journal_path(use_case: str) -> Path:
    """The file of its lines."""
    return home() / "use_cases" / use_case / "reviews" / "journal.jsonl"


@contextmanager
def reviewing(use_case: str) -> Iterator[None]:
    """Nobody else decides, or takes something out of the journal, meanwhile."""
    with locked(made(use_case_home(use_case) / "reviews") / "lock"):
        yield


def note_event(use_case: str, what: str, by: str, time: datetime, **details: Any) -> None:
    """Append an event. Call it within `reviewing`."""
    append_line(journal_path(use_case), written(use_case, what, by, time, **details))


def read_events(use_case: str, about: str | None = None, since: datetime | None = None, after: int = 0) -> list[Event]:
    """The events, oldest first, of one prediction, of a time on, or behind a line; what a crash tore at the end is none.

    Of a time that is not before that of `move_bookmark`, or a line behind it, only the end of the journal is read.

    Raises:
        CheckFailed: a line is no event, or is sealed and the key does not open it.
    """
    path, mark = journal_path(use_case), _bookmark(use_case)
    if about is not None:
        return [event for event in _about(use_case, path, about) if event.about == about]
    lines = _lines(path, mark if since is not None or after >= mark.before else START)
    read = ((number, decoded(path, number, line)) for number, _, line in lines if number > after)
    return [opened(use_case, path, number, line) for number, line in read if since is None or line.time >= since]


def move_bookmark(use_case: str, since: datetime) -> None:
    """Nobody asks for events of a time before that any more, but of one prediction, or for the sum of all, for which whole
    chunks are folded. Call it within `reviewing`."""
    path, mark = journal_path(use_case), _bookmark(use_case)
    for number, begin, line in _lines(path, mark):
        if decoded(path, number, line).time >= since:
            mark = Mark(number - 1, begin)
            break
        mark = Mark(number, begin + len(line) + 1)
    write_atomically(_bookmark_path(use_case), json.dumps(mark).encode())
    fold(use_case, path)


def forget_events(use_case: str, wanted: Callable[[str, datetime], bool]) -> int:
    """Take the details out of the lines that are wanted, by prediction and time; returns of how many."""
    path = journal_path(use_case)
    if not path.exists():
        return 0
    with reviewing(use_case):
        events = everything(use_case, path)
        rows = zip(*(events[name].to_pylist() for name in ("number", "prediction_id", "time")), strict=True)
        gone = {number for number, about, time in rows if about and wanted(about, time)}
        if gone:
            lines = [without(line) if number in gone else line for number, _, line in _lines(path)]
            drop(path, gone)
            _bookmark_path(use_case).unlink(missing_ok=True)  # lines are about to begin elsewhere
            write_atomically(path, b"".join(line + b"\n" for line in lines), mode=0o640)
    return len(gone)


def _lines(path: Path, mark: Mark = START) -> Iterator[tuple[int, int, bytes]]:
    """Each whole line behind a mark: its number, the byte where it begins, and its text."""
    if not path.exists():
        return
    with path.open("rb") as file:
        file.seek(mark.offset)
        begin = mark.offset
        for number, line in enumerate(file, start=mark.before + 1):
            if line.endswith(b"\n"):
                yield number, begin, line[:-1]
            begin += len(line)


def _about(use_case: str, path: Path, name: str) -> Iterator[Event]:
    """The events about a prediction: by the tables of the folded part where they lie, of the rest by a look for its id."""
    if not path.exists() or not path.stat().st_size:
        return
    places, end = places_of(use_case, path, name)
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as text:
        for begin in places:
            yield opened(use_case, path, 0, decoded(path, 0, text[begin : text.find(b"\n", begin)]))
        if text.find(b'"sealed":"', end) >= 0:
            lines = _lines(path, Mark(0, end))
            yield from (opened(use_case, path, 0, decoded(path, 0, line)) for _, _, line in lines)
            return
        wanted = json.dumps(json.dumps(name))[1:-1].encode()  # as it stands inside of a line
        while (at := text.find(wanted, end)) >= 0:
            begin, end = text.rfind(b"\n", 0, at) + 1, text.find(b"\n", at)
            if end < 0:
                return
            yield opened(use_case, path, 0, decoded(path, 0, text[begin:end]))


def _bookmark(use_case: str) -> Mark:
    path = _bookmark_path(use_case)
    return Mark(*json.loads(path.read_bytes())) if path.exists() else START


def _bookmark_path(use_case: str) -> Path:
    return journal_path(use_case).with_name("bookmark")
