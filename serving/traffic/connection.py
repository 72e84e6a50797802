"""One HTTP/1.1 connection to a server of our own: a request at a time, `Content-Length` both ways, kept open between them.

RFC 9112. No library for it is in the image, and a general one costs several times what scoring a row does.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import cast

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+) *\r\n", re.IGNORECASE)
_CLOSE = re.compile(rb"\r\nconnection: *close *\r\n", re.IGNORECASE)
HEAD_BYTES = 16 * 1024


class Connection(asyncio.Protocol):
    """Tells `answered` of each answer (status, body) and `lost` once, when it is over.

    `served` counts the answers, `busy` says whether one is awaited, `begun` whether some of it came.
    """

    def __init__(
        self, answered: Callable[[Connection, int, bytes], None], lost: Callable[[Connection], None], server: int
    ) -> None:
        self._answered, self._lost, self.server = answered, lost, server
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._end = self._body = self._status = 0
        self._close = False
        self.served, self.busy = 0, False

    @property
    def begun(self) -> bool:
        """Whether a part of the awaited answer came."""
        return bool(self._buffer)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Of asyncio."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one without saying so

    def send(self, head: bytes, body: bytes) -> None:
        """Send a request; the connection is busy until it is answered."""
        assert self._transport is not None
        self.busy = True
        self._transport.write(head + body)

    def data_received(self, data: bytes) -> None:
        """Of asyncio."""
        if not self.busy:  # nobody asked
            self.abort()
            return
        self._buffer += data
        if not self._end and not self._read_head():
            return
        if len(self._buffer) >= self._end:
            body, status = bytes(self._buffer[self._body : self._end]), self._status
            strange = len(self._buffer) > self._end
            self._buffer.clear()
            self._end, self.busy = 0, False
            self.served += 1
            if self._close or strange:
                self.abort()
            self._answered(self, status, body)

    def _read_head(self) -> bool:
        """Whether the head is there, and says how long the answer is."""
        at = self._buffer.find(b"\r\n\r\n")
        if at < 0:
            if len(self._buffer) > HEAD_BYTES:
                self.abort()
            return False
        head = bytes(self._buffer[: at + 2])
        length, status = _LENGTH.search(head), head[9:12]
        if not head.startswith(b"HTTP/1.1 ") or not status.isdigit() or length is None:
            self.abort()
            return False
        self._status, self._body = int(status), at + 4
        self._end = self._body + int(length[1])
        self._close = _CLOSE.search(head) is not None
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """Of asyncio."""
        self._transport = None
        self._lost(self)

    @property
    def open(self) -> bool:
        """Whether another request can be sent."""
        return self._transport is not None and not self._transport.is_closing()

    def abort(self) -> None:
        """Close at once; what was on its way is lost."""
        if self._transport is not None:
            self._transport.abort()
