"""The line to an arm: asks its servers for answers. Never raises, and never takes longer than it is told to.

Rows that wait for the same turn of the event loop, or for a connection, travel in one request: alone when idle, together
when busy, as the batcher does with what is scored here.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from typing import Any, Literal, NamedTuple
from urllib.parse import urlsplit

import msgspec
import numpy as np

from serving.contract.contract import Contract
from serving.contract.heads.head import Answers, Head, Outputs
from serving.protocols.internal import PATH, Scored, head_digest
from serving.scoring.admission import LARGE_ROWS
from serving.scoring.job import Elsewhere
from serving.traffic.breaker import Breaker
from serving.traffic.connection import Connection
from serving.traffic.plan import Arm

logger = logging.getLogger("slipway")

CONNECTIONS = 8  # of one worker to one arm
EXCHANGE_ROWS = LARGE_ROWS  # in one request; with more the arm's server would take it for a large one
QUIET_SECONDS = 10.0  # between two lines of the log about an arm that fails
CONNECT_SECONDS = 2.0

# Why an arm did not answer: it took too long; nobody listens; as much work as it takes on (429); an error of its own;
# another release, or another kind of answer, than the plan and the champion know; its contract refuses the row; it is off.
Reason = Literal["late", "refused", "busy", "failed", "wrong", "contract", "off"]
Found = Elsewhere | Reason
STATUSES: dict[int, Reason] = {429: "busy", 422: "contract", 504: "late"}


class Speech(NamedTuple):
    """What an arm's answers must be like to be told by the champion's head: its digest, and k."""

    head: Head
    digest: str
    width: int


def speech(head: Head, contract: Contract) -> Speech:
    """That of a server's own model."""
    width = sum(tensor.width for tensor in head.tensors if tensor.name in head.whole)
    return Speech(head, head_digest(contract), width)


class _Call:
    """Rows that somebody waits for.

    `fair`: it has all the time that an arm may take. `again`: sent before, on a connection that was closed. `alone`: not
    with others.
    """

    __slots__ = ("again", "alone", "body", "done", "exchange", "fair", "rows", "timer")

    def __init__(self, body: bytes, rows: int, done: asyncio.Future[Found], fair: bool) -> None:
        self.body, self.rows, self.done, self.fair = body, rows, done, fair
        self.again = self.alone = False
        self.exchange: _Exchange | None = None
        self.timer: asyncio.TimerHandle | None = None

    def end(self, found: Found) -> None:
        if self.timer is not None:
            self.timer.cancel()
        if not self.done.done():
            self.done.set_result(found)


class _Exchange:
    """One request; `waited` is how many of its calls somebody still waits for."""

    __slots__ = ("calls", "waited")

    def __init__(self, calls: list[_Call]) -> None:
        self.calls, self.waited = calls, len(calls)


