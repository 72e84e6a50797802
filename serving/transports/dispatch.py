"""What every transport of HTTP requests does: route one to its protocol, and turn what went wrong into a status.

A transport brings method, path, headers and body; it knows how bodies are read and how a client that goes away is noticed.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Literal, NamedTuple

import msgspec

from serving.contract.contract import ContractError
from serving.options import Options
from serving.protocols import docs, internal, mlflow, open_inference
from serving.protocols.mlflow import MlflowScoring
from serving.protocols.native import Native
from serving.protocols.openapi import openapi
from serving.refusal import Refusal
from serving.scoring.admission import Overloaded, Place
from serving.scoring.beside import LARGE_BODY
from serving.scoring.job import Job
from serving.scoring.model import ServedModel
from serving.scoring.pipeline import CALLER, Pipeline, Submit, Visit
from serving.security.keys import Guard, Role
from serving.telemetry.telling import defect, told
from serving.telemetry.tracing import Tracing

logger = logging.getLogger("slipway")

Headers = list[tuple[str, str]]
NO_HEADERS: Headers = []
Answer = tuple[Headers | None, bytes]  # None: the headers of JSON
ReadBody = Callable[[Any, Place], Awaitable[bytes]]  # by the headers and the place of its request
Read = Callable[[bytes, Any], tuple[Job, Any]]
Write = Callable[[Job, Any], Answer]
Explain = Callable[[int, ContractError], tuple[int, Answer]]  # how a protocol tells what is wrong with a body


Asker = Role | Literal["inside"] | None  # who may get a path: whoever has the role, does not come through a gateway, anybody


class Route(NamedTuple):
    """What a protocol does with the bodies of one path; without `read` and `write` they are outcomes, never scored."""

    read: Read | None
    write: Write | None
    fault: Explain
    role: Role = "predict"
    internal: bool = False  # other servers of the use case ask: neither split, nor logged, nor counted as refused


PARTS = ("event_time", "prediction_ids", "kpis")  # of a request, beside the contract's columns, that a fault may name
BUDGET = "x-request-timeout-ms"
FORWARDED = "x-forwarded-for"  # every gateway says so
READ = (open_inference.JSON_LENGTH, "content-type")  # headers that protocols read; a thread beside the loop gets these
LONGEST_ID_HEADER = 16
OVERLOADED = Overloaded()


class Dispatcher:
    """One worker's application, without what brings its requests."""

    def __init__(self, model: ServedModel, options: Options, guard: Guard | None, tracing: Tracing | None = None) -> None:
        self.model, self._options, self._guard, self._tracing = model, options, guard, tracing
        self.pipeline = Pipeline(model, guard, options)
        self._known = frozenset((*model.contract.names, *model.contract.identifiers, *PARTS))
        self._native, self._open, self._mlflow = Native(model), open_inference.OpenInference(model), MlflowScoring(model)
        self._posts = self._post_routes()
        self._gets = self._get_routes()
        release = ("x-slipway-release", model.identity.release)
        self._json: Headers = [("content-type", "application/json"), release]
        self._release = release
        self._no_place = self._failure(OVERLOADED, _native_fault)[1]

    @property
    def body_bytes(self) -> int:
        """The largest body that is taken."""
        return self._options.body_bytes

    async def dispatch(
        self, method: str, path: str, headers: Any, read: ReadBody, submit: Submit, caller: str | None = None
    ) -> tuple[int, Headers, bytes]:
        """Status, headers and body of the answer; it does not raise.

        Args:
            method: The HTTP method.
            path: Without the query.
            headers: Their `get` takes a name in small letters.
            read: Reads the body, once its request has a place; raises `Refusal`.
            submit: How the transport waits for an answer while its client may go away.
            caller: Who asks, where that is decided before it came here; else it is asked for its key.
        """
        visit, place = Visit(time.perf_counter()), None
        route = self._posts.get(path) if method == "POST" else None
        if route is None:
            status, path, (own, body) = self._other(method, path, headers)
        elif (place := self._enter(route, headers)) is None:
            status, (own, body) = 429, self._no_place
        else:
            status, (own, body) = await self._post(
                route, path, headers, visit, partial(read, headers, place), submit, caller
            )
        self.pipeline.leave(visit, place, path, status)
        return status, own or self._json, body

    def _enter(self, route: Route, headers: Any) -> Place | None:
        length = headers.get("content-length", "")
        place = self.pipeline.admission.enter(int(length) if length.isdecimal() else 0)
        if place is None and not route.internal:
            self.pipeline.refused(OVERLOADED, "")
        return place

    async def _post(
        self,
        route: Route,
        path: str,
        headers: Any,
        visit: Visit,
        read_body: Callable[[], Awaitable[bytes]],
        submit: Submit,
        caller: str | None,
    ) -> tuple[int, Answer]:
        """Status and answer; it does not raise."""
        status, failed = 200, None
        span = self._tracing.start(f"POST {path}", headers.get("traceparent")) if self._tracing else None
        try:
            if caller is None:
                caller = self._internal(headers) if route.internal else self._caller(headers, route.role)
            visit.caller = caller
            body = await read_body()
            read, write = route.read, route.write
            if read is None or write is None:
                accepted = await self.pipeline.feedback(visit, body, self._native.read_feedback)
                return 200, (None, self._native.write_feedback(accepted))
            if (budget := headers.get(BUDGET)) is not None:
                visit.budget = _seconds(budget)
            header = headers.get if len(body) <= LARGE_BODY else {name: headers.get(name) for name in READ}.get
            submit = self.pipeline.batcher.submit if route.internal else submit
            return 200, await self.pipeline.answer(visit, body, lambda content: read(content, header), write, submit)
        except Exception as error:
            if not route.internal:
                self.pipeline.refused(error, visit.caller)
            status, answer = self._failure(error, route.fault)
            failed = error
            return status, answer
        finally:
            if status != 200 or span is not None or self._options.access_log:
                self.tell(path, status, visit, failed, span)

    def _other(self, method: str, path: str, headers: Any) -> tuple[int, str, Answer]:
        """Everything without a body; the path is the metrics' label, so an unknown one is named so."""
        try:
            if method in ("GET", "HEAD") and path in self._gets:
                role, get = self._gets[path]
                if role == "inside":
                    self.pipeline.inside(headers.get(FORWARDED) is not None)
                elif role is not None:
                    self._caller(headers, role)
                return 200, path, get()
            if path in self._posts or path in self._gets:
                allowed = "GET, HEAD" if path in self._gets else "POST"
                problem = _error(f"{method[:20]} is not allowed on {path}; send {allowed}")
                return 405, path, ([*self._json, ("allow", allowed)], problem)
            known = ", ".join([*self._posts, *self._gets])
            return 404, "unknown", (None, _error(f"no route {path[:100]}; known: {known}"))
        except Exception as error:
            status, answer = self._failure(error, _native_fault)
            self.tell(path, status, Visit(0.0), error, None)
            return status, path, answer

    def _caller(self, headers: Any, role: Role) -> str:
        return self.pipeline.caller(headers.get("authorization"), role, headers.get(CALLER))

    def _internal(self, headers: Any) -> str:
        return self.pipeline.internal(headers.get("authorization"), headers.get(FORWARDED) is not None)

    def _failure(self, error: Exception, fault: Explain) -> tuple[int, Answer]:
        """The answer to a request that failed: what the client did wrong is a 4xx, and never a 500."""
        if isinstance(error, Refusal):
            headers = list(self._json)
            if error.retry_after is not None:
                headers.append(("retry-after", str(error.retry_after)))
            if error.status == 408:
                headers.append(("connection", "close"))
            if error.status == 401:
                headers.append(("www-authenticate", "Bearer"))
            return error.status, (headers, _error(error.problem))
        if isinstance(error, ContractError):
            return fault(422, error)
        if isinstance(error, msgspec.ValidationError):
            return fault(422, ContractError(str(error)))
        if isinstance(error, msgspec.DecodeError | UnicodeDecodeError):
            return fault(400, ContractError(f"the body is not valid JSON: {error}"))
        if isinstance(error, RecursionError):
            return fault(400, ContractError("the body is nested too deeply"))
        return 500, (None, _error(f"internal error {defect(error)}; the server's log says more"))

    def tell(self, path: str, status: int, visit: Visit, failed: Exception | None, span: Any) -> None:
        """One line of the structured log: failures, and with `--access-log` everything; of an overload `_tick` tells."""
        ids = visit.ids(LONGEST_ID_HEADER)
        if (status != 200 and not isinstance(failed, Overloaded)) or self._options.access_log:
            problem = told(failed, self._known)[:500] if failed is not None else ""
            fields: dict[str, Any] = {"path": path, "status": status, "prediction_ids": ids, "problem": problem}
            if span is not None:
                fields["trace_id"] = span.trace_id
            level = logging.INFO if status < 500 else logging.ERROR
            logger.log(level, "request", extra={"fields": fields})
        if span is not None:
            span.end(status, ids, visit.rows, self.model.identity)

    def _post_routes(self) -> dict[str, Route]:
        native, opened, scoring = self._native, self._open, self._mlflow
        ids, asked = self._id_header, internal.Internal(self.model)
        packed: Headers = [("content-type", "application/msgpack"), ("x-slipway-release", self.model.identity.release)]
        infer = Route(
            lambda body, header: opened.read(body, header(open_inference.JSON_LENGTH)),
            lambda job, request: self._with_release(opened.write(job, request)),
            lambda status, error: (400, (None, open_inference.error_body(str(error)))),
        )
        invocations = Route(
            lambda body, header: scoring.read(body, header("content-type") or ""),
            lambda job, wanted: (ids(job), scoring.write(job, wanted)),
            lambda status, error: (400, (None, mlflow.error_body(str(error)))),
        )
        paths = open_inference.names(self.model)
        routes = {
            "/predict": Route(
                lambda body, _: (native.read(body), None), lambda job, _: (None, native.write(job)), _native_fault
            ),
            f"{paths['model']}/infer": infer,
            f"{paths['version']}/infer": infer,
            "/invocations": invocations,
            internal.PATH: Route(
                lambda body, _: (asked.read(body), None),
                lambda job, _: (packed, asked.write(job)),
                _native_fault,
                internal=True,
            ),
            "/feedback": Route(None, None, _native_fault, "feedback"),
        }
        if self._options.predict_route:
            routes[self._options.predict_route] = invocations
        return routes

    def _get_routes(self) -> dict[str, tuple[Asker, Callable[[], Answer]]]:
        model, paths = self.model, open_inference.names(self.model)
        name = msgspec.json.encode({"name": model.contract.use_case, "ready": True})
        identity = model.identity
        ready = {"ready": True, "bundle": model.digest, "version": identity.version, "release": identity.release}
        document = msgspec.json.encode(openapi(model, authenticated=self._guard is not None))
        version = f"{model.contract.use_case} {identity.version}".encode()
        metadata, server = open_inference.model_metadata(model), open_inference.server_metadata()

        def constant(body: bytes, kind: str = "application/json", more: Headers = NO_HEADERS) -> Callable[[], Answer]:
            headers = [("content-type", kind), ("x-slipway-release", identity.release), *more]
            return lambda: (headers, body)

        metrics = [("content-type", "text/plain; version=0.0.4; charset=utf-8")]
        routes: dict[str, tuple[Asker, Callable[[], Answer]]] = {
            "/livez": (None, constant(b'{"live":true}')),
            "/readyz": (None, constant(msgspec.json.encode(ready))),
            "/ping": (None, constant(b"\n")),
            "/health": (None, constant(b"\n")),
            "/version": (None, constant(version, "text/plain; charset=utf-8")),
            "/metrics": ("admin", lambda: (metrics, model.metrics.text())),
            internal.PLANS: ("inside", lambda: (None, msgspec.json.encode(model.metrics.plans()))),
            "/openapi.json": ("predict", constant(document)),  # it shows what training saw
            "/docs": (None, constant(docs.PAGE, "text/html; charset=utf-8", docs.HEADERS)),
            "/v2": (None, constant(server)),
            "/v2/health/live": (None, constant(b'{"live":true}')),
            "/v2/health/ready": (None, constant(b'{"ready":true}')),
        }
        for path in paths.values():
            routes[path] = ("predict", constant(metadata))
            routes[f"{path}/ready"] = (None, constant(name))
        if self._options.health_route:
            routes[self._options.health_route] = (None, constant(b"\n"))
        return routes

    def _with_release(self, answer: tuple[Headers, bytes]) -> Answer:
        return [*answer[0], self._release], answer[1]

    def _id_header(self, job: Job) -> Headers | None:
        """Where a protocol's body has no room for prediction ids."""
        ids = job.ids or []
        plain = len(ids) <= LONGEST_ID_HEADER
        return [*self._json, ("x-slipway-prediction-ids", ",".join(ids))] if plain else None


def _native_fault(status: int, error: ContractError) -> tuple[int, Answer]:
    """Every fault at once; the first one's place also stands beside the text."""
    where = {key: value for key, value in (("column", error.column), ("row", error.row)) if value is not None}
    body = {"error": str(error), **where, "faults": error.faults}
    return status, (None, msgspec.json.encode(body))


def _error(message: str) -> bytes:
    return msgspec.json.encode({"error": message})


def _seconds(milliseconds: str) -> float:
    try:
        budget = float(milliseconds) / 1000
    except ValueError:
        budget = -1.0
    if not 0 < budget < 1e9:
        raise ContractError(f"{BUDGET}: {milliseconds[:20]!r} is not a number of milliseconds above 0")
    return budget
