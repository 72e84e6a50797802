"""A line of the journal of reviews (`reviews.py`): how it is written, opened, and emptied.

A line says when, what and who for good, and the SHA-256 of the rest as it lies there. The rest (`event`: which prediction,
which answer, why) is of a person whom the answer is about, so it goes where the prediction goes: sealed where the log is
encrypted, and taken out of its line by erasure and retention. The audit record has the lines without it, so its proofs
outlive that. The rest holds a random `salt`, without which the few possible answers could simply be tried.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from configs.errors import CheckFailed
from serving.log.segment import SegmentError
from tasks.log.keys import cipher, required_cipher

SALT = "salt"


class Line(msgspec.Struct, omit_defaults=True):
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


_line = msgspec.json.Decoder(Line)


def written(use_case: str, what: str, by: str, time: datetime, **details: Any) -> bytes:
    """The line of an event."""
    text = json.dumps({**details, SALT: secrets.token_hex(16)}).encode()
    line, key = Line(time, what, by, ""), cipher()
    if key is None:
        line.event = text.decode()
    else:
        line.sealed = base64.b64encode(key.seal_bytes(text, name_of(use_case))).decode()
    line.sha256 = line.digest
    return msgspec.json.encode(line)


def decoded(path: Path, number: int, line: bytes) -> Line:
    """What stands in a line.

    Raises:
        CheckFailed: it is no event.
    """
    try:
        return _line.decode(line)
    except msgspec.DecodeError as error:
        raise unreadable(path, number, error) from None


def details_of(use_case: str, path: Path, number: int, read: Line) -> bytes:
    """The details as JSON, empty where they were erased.

    Raises:
        CheckFailed: the line was changed, or is sealed and the key does not open it.
    """
    try:
        if read.digest != read.sha256:
            raise SegmentError("it was changed")
        if read.sealed:
            return required_cipher().open_bytes(base64.b64decode(read.sealed), name_of(use_case))
    except ValueError as error:
        raise unreadable(path, number, error) from None
    return read.event.encode()


def opened(use_case: str, path: Path, number: int, read: Line) -> Event:
    """The event of a line.

    Raises:
        CheckFailed: the line was changed, or is sealed and the key does not open it.
    """
    text = details_of(use_case, path, number, read)
    try:
        details = json.loads(text) if text else {}
    except ValueError as error:
        raise unreadable(path, number, error) from None
    return Event(number, read.time, read.what, read.by, {name: details[name] for name in details if name != SALT})


def entered(line: bytes) -> Any:
    """What the audit record has of a line: all but the details, by their digest where they are there."""
    try:
        read = _line.decode(line)
    except msgspec.DecodeError:
        return line.decode(errors="backslashreplace")
    return {"time": read.time.isoformat(), "what": read.what, "by": read.by, "sha256": read.digest}


def without(line: bytes) -> bytes:
    """The line, its details erased."""
    read = _line.decode(line)
    return msgspec.json.encode(Line(read.time, read.what, read.by, read.sha256))


def unreadable(path: Path, number: int, why: Exception) -> CheckFailed:
    """What is told of a line that is no event."""
    place = f"{path}:{number}" if number else str(path)
    return CheckFailed(f"{place}: cannot be read as an event of reviews: {why}")


def name_of(use_case: str) -> str:
    """What a sealed line is bound to."""
    return f"reviews of {use_case}"
