"""NATS JetStream: messages of a stream, taken at least once and answered once.

A pull consumer asks for a batch when the one before is done, so what the server cannot take on waits in the broker. A
message is acknowledged once it is in the prediction log and its answer in the stream of answers; who dies in between gets
it again. Its id is the prediction's, so the log's readers count it once, and the answer's, so the broker keeps one
(https://docs.nats.io/using-nats/developer/develop_jetstream/model_deep_dive#exactly-once-semantics).
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
import time
from typing import Any

import msgspec
import nats
from nats.errors import Error as NatsError
from nats.errors import MaxPayloadError
from nats.js.api import AckPolicy, ConsumerConfig
from nats.js.errors import NotFoundError, ServiceUnavailableError
from prometheus_client import Counter, Gauge

from serving.traffic.carrier import LOOK_SECONDS
from serving.transports.dispatch import Dispatcher
from serving.transports.messages import take_all

logger = logging.getLogger("slipway")

ID = "Nats-Msg-Id"
AGAIN = (429, 503, 504)  # no place, no log, a halt, no time: it passes, however long it takes
DEFECT = 500  # it may pass; anything else is wrong with the message, and stays so
BATCH = 256
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
        answers: The subject that answers are published to, of another stream; none where it is empty.
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
        self._waiting = Gauge("slipway_stream_waiting", "Messages that nobody has finished", registry=registry)
        self._looked = float("-inf")
        self._failures: dict[str, int] = {}  # by message, how often this server failed with it

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
                if connection.is_closed:
                    raise StreamError(f"{self._where} has ended the connection for good")
                if following.done():
                    following.result()
                try:
                    await self._batch(broker, await messages.fetch(BATCH, FETCH_SECONDS))
                    await self._look(messages)
                except TimeoutError:  # nothing came, or the broker is away
                    self._app.model.tick()
                except NotFoundError:
                    raise StreamError(f"consumer {self._stream.consumer!r} was deleted while it was served") from None
                except NatsError as error:
                    logger.warning("the broker: %r; what was not acknowledged comes again", error)
                    await asyncio.sleep(FETCH_SECONDS)
        finally:
            following.cancel()
            if (carrier := self._app.pipeline.carrier) is not None:
                carrier.close()
            await connection.close()

    async def _follow(self) -> None:
        """Heed the traffic plan: messages are split, shadowed and halted as requests are. Ends with whoever started it."""
        parent = os.getppid()
        while True:
            if (carrier := self._app.pipeline.carrier) is not None:
                carrier.tick()
            if os.getppid() != parent:
                raise StreamError("the process that started this server is gone, and with it whoever could stop it")
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
            raise StreamError(f"no NATS server answers at {self._where} within {FIRST_SECONDS:g} s") from None
        except NatsError as error:
            raise StreamError(f"{self._where} refuses: {error}") from None

    async def _subscribed(self, broker: Any) -> Any:
        """The consumer, once it is known that what it leads to can hold."""
        wanted, config = self._stream, ConsumerConfig(ack_policy=AckPolicy.EXPLICIT, ack_wait=ACK_SECONDS, max_deliver=-1)
        try:
            for subject in filter(None, (wanted.answers, wanted.dead)):
                await self._check(broker, subject)
            messages = await broker.pull_subscribe(wanted.subject or ">", wanted.consumer, wanted.stream, config)
            known = (await messages.consumer_info()).config
        except NotFoundError:
            raise StreamError(f"{self._where} has no stream {wanted.stream!r}; make it first, it is its owner's") from None
        except ServiceUnavailableError:
            raise StreamError(f"{self._where} has no JetStream; start it with '-js' or 'jetstream {{}}'") from None
        except NatsError as error:
            raise StreamError(f"{self._where}: consumer {wanted.consumer!r} of {wanted.stream!r}: {error}") from None
        if known.filter_subject != (wanted.subject or ">"):
            raise StreamError(
                f"{self._where}: consumer {wanted.consumer!r} of {wanted.stream!r} takes {known.filter_subject!r}, not "
                f"{wanted.subject or '>'!r}; delete it, or name another, and it begins with the first message again"
            )
        return messages

    async def _check(self, broker: Any, subject: str) -> None:
        """Raise `StreamError` where nothing keeps the subject, or the very stream does that is read."""
        try:
            found = await broker.find_stream_name_by_subject(subject)
        except NotFoundError:
            raise StreamError(f"{self._where}: no stream keeps subject {subject!r}; make one first") from None
        if found == self._stream.stream:
            raise StreamError(
                f"{self._where}: subject {subject!r} is of {found!r} itself, which would answer its own answers; let "
                "another stream keep it"
            )

    async def _batch(self, broker: Any, messages: list[Any]) -> None:
        """Take them together, publish their answers in their order, and acknowledge those that are done."""
        names = [_id(message) for message in messages]
        holding = asyncio.ensure_future(_hold(messages))
        try:
            taken = await take_all(self._app, [(name, each.data) for name, each in zip(names, messages, strict=True)])
            fates = [
                self._fate(broker, name, each, status, answer)
                for name, each, (status, answer) in zip(names, messages, taken, strict=True)
            ]
            for failed in await asyncio.gather(*fates, return_exceptions=True):
                if isinstance(failed, BaseException):  # it was not acknowledged, and comes again
                    logger.warning("what became of a message could not be told to the broker: %r", failed)
        finally:
            holding.cancel()

    async def _fate(self, broker: Any, name: str, message: Any, status: int, answer: bytes) -> None:
        if status == DEFECT:
            self._failures[name] = self._failures.get(name, 0) + 1
        if status == 200:
            await self._answer(broker, name, message, answer)
        elif status in AGAIN or (status == DEFECT and self._failures[name] < self._stream.tries):
            await message.nak(min(2.0 ** min(message.metadata.num_delivered, 10), LONGEST_PAUSE))
            self._taken.labels("again").inc()
        else:
            await self._end(broker, name, message, status, answer)

    async def _answer(self, broker: Any, name: str, message: Any, answer: bytes) -> None:
        try:
            if self._stream.answers:
                await broker.publish(self._stream.answers, answer, headers={ID: name})
        except MaxPayloadError:
            await self._end(broker, name, message, 413, b"its answer is larger than the broker takes")
            return
        await message.ack()
        self._failures.pop(name, None)
        self._taken.labels("taken").inc()

    async def _end(self, broker: Any, name: str, message: Any, status: int, why: bytes) -> None:
        """The message is dead: it does not come again."""
        if self._stream.dead:
            headers = {
                ID: f"{name} dead",
                "Slipway-Id": name,
                "Slipway-Status": str(status),
                "Slipway-Problem": _one_line(why),
            }
            try:
                await broker.publish(self._stream.dead, message.data, headers=headers)
            except MaxPayloadError:  # it fits into the stream, but not with its reason
                await broker.publish(self._stream.dead, b"", headers=headers)
        await message.term()
        self._failures.pop(name, None)
        self._taken.labels("dead").inc()

    async def _look(self, messages: Any) -> None:
        """How much waits, now and then: what nobody was given, and what somebody has and did not finish."""
        if time.monotonic() - self._looked > LAG_SECONDS:
            self._looked = time.monotonic()
            found = await messages.consumer_info()
            self._waiting.set(found.num_pending + found.num_ack_pending)
            self._app.model.tick()

    @property
    def _where(self) -> str:
        """The servers, without what a URL may hold of a password."""
        return re.sub(r"//[^@/,]*@", "//", self._stream.server)


def _id(message: Any) -> str:
    """The id that its sender gave it, or its place in the stream, which is the same whenever it comes."""
    given = (message.headers or {}).get(ID)
    return str(given) if given else f"{message.metadata.stream}-{message.metadata.sequence.stream}"


async def _hold(messages: list[Any]) -> None:
    """Tell the broker that they are in work, or it gives them to somebody else after `ACK_SECONDS`."""
    while True:
        await asyncio.sleep(ACK_SECONDS / 3)
        for message in messages:
            if not message.is_acked:
                await message.in_progress()


def _one_line(answer: bytes) -> str:
    return " ".join(answer.decode(errors="replace").split())[:1000]


async def _told(error: Exception) -> None:
    logger.warning("the broker: %r", error)
