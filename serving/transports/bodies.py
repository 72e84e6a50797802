"""Reading bodies: within limits of size and time, and so that whoever is slow takes nothing from those who are not."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from granian.rsgi import ProtocolClosed, ProtocolError

from serving.refusal import Refusal, client_gone
from serving.scoring.admission import Admission, Overloaded, Place

SOON = 0.05  # seconds; a body that is not there by then is a slow one, and its place is others' until it is
SMALL = 64 * 1024  # bytes; below, a body comes in one piece
ROOM = 4  # largest bodies whose parts may be held while the rest is on its way


Reading = tuple[float, Place, Any]  # when it began, what it takes, and the task that waits


class Bodies:
    """Those that one worker is reading, the oldest first.

    Args:
        admission: Where the places are.
        most_bytes: The largest body.
        seconds: The longest time for a body.
    """

    def __init__(self, admission: Admission, most_bytes: int, seconds: float) -> None:
        self._admission, self._most, self._seconds = admission, most_bytes, seconds
        self._prompt: dict[int, Reading] = {}
        self._slow: dict[int, Reading] = {}
        self._held = 0  # bytes of large bodies that are not whole yet

    async def read(self, headers: Any, protocol: Any, place: Place) -> bytes:
        """The body; afterwards its request has a place by its true size.

        Raises:
            Refusal: 408 too slow, 413 too large, 415 compressed, 429 no place, 499 the client is gone.
        """
        length = headers.get("content-length")
        if headers.get("content-encoding") not in (None, "identity"):
            raise Refusal(415, "compressed bodies are not taken")
        declared = int(length) if length is not None and length.isdigit() else None
        if declared is not None and declared > self._most:
            raise Refusal(413, f"a body of {length} bytes; at most {self._most} are taken")
        ticket = id(protocol)
        self._prompt[ticket] = time.monotonic(), place, asyncio.current_task()
        try:
            body: bytes = await (self._parts(protocol) if declared is None or declared > SMALL else protocol())
        except asyncio.CancelledError:  # by `cut`
            raise Refusal(408, "the body took too long") from None
        except (ProtocolClosed, ProtocolError):
            raise client_gone() from None
        finally:
            if self._prompt.pop(ticket, None) is None:
                del self._slow[ticket]
        if not (place.held and place.size == len(body)) and not self._admission.settle(place, len(body)):
            raise Overloaded()
        return body

    async def _parts(self, protocol: Any) -> bytes:
        """A body whose length is known when it is over, or that is long: what came of it counts, not what was said."""
        parts: list[bytes] = []
        size = 0
        try:
            async for part in protocol:
                size += len(part)
                self._held += len(part)
                if size > self._most:
                    raise Refusal(413, f"the body is larger than {self._most} bytes")
                if self._held > ROOM * self._most:
                    raise Overloaded()
                parts.append(part)
            return b"".join(parts)
        finally:
            self._held -= size

    def sweep(self) -> None:
        """Called every `SOON`: who became slow lends its place."""
        latest = time.monotonic() - SOON
        while self._prompt:
            ticket, (began, place, _) = next(iter(self._prompt.items()))
            if began > latest:
                return
            self._slow[ticket] = self._prompt.pop(ticket)
            self._admission.lend(place)

    def cut(self) -> None:
        """Called now and then: who took too long is told so."""
        oldest = time.monotonic() - self._seconds
        for began, _, task in list(self._slow.values()):
            if began > oldest:
                return
            task.cancel()
