"""The transport: Granian's RSGI. Routes a request to its protocol, and turns what went wrong into a status.

RSGI specification: https://github.com/emmett-framework/granian/blob/master/docs/spec/RSGI.md
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from serving import native, open_inference
from serving.bundle import read_bundle
from serving.contract import ContractError
from serving.log import PredictionLog
from serving.model import Identity, ServedModel

MAX_BODY_BYTES = 32 * 1024 * 1024

Handler = Callable[[ServedModel, bytes, str], bytes]


class App:
    """One worker's application."""

    def __init__(self, model: ServedModel) -> None:
        self.model = model
        name = model.contract.use_case
        self._posts: dict[str, Handler] = {
            "/predict": native.predict,
            "/feedback": native.feedback,
            f"/v2/models/{name}/infer": open_inference.infer,
            f"/v2/models/{name}/versions/{model.identity.version}/infer": open_inference.infer,
        }
        self._gets: dict[str, Callable[[], bytes]] = {
            "/livez": lambda: b'{"live":true}',
            "/readyz": self._ready,
            "/v2": open_inference.server_metadata,
            "/v2/health/live": lambda: b'{"live":true}',
            "/v2/health/ready": lambda: b'{"ready":true}',
            f"/v2/models/{name}": lambda: open_inference.model_metadata(model),
            f"/v2/models/{name}/ready": lambda: msgspec.json.encode({"name": name, "ready": True}),
        }
        release = ("x-slipway-release", model.identity.release)
        self._json = [("content-type", "application/json"), release]
        self._text = [("content-type", "text/plain; version=0.0.4; charset=utf-8"), release]

    def _ready(self) -> bytes:
        return msgspec.json.encode({"ready": True, "bundle": self.model.bundle.digest, **_fields(self.model.identity)})

    async def __rsgi__(self, scope: Any, protocol: Any) -> None:
        started = time.perf_counter()
        path, route = scope.path, scope.path
        if scope.method == "POST" and path in self._posts:
            status, body = await self._post(self._posts[path], scope, protocol)
        elif scope.method == "GET" and path in self._gets:
            status, body = 200, self._gets[path]()
        elif scope.method == "GET" and path == "/metrics":
            protocol.response_bytes(200, self._text, self.model.metrics.text())
            return
        elif path in self._posts or path in self._gets or path == "/metrics":
            status, body = 405, _error(f"{scope.method} is not allowed on {path}")
        else:
            known = ", ".join([*self._posts, *self._gets, "/metrics"])
            status, body, route = 404, _error(f"no route {path}; known: {known}"), "unknown"
        protocol.response_bytes(status, self._json, body)
        metrics = self.model.metrics
        metrics.requests.labels(route, str(status)).inc()
        metrics.latency.labels(route).observe(time.perf_counter() - started)

    async def _post(self, handler: Handler, scope: Any, protocol: Any) -> tuple[int, bytes]:
        length = scope.headers.get("content-length", "0")
        if length.isdigit() and int(length) > MAX_BODY_BYTES:
            return 413, _error(f"a body of {length} bytes; at most {MAX_BODY_BYTES} are taken")
        body = await protocol()
        try:
            return 200, handler(self.model, body, scope.headers.get("x-slipway-caller", ""))
        except ContractError as error:
            return 422, _error(str(error), column=error.column, row=error.row)
        except msgspec.ValidationError as error:
            return 422, _error(str(error))
        except msgspec.DecodeError as error:
            return 400, _error(f"the body is not valid JSON: {error}")
        except OSError as error:
            return 503, _error(f"the prediction log cannot be written, so nothing is answered: {error.strerror}")


def _fields(identity: Identity) -> dict[str, str]:
    return {"version": identity.version, "release": identity.release}


def _error(message: str, **where: Any) -> bytes:
    return msgspec.json.encode({"error": message, **{key: value for key, value in where.items() if value is not None}})


def create() -> App:
    """The application of a worker process, configured by the environment that `serving.__main__` sets."""
    bundle = read_bundle(Path(os.environ["SLIPWAY_BUNDLE"]))
    identity = Identity(os.environ["SLIPWAY_MODEL_VERSION"], os.environ["SLIPWAY_RELEASE"])
    return App(ServedModel(bundle, identity, PredictionLog(Path(os.environ["SLIPWAY_LOG"]))))
