"""The server's own log: one JSON object a line on standard error. Never holds a key or a feature's value."""

from __future__ import annotations

import logging
import sys
from datetime import UTC, datetime
from typing import Any

import msgspec

from serving.telemetry.telling import frames


class JsonFormatter(logging.Formatter):
    """Time, level, message, release, and what the record carries in `fields`."""

    def __init__(self, release: str) -> None:
        super().__init__()
        self._release = release

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "message": record.getMessage(),
            "release": self._release,
            **getattr(record, "fields", {}),
        }
        if record.exc_info and record.exc_info[1]:
            line["defect"] = frames(record.exc_info[1])
        return msgspec.json.encode(line).decode()


def configure(release: str) -> None:
    """Send the `slipway` logger's lines to standard error as JSON."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter(release))
    logger = logging.getLogger("slipway")
    logger.handlers, logger.propagate = [handler], False
    logger.setLevel(logging.INFO)
