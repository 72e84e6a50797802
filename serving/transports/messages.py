"""A message of a queue or a stream: what is asked in it, and how it is taken, whatever brought it.

Who may put messages there, the queue decides: no key of Slipway's is asked for.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Awaitable, Sequence
from typing import Any

import msgspec

from serving.refusal import Refusal
from serving.scoring.admission import Place
from serving.scoring.job import Job
from serving.scoring.model import LONGEST_ID
from serving.transports.dispatch import Dispatcher, ReadBody

logger = logging.getLogger("slipway")

SMALL = 4 * 1024  # bytes; a message below is no large request, however short its rows


class _Kind(msgspec.Struct):
    labels: msgspec.Raw = msgspec.Raw()


Taken = tuple[int, bytes]  # status and answer


async def take_all(app: Dispatcher, messages: Sequence[tuple[str, bytes]]) -> list[Taken]:
    """Of messages that came together, by name and body, each one's status and answer.

    Small ones together, as a batch; then large ones one after another, of which a server takes on only a few at once.
    """
    small = [each for each in messages if len(each[1]) <= SMALL]
    taken = dict(zip(map(id, small), await asyncio.gather(*(take(app, *each) for each in small)), strict=True))
    return [taken.get(id(each)) or await take(app, *each) for each in messages]


async def take(app: Dispatcher, name: str, body: bytes) -> Taken:
    """Status and answer of a message: rows to score as `POST /predict` has them, or outcomes as `POST /feedback`.

    Its rows are called after the message, `name`, unless it names them itself: one that comes twice is counted once.
    """

    def submit(job: Job) -> Awaitable[None]:
        if job.ids is None:
            job.ids = _ids(name, len(job.rows))
        return app.pipeline.submit(job)

    headers = {"content-length": str(len(body))}
    path = "/feedback" if _are_outcomes(body) else "/predict"
    status, _, answer = await app.dispatch("POST", path, headers, whole(body, app.body_bytes), submit, caller="")
    if status != 200:
        fields = {"message": name, "status": status, "problem": answer.decode()[:500]}
        logger.error("a message was not taken", extra={"fields": fields})
    return status, answer


def whole(body: bytes, most: int) -> ReadBody:
    """Reads a body that is there already."""

    async def read(headers: Any, place: Place) -> bytes:
        if headers.get("content-encoding") not in (None, "identity"):
            raise Refusal(415, "compressed bodies are not taken")
        if len(body) > most:
            raise Refusal(413, f"the body is larger than {most} bytes")
        return body

    return read


def _ids(message: str, rows: int) -> list[str]:
    name = message if len(message) <= LONGEST_ID - 8 else hashlib.sha256(message.encode()).hexdigest()
    return [name] if rows == 1 else [f"{name}-{row}" for row in range(rows)]


def _are_outcomes(body: bytes) -> bool:
    try:
        return bool(msgspec.json.decode(body, type=_Kind).labels)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False  # and reading it as rows says what is wrong with it