class Line:
    """One worker's line to one arm.

    Args:
        arm: Whom to ask, and who must answer.
        speech: What the answers must be like.
        key: The key that servers let each other in with; "" where there are none.
        variant: What rows that are answered have met.
    """

    def __init__(self, arm: Arm, speech: Speech, key: str, variant: str) -> None:
        self.arm, self.variant, self._speech = arm, variant, speech
        self._breaker = Breaker()
        self._servers = [urlsplit(address) for address in arm.addresses]
        authorization = f"authorization: Bearer {key}\r\n" if key else ""
        self._heads = [
            f"POST {PATH} HTTP/1.1\r\nhost: {server.netloc}\r\ncontent-type: application/json\r\n{authorization}"
            "content-length: ".encode()
            for server in self._servers
        ]
        self._decode = msgspec.msgpack.Decoder(Scored).decode
        self._waiting: deque[_Call] = deque()
        self._idle: list[Connection] = []
        self._asked: dict[Connection, _Exchange] = {}
        self._connecting: set[asyncio.Task[None]] = set()
        self._next, self._due, self._closing = 0, False, False
        self._quiet, self._told_off = 0.0, False

    @property
    def off(self) -> bool:
        """Whether nothing is sent there, or no more than a request now and then."""
        return not self._servers or self._breaker.off

    def admits(self) -> bool:
        """Whether a request may be sent there now; asked once for each, since of an arm that is off some are let through."""
        return bool(self._servers) and self._breaker.admits(time.monotonic())

    def ask(self, body: bytes, rows: int, seconds: float, fair: bool = True) -> asyncio.Future[Found]:
        """What the arm says of rows (a list in JSON), or why it says nothing, within that time. Only where it `admits`.

        Where the time is not `fair`, because a client is in a hurry, being late says nothing about the arm.
        """
        loop = asyncio.get_running_loop()
        call = _Call(body, rows, loop.create_future(), fair)
        call.timer = loop.call_later(max(seconds, 0.0), self._late, call)
        self._waiting.append(call)
        if not self._due:
            self._due = True
            loop.call_soon(self._send)
        return call.done

    def close(self) -> None:
        """Another plan is in force: what was asked is still answered, then the connections go."""
        self._closing = True
        self._hang_up()

    def _send(self) -> None:
        """Give what waits to the connections that are free, and see to more of them."""
        self._due = False
        while self._waiting:
            connection = self._free()
            if connection is None:
                if len(self._asked) + len(self._connecting) < CONNECTIONS:
                    task = asyncio.ensure_future(self._connect())
                    self._connecting.add(task)
                    task.add_done_callback(self._connecting.discard)
                return
            if calls := self._next_calls():
                self._exchange(connection, calls)
            else:
                self._idle.append(connection)
        if self._closing:
            self._hang_up()

    def _free(self) -> Connection | None:
        while self._idle:
            if (connection := self._idle.pop()).open:
                return connection
        return None

    def _hang_up(self) -> None:
        for connection in self._idle:
            connection.abort()
        self._idle.clear()

    def _next_calls(self) -> list[_Call]:
        """As many as fit into one request, without those that are over."""
        calls: list[_Call] = []
        rows = 0
        while self._waiting:
            call = self._waiting[0]
            if not call.done.done():
                if calls and (call.alone or rows + call.rows > EXCHANGE_ROWS):
                    return calls
                calls.append(call)
                rows += call.rows
            self._waiting.popleft()
            if call.alone and calls:
                return calls
        return calls

    def _exchange(self, connection: Connection, calls: list[_Call]) -> None:
        self._asked[connection] = exchange = _Exchange(calls)
        for call in calls:
            call.exchange = exchange
        body = calls[0].body if len(calls) == 1 else b"[" + b",".join([call.body[1:-1] for call in calls]) + b"]"
        connection.send(self._heads[connection.server] + b"%d\r\n\r\n" % len(body), body)

    async def _connect(self) -> None:
        """Open one connection; where none of the servers listens, whoever waits is told so."""
        loop, count, problem = asyncio.get_running_loop(), len(self._servers), ""
        for tried in range(count):
            server = (self._next + tried) % count
            where = self._servers[server]
            secure = where.scheme == "https"

            def connection(server: int = server) -> Connection:
                return Connection(self._answered, self._lost, server)

            try:
                async with asyncio.timeout(CONNECT_SECONDS):
                    port = where.port or (443 if secure else 80)
                    _, made = await loop.create_connection(connection, str(where.hostname), port, ssl=secure or None)
            except (OSError, TimeoutError, ValueError) as error:  # a name that none can be is a ValueError
                problem = f"{where.netloc}: {type(error).__name__}"
                continue
            self._next = server + 1
            self._idle.append(made)
            self._send()
            return
        if not self._asked:
            waiting = [call for call in self._waiting if not call.done.done()]
            self._waiting.clear()
            self._fail(waiting, "refused", problem)

    def _answered(self, connection: Connection, status: int, body: bytes) -> None:
        exchange = self._asked.pop(connection)
        if connection.open:
            self._idle.append(connection)
        if status == 200:
            self._take(exchange, body)
        elif STATUSES.get(status) == "contract":
            self._refused(exchange.calls)
        else:
            self._fail(exchange.calls, STATUSES.get(status, "failed"), f"status {status}")
        self._send()

    def _refused(self, calls: list[_Call]) -> None:
        """The arm's contract refuses a row: each call goes by itself then, and only the one with that row fails."""
        if len(calls) == 1:
            calls[0].end("contract")
            return
        for call in reversed(calls):
            call.alone, call.exchange = True, None
            self._waiting.appendleft(call)

    def _take(self, exchange: _Exchange, body: bytes) -> None:
        """Give each call what belongs to it."""
        try:
            answers, outputs = self._read(body, sum(call.rows for call in exchange.calls))
        except (msgspec.DecodeError, ValueError, ArithmeticError) as error:
            self._fail(exchange.calls, "wrong", str(error))
            return
        self._breaker.succeeded()
        self._tell_state()
        at, arm = 0, self.arm
        for call in exchange.calls:
            end = at + call.rows
            call.end(Elsewhere(self.variant, arm.version, arm.release, answers[at:end], outputs[at:end]))
            at = end

    def _read(self, body: bytes, rows: int) -> tuple[Answers, Outputs]:
        scored, speech, arm = self._decode(body), self._speech, self.arm
        if (scored.release, scored.version) != (arm.release, arm.version):
            raise ValueError(f"it is release {scored.release!r} of version {scored.version!r}")
        if scored.head != speech.digest:
            raise ValueError("its kind of answer, or its classes, are not the champion's")
        if len(scored.answers) != rows or len(scored.outputs) != 4 * rows * speech.width:
            raise ValueError(f"{len(scored.answers)} answers and {len(scored.outputs)} bytes of outputs for {rows} rows")
        outputs = np.frombuffer(scored.outputs, dtype="<f4").reshape(rows, speech.width)
        if not speech.head.possible(outputs):
            raise ValueError("its outputs are none that such a model can mean")
        return scored.answers, speech.head.answer(outputs)[1]

    def _lost(self, connection: Connection) -> None:
        """Closed: while it was idle, which is no failure, or while an answer was awaited."""
        if connection in self._idle:
            self._idle.remove(connection)
        exchange = self._asked.pop(connection, None)
        if exchange is None:
            return
        calls = [call for call in exchange.calls if not call.done.done()]
        if connection.served and not connection.begun and not any(call.again for call in calls):
            # The server closed it, as it does with idle ones, just when it was asked: once more, on a new one.
            self._hang_up()
            for call in reversed(calls):
                call.again, call.exchange = True, None
                self._waiting.appendleft(call)
        else:
            self._fail(calls, "failed", "the connection was lost")
        self._send()

    def _late(self, call: _Call) -> None:
        """Its time is over; an exchange that nobody waits for any more is given up with its connection."""
        call.end("late")
        if (exchange := call.exchange) is not None:
            exchange.waited -= 1
            if exchange.waited:
                return
            for connection in [each for each, asked in self._asked.items() if asked is exchange]:
                del self._asked[connection]
                connection.abort()
        if call.fair:
            self._failed("late", "no answer in time")
        self._send()

    def _fail(self, calls: list[_Call], reason: Reason, problem: str) -> None:
        for call in calls:
            call.end(reason)
        self._failed(reason, problem)

    def _failed(self, reason: Reason, problem: str) -> None:
        now = time.monotonic()
        self._breaker.failed(now)
        if now >= self._quiet:
            self._quiet = now + QUIET_SECONDS
            self._warn(f"does not answer: {reason}, {problem}")
        self._tell_state()

    def _tell_state(self) -> None:
        if self._breaker.off != self._told_off:
            self._told_off = self._breaker.off
            self._warn("is off: the champion answers in its place" if self._told_off else "is back")

    def _warn(self, told: str) -> None:
        fields: dict[str, Any] = {"arm": self.arm.name, "release": self.arm.release, "problem": told}
        logger.warning("traffic plan", extra={"fields": fields})
