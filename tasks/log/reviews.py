"""The journal of reviews: what people decided about single answers, one JSON line an event, appended and synced to disk.

A line says when, what and who for good, and the SHA-256 of the rest as it lies there. The rest (`event`: which prediction,
which answer, why) is of a person whom the answer is about, so it goes where the prediction goes: sealed where the log is
encrypted, and taken out of its line by erasure and retention. The audit record has the lines without it, so its proofs
outlive that. The rest holds a random `salt`, without which the few possible answers could simply be tried.
"""

from __future__ import annotations

import base64
import hashlib
import json
import mmap
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from configs.errors import CheckFailed
from configs.files import append_line, locked, write_atomically
from configs.settings import home, made, use_case_home
from serving.log.segment import SegmentError
from tasks.log.keys import cipher, required_cipher


class _Line(msgspec.Struct, omit_defaults=True):
    """As it is written: `event` is JSON as text, so that its digest is of these very bytes; or the same `sealed`."""

    time: datetime
    what: str
    by: str
    sha256: str
    event: str = ""
    sealed: str = ""

    @property
    def digest(self) -> str:
        """Of the details as they lie there; of those that were erased it is only known what it was."""
        lies = self.event or self.sealed
        return hashlib.sha256(lies.encode()).hexdigest() if lies else self.sha256


class Event(NamedTuple):
    """A line, read. `details` are empty where they were erased; `number` counts lines from 1, 0 where it was not counted."""

    number: int
    time: datetime
    what: str
    by: str
    details: dict[str, Any]

    @property
    def about(self) -> str:
        """The prediction; empty where it is about none, or erased."""
        return str(self.details.get("prediction_id", ""))


class Mark(NamedTuple):
    """A place between lines of the journal: how many lines are before it, and bytes."""

    before: int
    offset: int


SALT = "salt"
START = Mark(0, 0)
_line = msgspec.json.Decoder(_Line)


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


def written(use_case: str, what: str, by: str, time: datetime, **details: Any) -> bytes:
    """The line of an event."""
    text = json.dumps({**details, SALT: secrets.token_hex(16)}).encode()
    line, key = _Line(time, what, by, ""), cipher()
    if key is None:
        line.event = text.decode()
    else:
        line.sealed = base64.b64encode(key.seal_bytes(text, _name(use_case))).decode()
    line.sha256 = line.digest
    return msgspec.json.encode(line)


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
    read = ((number, _decoded(path, number, line)) for number, _, line in lines if number > after)
    return [_opened(use_case, path, number, line) for number, line in read if since is None or line.time >= since]


def move_bookmark(use_case: str, since: datetime) -> None:
    """Nobody asks for events of a time before that any more, but of one prediction. Call it within `reviewing`."""
    path, mark = journal_path(use_case), _bookmark(use_case)
    for number, begin, line in _lines(path, mark):
        if _decoded(path, number, line).time >= since:
            mark = Mark(number - 1, begin)
            break
        mark = Mark(number, begin + len(line) + 1)
    write_atomically(_bookmark_path(use_case), json.dumps(mark).encode())


def forget_events(use_case: str, wanted: Callable[[Event], bool]) -> int:
    """Take the details out of the lines that are wanted; returns of how many."""
    path = journal_path(use_case)
    if not path.exists():
        return 0
    with reviewing(use_case):
        gone = {event.number for event in read_events(use_case) if event.details and wanted(event)}
        if gone:
            lines = [_without(line) if number in gone else line for number, _, line in _lines(path)]
            _bookmark_path(use_case).unlink(missing_ok=True)  # lines are about to begin elsewhere
            write_atomically(path, b"".join(line + b"\n" for line in lines), mode=0o640)
    return len(gone)


def entered(line: bytes) -> Any:
    """What the audit record has of a line: all but the details, by their digest where they are there."""
    try:
        read = _line.decode(line)
    except msgspec.DecodeError:
        return line.decode(errors="backslashreplace")
    return {"time": read.time.isoformat(), "what": read.what, "by": read.by, "sha256": read.digest}


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
    """The events in whose lines a prediction's id stands, without a look at the others; of sealed lines all."""
    if not path.exists() or not path.stat().st_size:
        return
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as text:
        if text.find(b'"sealed":"') >= 0:
            yield from (_opened(use_case, path, number, _decoded(path, number, line)) for number, _, line in _lines(path))
            return
        wanted, end = json.dumps(json.dumps(name))[1:-1].encode(), 0  # as it stands inside of a line
        while (at := text.find(wanted, end)) >= 0:
            begin, end = text.rfind(b"\n", 0, at) + 1, text.find(b"\n", at)
            if end < 0:
                return
            yield _opened(use_case, path, 0, _decoded(path, 0, text[begin:end]))


def _bookmark(use_case: str) -> Mark:
    path = _bookmark_path(use_case)
    return Mark(*json.loads(path.read_bytes())) if path.exists() else START


def _bookmark_path(use_case: str) -> Path:
    return journal_path(use_case).with_name("bookmark")


def _decoded(path: Path, number: int, line: bytes) -> _Line:
    try:
        return _line.decode(line)
    except msgspec.DecodeError as error:
        raise _unreadable(path, number, error) from None


def _opened(use_case: str, path: Path, number: int, read: _Line) -> Event:
    text = read.event.encode()
    try:
        if read.sealed:
            text = required_cipher().open_bytes(base64.b64decode(read.sealed), _name(use_case))
        if read.digest != read.sha256:
            raise SegmentError("it was changed")
        details = json.loads(text) if text else {}
        return Event(number, read.time, read.what, read.by, {name: details[name] for name in details if name != SALT})
    except ValueError as error:
        raise _unreadable(path, number, error) from None


def _unreadable(path: Path, number: int, why: Exception) -> CheckFailed:
    place = f"{path}:{number}" if number else str(path)
    return CheckFailed(f"{place}: cannot be read as an event of reviews: {why}")


def _without(line: bytes) -> bytes:
    read = _line.decode(line)
    return msgspec.json.encode(_Line(read.time, read.what, read.by, read.sha256))


def _name(use_case: str) -> str:
    return f"reviews of {use_case}"
