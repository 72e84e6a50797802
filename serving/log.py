"""The prediction log: every answer and every feedback, appended before the answer is sent.

A segment is a file of JSON lines that one process writes with `O_APPEND`; nothing in it is ever rewritten. A `write`
that returned lies in the kernel, so `kill -9` of the process loses nothing that was answered (a power failure can: the
data is not synced to disk for each request).
"""

from __future__ import annotations

import os
import secrets
import time
from pathlib import Path
from typing import Any

import msgspec

SEGMENT_BYTES = 64 * 1024 * 1024


class Prediction(msgspec.Struct, frozen=True, tag_field="kind", tag="prediction"):
    """One answered row. Times are UTC in ISO 8601; `latency_us` is the request's time in the server so far."""

    prediction_id: str
    time: str
    event_time: str
    model_version: str
    release: str
    caller: str
    features: dict[str, Any]
    prediction: str | int | bool
    probabilities: list[float]
    latency_us: int


class Feedback(msgspec.Struct, frozen=True, tag_field="kind", tag="feedback"):
    """What turned out to be true for one prediction. The last one counts, all are kept."""

    prediction_id: str
    time: str
    label: str | int | bool
    caller: str


class PredictionLog:
    """Appends records to this process's own segment, and starts a new one when it is full."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._encoder = msgspec.json.Encoder()
        self._open()

    def _open(self) -> None:
        unique = f"{time.time_ns()}-{os.getpid()}-{secrets.token_hex(4)}"
        path = self._folder / f"predictions-{unique}.jsonl"
        self._file = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_APPEND, 0o640)
        self._size = 0

    def append(self, records: list[Prediction] | list[Feedback]) -> None:
        """Write the records of one request.

        Raises:
            OSError: the disk is full or the log is broken; the request must then not be answered.
        """
        data = self._encoder.encode_lines(records)
        view = memoryview(data)
        while view:  # a write near a full disk may be short
            view = view[os.write(self._file, view) :]
        self._size += len(data)
        if self._size >= SEGMENT_BYTES:
            os.close(self._file)
            self._open()

    def close(self) -> None:
        """Close the segment."""
        os.close(self._file)
