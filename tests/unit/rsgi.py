"""Requests to the application without a socket: what Granian hands over, made by hand."""

from __future__ import annotations

import asyncio
import json
from types import SimpleNamespace

from granian.rsgi import ProtocolClosed


class Protocol:
    """One request's body and answer. Its parts come one a turn of the loop; a function is waited for, None never comes."""

    def __init__(self, parts, gone=None):
        self.parts, self.gone, self.answer = list(parts), gone or asyncio.Event(), None

    async def __call__(self):
        return b"".join([part async for part in self])

    async def __aiter__(self):
        for part in self.parts:
            if part is None:
                await self.gone.wait()
                raise ProtocolClosed
            await asyncio.sleep(0)
            if callable(part):
                await part()
                continue
            yield part

    async def client_disconnect(self):
        await self.gone.wait()

    def response_bytes(self, status, headers, body):
        self.answer = SimpleNamespace(status=status, headers=dict(headers), body=body)


async def ask(app, path, body=b"", method="POST", parts=None, gone=None, **headers):
    """The answer to a request; `parts` is a body that is sent without saying its length."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    if parts is None:
        named["content-length"] = str(len(body))
    protocol = Protocol([body] if parts is None else parts, gone)
    await app.__rsgi__(SimpleNamespace(path=path, method=method, headers=named), protocol)
    return protocol.answer


def predict_body(*records, **more):
    return json.dumps({"records": records, **more}).encode()
