"""AWS Lambda: events of API Gateway (REST and HTTP APIs), function URLs and load balancers, batches of SQS and Kinesis.

Nothing stands between an event and the dispatcher, and nothing random is made or connected before the first event, so a
function may be copied once it is loaded (SnapStart). Payloads: https://docs.aws.amazon.com/lambda/latest/dg/lambda-services.html
"""

from __future__ import annotations

import asyncio
import base64
import logging
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, NamedTuple

from serving.protocols import internal
from serving.security.keys import KeysError
from serving.transports.dispatch import Dispatcher, Headers
from serving.transports.messages import take_all, whole

logger = logging.getLogger("slipway")

Event = Mapping[str, Any]
INTERNAL = (internal.PATH, internal.PLANS)  # what servers of a use case ask each other: a function has no such peers


class Message(NamedTuple):
    """What one record of a batch brings: its id, what the queue knows it by, its body, and whom it must not overtake."""

    id: str
    receipt: str
    body: bytes
    group: str


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
        self._look_at_keys()
        answer = self._loop.run_until_complete(self._batch(event) if "Records" in event else self._request(event))
        self.model.tick()  # what was refused is logged now: the process may never wake up again
        return answer

    def _look_at_keys(self) -> None:
        if self._guard is not None:
            try:
                self._guard.tick()
            except KeysError as error:
                logger.error("the key file cannot be read, the keys from before stay: %s", error)

    async def _request(self, event: Event) -> dict[str, Any]:
        method, path, headers = _asked(event)
        if path in INTERNAL:
            return _answered(event, 404, [], b"")
        text = event.get("body") or ""
        try:
            body = base64.b64decode(text, validate=True) if event.get("isBase64Encoded") else text.encode()
        except ValueError:
            return _answered(event, 400, [], b"the body is not base64, as its event says")
        headers["content-length"] = str(len(body))
        read = whole(body, self.body_bytes)
        return _answered(event, *await self.dispatch(method, path, headers, read, self.pipeline.submit))

    async def _batch(self, event: Event) -> dict[str, Any]:
        """Messages that could not be answered or logged, so that the queue sends them again, and only them."""
        messages, ordered = _messages(event["Records"])
        taken = await take_all(self, [(message.id, message.body) for message in messages])
        failed = {message.receipt for message, (status, _) in zip(messages, taken, strict=True) if status != 200}
        if ordered:  # whoever comes behind one that failed in its own order comes again, too
            failed = _behind(messages, failed)
        return {"batchItemFailures": [{"itemIdentifier": each.receipt} for each in messages if each.receipt in failed]}


def _answered(event: Event, status: int, headers: Headers, body: bytes) -> dict[str, Any]:
    """The answer in the event's own form; what is no text is base64."""
    try:
        answer: dict[str, Any] = {"statusCode": status, "body": body.decode(), "isBase64Encoded": False}
    except UnicodeDecodeError:
        answer = {"statusCode": status, "body": base64.b64encode(body).decode(), "isBase64Encoded": True}
    if "multiValueHeaders" in event and "headers" not in event:  # a load balancer that was told to use them
        return answer | {"multiValueHeaders": {name: [value] for name, value in headers}}
    return answer | {"headers": dict(headers)}


def _asked(event: Event) -> tuple[str, str, dict[str, str]]:
    """Method, path and headers of a request."""
    many = event.get("multiValueHeaders") or {}
    headers = {name.lower(): value for name, value in (event.get("headers") or {}).items()}
    headers = headers or {name.lower(): values[-1] for name, values in many.items() if values}
    context = event.get("requestContext") or {}
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
