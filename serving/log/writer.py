"""The prediction log: every answer and every feedback, appended before the answer is sent.

Each process appends to a segment of its own (its form: `segment.py`) with `O_APPEND`, one `write` a batch; nothing
in it is ever rewritten. A `write` that returned lies in the kernel, so `kill -9` of the process loses nothing that was
answered (a power failure can: the data is not synced to disk for each request). A segment that is written to is locked
(`flock`), so that maintenance knows a finished one; the kernel lets go of the lock with the process.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import hmac
import os
import secrets
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, Protocol

import msgspec
import numpy as np

from serving.contract.contract import Contract
from serving.log.segment import Cipher, close_group
from serving.security.secret import given

SEGMENT_BYTES = 64 * 1024 * 1024
SEGMENT_SECONDS = 3600.0
# Of a prediction's record. Those without one are of the first form, whose output was called `probabilities`; those before 3
# know no traffic plan.
FORM = 3
ROTATE = "rotate"  # touched by maintenance: start a new segment, so that the one before can be worked on


class Prediction(msgspec.Struct, frozen=True, tag_field="kind", tag="prediction", gc=False, omit_defaults=True):
    """One answered row.

    Times are UTC in ISO 8601; `latency_us` is the request's time in the server until it was logged; `request_digest` is the
    SHA-256 of the request's body, the same for every row of it; `features` are the record as it came; `output` are the
    numbers that the answer was made of: a probability a class, or one number; `place` is the row's in its request, left out
    for the first, so that requests can be counted. A `prediction` of null was left to a person.

    Where a traffic plan is in force, the record is the exposure: `plan` is its id, `assigned` the arm that the row was to
    meet, `variant` the one that answered; `fallback` says why that is another one. `model_version` and `release` are those
    that answered.
    """

    prediction_id: str
    time: str
    event_time: str
    model_version: str
    release: str
    variant: str
    caller: str
    features: Any
    prediction: str | int | bool | float | None
    output: list[float]
    latency_us: int
    request_digest: str
    place: int = 0
    form: int = msgspec.field(default_factory=lambda: FORM)  # a factory's value is written, a default is not
    plan: str = ""
    assigned: str = ""
    fallback: str = ""


class Shadow(msgspec.Struct, frozen=True, tag_field="kind", tag="shadow", gc=False, omit_defaults=True):
    """What a shadow said of a row, that nobody was answered: no prediction, but the pair of the one with the same id.

    `assigned` is the shadow's name in the plan, `latency_us` how long it took. One that failed has a `fallback`, which says
    why, and no output. The row's features stand in the prediction's record.
    """

    prediction_id: str
    time: str
    event_time: str
    model_version: str
    release: str
    caller: str
    prediction: str | int | bool | float | None
    output: list[float]
    latency_us: int
    plan: str
    assigned: str
    fallback: str = ""
    place: int = 0
    variant: str = msgspec.field(default_factory=lambda: "shadow")
    form: int = msgspec.field(default_factory=lambda: FORM)


class Feedback(msgspec.Struct, frozen=True, tag_field="kind", tag="feedback"):
    """What turned out to be true for one prediction, and numbers that came of it. The last one counts, all are kept."""

    prediction_id: str
    time: str
    label: str | int | bool | float | None
    caller: str
    kpis: dict[str, float] | None = None


class Review(msgspec.Struct, frozen=True, tag_field="kind", tag="review"):
    """What was finally decided about one prediction, by people or because nobody did in time.

    `prediction` is the answer that holds from then on, `decision` whether that confirmed the model's answer, overrode it,
    decided where the model had left the row to a person, or came of itself, late. `caller` is what wrote it; who decided is
    not in the log.
    """

    prediction_id: str
    time: str
    prediction: str | int | bool | float | None
    caller: str
    decision: Literal["confirmed", "overridden", "decided", "late"]


class Refused(msgspec.Struct, frozen=True, tag_field="kind", tag="refused"):
    """How many requests were not answered within half a second: the HTTP status, and the feature that was wrong."""

    time: str
    event_time: str
    status: int
    feature: str
    caller: str
    requests: int


Entry = Prediction | Shadow | Feedback | Refused | Review


class Log(Protocol):
    """Where every answer goes first."""

    def append(self, records: Sequence[Entry]) -> int:
        """Keep the records of one batch; returns the bytes.

        Raises:
            OSError: they are not kept, and the batch must then not be answered.
        """

    def tick(self) -> None:
        """Called now and then."""

    def close(self) -> None:
        """Nothing is appended for now."""


class PredictionLog:
    """Appends records to this process's own segment, and starts a new one when it is full or old."""

    def __init__(
        self,
        folder: Path,
        key: bytes | None = None,
        segment_bytes: int = SEGMENT_BYTES,
        segment_seconds: float = SEGMENT_SECONDS,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._cipher = Cipher(key) if key else None
        self._limits = segment_bytes, segment_seconds
        self._encoder = msgspec.json.Encoder()
        self._asked = self._rotation_asked()
        self._file: int | None = None
        self._open()

    def append(self, records: Sequence[Entry]) -> int:
        """Write the records of one batch; returns the bytes written.

        Raises:
            OSError: the disk is full or the log is broken; the batch must then not be answered.
        """
        return self.append_lines(self._encoder.encode_lines(records), len(records))

    def append_lines(self, lines: bytes, records: int) -> int:
        """The same for so many records that are JSON lines already."""
        if self._file is None:
            self._open()
        assert self._file is not None
        data = close_group(lines, records, self._name, self._cipher, self._size)
        written = os.write(self._file, data)
        if written < len(data):
            self._complete(memoryview(data)[written:])
        self._size += len(data)
        if self._size >= self._limits[0]:
            self._close()
        return len(data)

    def tick(self) -> None:
        """Called now and then: closes a segment that is old, or that maintenance asked to be closed."""
        asked = self._rotation_asked()
        old = time.monotonic() - self._began >= self._limits[1]
        if self._file is not None and self._size and (old or asked != self._asked):
            self._close()
        self._asked = asked

    def sync(self) -> None:
        """Returns when what was appended to this segment lies on the disk, whatever happens to this machine."""
        if self._file is not None:
            os.fsync(self._file)
            folder = os.open(self._folder, os.O_RDONLY)  # that there is such a file, lies there too
            try:
                os.fsync(folder)
            finally:
                os.close(folder)

    def close(self) -> None:
        """Close the segment; the next `append` opens another."""
        if self._file is not None:
            self._close()

    def _complete(self, rest: memoryview) -> None:
        """A write near a full disk may be short. What cannot be finished is taken back, so that no torn group stays."""
        assert self._file is not None
        try:
            while rest:
                rest = rest[os.write(self._file, rest) :]
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(self._file, self._size)
            self._close()  # where that failed too, the torn group is at least the last one of its segment
            raise

    def _open(self) -> None:
        self._name = f"predictions-{time.time_ns()}-{os.getpid()}-{secrets.token_hex(4)}.jsonl"
        self._file = os.open(self._folder / self._name, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_APPEND, 0o640)
        fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self._size, self._began = 0, time.monotonic()

    def _close(self) -> None:
        assert self._file is not None
        os.close(self._file)
        self._file = None

    def _rotation_asked(self) -> int:
        try:
            return (self._folder / ROTATE).stat().st_mtime_ns
        except FileNotFoundError:
            return 0


class Sensitive:
    """What the log keeps of columns that are marked sensitive: the value, a keyed hash of it, or nothing.

    The hash is HMAC-SHA-256, cut to 128 bits: equal values stay equal, so they can be counted and found again with the key,
    and without it a short list of possible values cannot simply be tried.
    """

    def __init__(self, fields: Sequence[str], policy: Literal["keep", "hash", "omit"], key: bytes) -> None:
        self._fields = () if policy == "keep" else tuple(fields)
        self._policy, self._key = policy, key

    def __bool__(self) -> bool:
        return bool(self._fields)

    def guard(self, features: dict[str, Any]) -> dict[str, Any]:
        """The features as they are logged."""
        for name in self._fields:
            value = features.pop(name, None)
            if value is not None and self._policy == "hash":
                features[name] = hashed(value, self._key)
        return features


def sensitive_of(contract: Contract, policy: Literal["keep", "hash", "omit"], log_key: bytes | None) -> Sensitive:
    """What the log keeps of a contract's sensitive columns; the key of hashes is `SLIPWAY_LOG_PEPPER`, else the log's own.

    Raises:
        ValueError: there is neither, and hashes that anybody can make hide nothing.
    """
    fields = [column.name for column in contract.columns if column.sensitive]
    key = (given("SLIPWAY_LOG_PEPPER") or "").encode() or log_key or b""
    if fields and policy == "hash" and not key:
        raise ValueError(
            f"--sensitive hash of {', '.join(fields)} needs a secret, or values could be guessed: set SLIPWAY_LOG_PEPPER "
            "('openssl rand -base64 32' makes one), or take --sensitive omit or keep"
        )
    return Sensitive(fields, policy, key)


def hashed(value: Any, key: bytes) -> str:
    """What stands in the log for a sensitive value; a number is the shortest decimal of what the contract keeps, 32 bits.

    >>> hashed("42", b"key") == hashed(42, b"key") == hashed(42.0, b"key")
    True
    >>> hashed(0.1, b"key") == hashed(float(np.float32(0.1)), b"key")
    True
    """
    text = _number_text(value) if isinstance(value, float) else str(value)
    return "hmac:" + hmac.new(key, text.encode(), hashlib.sha256).hexdigest()[:32]


def _number_text(value: float) -> str:
    kept = np.float32(value)
    return str(int(kept)) if float(kept).is_integer() else str(kept)
