"""NATS JetStream: messages of a stream, taken at least once and answered once.

A pull consumer asks for a batch when the one before is done, so what the server cannot take on waits in the broker. A
message is acknowledged once it is in the prediction log and its answer in the stream of answers; who dies in between gets
it again. Its id is the prediction's, so the log's readers count it once, and the answer's, so the broker keeps one
(https://docs.nats.io/using-nats/developer/develop_jetstream/model_deep_dive#exactly-once-semantics).
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Any

import msgspec
import nats
from nats.errors import Error as NatsError
from nats.js.api import AckPolicy, ConsumerConfig
from nats.js.errors import NotFoundError, ServiceUnavailableError
from prometheus_client import Counter, Gauge

from serving.scoring.admission import LARGE_ROWS
from serving.traffic.carrier import LOOK_SECONDS
from serving.transports.dispatch import Dispatcher
from serving.transports.messages import take

logger = logging.getLogger("slipway")

ID = "Nats-Msg-Id"
AGAIN = (429, 503, 504)  # no place, no log, a halt, no time: it passes, however long it takes
DEFECT = 500  # it may pass; anything else is wrong with the message, and stays so
FETCH_SECONDS = 1.0
ACK_SECONDS = 30.0  # then the broker gives the message to somebody else
LAG_SECONDS = 5.0
FIRST_SECONDS = 10.0  # for a broker to answer at the start
LONGEST_PAUSE = 60.0


class StreamError(ValueError):
    """The broker cannot be used as asked; the message says why."""


class Stream(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where messages come from and answers go.

    Attributes:
        server: `nats://HOST:PORT` or `tls://...`, several with commas.
        stream: The stream's name. It must be there: how long it keeps what, is its owner's.
        subject: Which of its subjects; all where it is empty.
        consumer: The durable consumer that remembers what was taken; servers with the same one share the work.
        answers: The subject that answers are published to; none where it is empty.
        dead: The subject that messages go to that cannot be taken, with the reason; where it is empty they are only told.
        tries: How often a message is tried with which the server fails.
        credentials: A file of NATS credentials; "" for none.
    """

    server: str
    stream: str
    consumer: str
    subject: str = ""
    answers: str = ""
    dead: str = ""
    tries: int = 5
    credentials: str = ""


class Consumer:
    """One server's part in the work."""

    def __init__(self, app: Dispatcher, stream: Stream) -> None:
        self._app, self._stream = app, stream
        registry = app.model.metrics.registry
        self._taken = Counter("slipway_stream_messages", "Messages by what became of them", ["fate"], registry=registry)
        self._waiting = Gauge("slipway_stream_waiting", "Messages that nobody has taken yet", registry=registry)
        self._looked = float("-inf")

    async def run(self, stop: asyncio.Event) -> None:
        """Take messages until `stop` is set; what is in work then is finished. A broker that is away is waited for.

        Raises:
            StreamError: at the start: nobody answers, the broker has no JetStream, or not that stream.
        """
        connection = await self._connected()
        following = asyncio.ensure_future(self._follow())
        try:
            broker = connection.jetstream()
            messages = await self._subscribed(broker)
            while not stop.is_set():
                try:
                    await self._batch(broker, await messages.fetch(LARGE_ROWS, FETCH_SECONDS))
                    await self._look(messages)
                except TimeoutError:  # nothing came, or the broker is away
                    self._app.model.tick()
                except NatsError as error:
                    logger.warning("the broker: %r; what was not acknowledged comes again", error)
                    await asyncio.sleep(FETCH_SECONDS)
        finally:
            following.cancel()
            await connection.close()

    async def _follow(self) -> None:
        """Heed the traffic plan: messages are split, shadowed and halted as requests are."""
        while (carrier := self._app.pipeline.carrier) is not None:
            carrier.tick()
            await asyncio.sleep(LOOK_SECONDS)

    async def _connected(self) -> Any:
        connecting = nats.connect(
            self._stream.server.split(","),
            name=self._app.model.identity.release,
            user_credentials=self._stream.credentials or None,
            max_reconnect_attempts=-1,  # which also has it try for ever the first time
            error_cb=_told,
        )
        try:
            return await asyncio.wait_for(connecting, FIRST_SECONDS)
        except (OSError, TimeoutError):
            raise StreamError(f"no NATS server answers at {self._stream.server} within {FIRST_SECONDS:g} s") from None
        except NatsError as error:
            raise StreamError(f"{self._stream.server} refuses: {error}") from None

    async def _subscribed(self, broker: Any) -> Any:
        wanted, config = self._stream, ConsumerConfig(ack_policy=AckPolicy.EXPLICIT, ack_wait=ACK_SECONDS, max_deliver=-1)
        try:
            return await broker.pull_subscribe(wanted.subject or ">", wanted.consumer, wanted.stream, config)
        except NotFoundError:
            raise StreamError(f"{wanted.server} has no stream {wanted.stream!r}; make it first, it is its owner's") from None
        except ServiceUnavailableError:
            raise StreamError(f"{wanted.server} has no JetStream; start it with '-js' or 'jetstream {{}}'") from None
        except NatsError as error:
            raise StreamError(f"{wanted.server}: consumer {wanted.consumer!r} of {wanted.stream!r}: {error}") from None

    async def _batch(self, broker: Any, messages: list[Any]) -> None:
        """Take them together, publish their answers in their order, and acknowledge those that are done."""
        names = [_id(message) for message in messages]
        taken = await asyncio.gather(*(take(self._app, name, each.data) for name, each in zip(names, messages, strict=True)))
        fates = [
            self._fate(broker, name, each, status, answer)
            for name, each, (status, answer) in zip(names, messages, taken, strict=True)
        ]
        for failed in await asyncio.gather(*fates, return_exceptions=True):
            if isinstance(failed, BaseException):  # it was not acknowledged, and comes again
                logger.warning("an answer could not be published: %r", failed)

    async def _fate(self, broker: Any, name: str, message: Any, status: int, answer: bytes) -> None:
        tried = message.metadata.num_delivered
        if status == 200:
            if self._stream.answers:
                await broker.publish(self._stream.answers, answer, headers={ID: name})
            await message.ack()
            self._taken.labels("taken").inc()
        elif status in AGAIN or (status == DEFECT and tried < self._stream.tries):
            await message.nak(min(2.0 ** min(tried, 10), LONGEST_PAUSE))
            self._taken.labels("again").inc()
        else:
            if self._stream.dead:
                why = {ID: name, "Slipway-Status": str(status), "Slipway-Problem": _one_line(answer)}
                await broker.publish(self._stream.dead, message.data, headers=why)
            await message.term()
            self._taken.labels("dead").inc()

    async def _look(self, messages: Any) -> None:
        """How much waits, now and then."""
        if time.monotonic() - self._looked > LAG_SECONDS:
            self._looked = time.monotonic()
            self._waiting.set((await messages.consumer_info()).num_pending)
            self._app.model.tick()


def _id(message: Any) -> str:
    """The id that its sender gave it, or its place in the stream, which is the same whenever it comes."""
    given = (message.headers or {}).get(ID)
    return str(given) if given else f"{message.metadata.stream}-{message.metadata.sequence.stream}"


def _one_line(answer: bytes) -> str:
    return " ".join(answer.decode(errors="replace").split())[:1000]


async def _told(error: Exception) -> None:
    logger.warning("the broker: %r", error)
