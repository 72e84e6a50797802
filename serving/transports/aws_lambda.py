"""AWS Lambda: events of API Gateway (REST and HTTP APIs), function URLs and load balancers, batches of SQS and Kinesis.

Nothing stands between an event and the dispatcher, and nothing random is made or connected before the first event, so a
function may be copied once it is loaded (SnapStart). Payloads: https://docs.aws.amazon.com/lambda/latest/dg/lambda-services.html
"""

from __future__ import annotations

import asyncio
import base64
import logging
from collections.abc import Awaitable, Mapping, Sequence
from functools import cached_property
from typing import Any, NamedTuple

import msgspec

from serving.refusal import Refusal
from serving.scoring.admission import Place
from serving.scoring.job import Job
from serving.scoring.model import LONGEST_ID
from serving.transports.dispatch import Dispatcher, Headers

logger = logging.getLogger("slipway")

Event = Mapping[str, Any]


class Message(NamedTuple):
    """What one record of a batch brings: its id, what the queue knows it by, its body, and whom it must not overtake."""

    id: str
    receipt: str
    body: bytes
    group: str


class _Kind(msgspec.Struct):
    labels: msgspec.Raw = msgspec.Raw()


class Function(Dispatcher):
    """One function, which handles one event at a time."""

    @cached_property
    def _loop(self) -> asyncio.AbstractEventLoop:
        return asyncio.new_event_loop()

    def __call__(self, event: Event, context: Any) -> dict[str, Any]:
        """What Lambda calls.

        Raises:
            ValueError: an event of another form.
        """
        answer = self._loop.run_until_complete(self._batch(event) if "Records" in event else self._request(event))
        self.model.tick()  # what was refused is logged now: the process may never wake up again
        return answer

    async def _request(self, event: Event) -> dict[str, Any]:
        method, path, headers = _asked(event)
        body = base64.b64decode(event["body"]) if event.get("isBase64Encoded") else (event.get("body") or "").encode()
        headers["content-length"] = str(len(body))
        status, told, content = await self._answer(method, path, headers, body, self.pipeline.submit)
        answer = {"statusCode": status, "body": content.decode(), "isBase64Encoded": False}
        if "multiValueHeaders" in event and "headers" not in event:  # a load balancer that was told to use them
            return answer | {"multiValueHeaders": {name: [value] for name, value in told}}
        return answer | {"headers": dict(told)}

    async def _batch(self, event: Event) -> dict[str, Any]:
        """Messages that could not be answered or logged, so that the queue sends them again, and only them."""
        messages, ordered = _messages(event["Records"])
        taken = [await each for each in [asyncio.ensure_future(self._take(message)) for message in messages]]
        failed = {message.receipt for message, well in zip(messages, taken, strict=True) if not well}
        if ordered:  # whoever comes behind one that failed in its own order comes again, too
            failed = _behind(messages, failed)
        return {"batchItemFailures": [{"itemIdentifier": each.receipt} for each in messages if each.receipt in failed]}

    async def _take(self, message: Message) -> bool:
        """Whether a message was taken: rows to score as `POST /predict` has them, or outcomes as `POST /feedback`."""

        def submit(job: Job) -> Awaitable[None]:
            if job.ids is None:
                job.ids = _ids(message.id, len(job.rows))
            return self.pipeline.submit(job)

        headers = {"content-length": str(len(message.body))}
        path = "/feedback" if _are_outcomes(message.body) else "/predict"
        status, _, answer = await self._answer("POST", path, headers, message.body, submit)
        if status != 200:
            fields = {"message": message.id, "status": status, "problem": answer.decode()[:500]}
            logger.error("a message was not taken", extra={"fields": fields})
        return status == 200

    async def _answer(
        self, method: str, path: str, headers: dict[str, str], body: bytes, submit: Any
    ) -> tuple[int, Headers, bytes]:
        async def read(headers: Any, place: Place) -> bytes:
            if headers.get("content-encoding") not in (None, "identity"):
                raise Refusal(415, "compressed bodies are not taken")
            if len(body) > self._options.body_bytes:
                raise Refusal(413, f"the body is larger than {self._options.body_bytes} bytes")
            return body

        return await self.dispatch(method, path, headers, read, submit)


def _asked(event: Event) -> tuple[str, str, dict[str, str]]:
    """Method, path and headers of a request."""
    many = event.get("multiValueHeaders") or {}
    headers = {name.lower(): value for name, value in (event.get("headers") or {}).items()}
    headers = headers or {name.lower(): values[-1] for name, values in many.items() if values}
    context = event.get("requestContext", {})
    if event.get("version") == "2.0":
        stage = f"/{context.get('stage', '$default')}"
        path = event["rawPath"]
        return context["http"]["method"], path.removeprefix(stage) if path.startswith(f"{stage}/") else path, headers
    if "httpMethod" in event:
        return event["httpMethod"], event["path"], headers
    raise ValueError(
        f"an event with {', '.join(sorted(event)) or 'nothing'}: it is none of API Gateway, a function URL, a load "
        "balancer, SQS or Kinesis"
    )


def _messages(records: Sequence[Event]) -> tuple[list[Message], bool]:
    """The messages of a batch, and whether they have an order that must hold."""
    source = records[0].get("eventSource") if records else "aws:sqs"
    if source == "aws:sqs":
        found = [
            Message(
                each["messageId"], each["messageId"], each["body"].encode(), each["attributes"].get("MessageGroupId", "")
            )
            for each in records
        ]
        return found, any(each.group for each in found)
    if source == "aws:kinesis":
        return [
            Message(each["eventID"], each["kinesis"]["sequenceNumber"], base64.b64decode(each["kinesis"]["data"]), "")
            for each in records
        ], True
    raise ValueError(f"records of {source}: only those of aws:sqs and aws:kinesis are taken")


def _behind(messages: Sequence[Message], failed: set[str]) -> set[str]:
    """Those that failed, and all that come behind one of their own group."""
    stopped: set[str] = set()
    for message in messages:
        if message.receipt in failed:
            stopped.add(message.group)
        elif message.group in stopped:
            failed = failed | {message.receipt}
    return failed


def _ids(message: str, rows: int) -> list[str]:
    """A message's rows are called after it, so one that comes twice is counted once."""
    name = message[-(LONGEST_ID - 8) :]
    return [name] if rows == 1 else [f"{name}-{row}" for row in range(rows)]


def _are_outcomes(body: bytes) -> bool:
    try:
        return bool(msgspec.json.decode(body, type=_Kind).labels)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False  # and reading it as rows says what is wrong with it
