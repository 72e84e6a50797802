"""The Open Inference Protocol v2 over gRPC, on a port of its own in the worker's event loop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
from google.protobuf.message import DecodeError

from serving.contract.contract import ContractError
from serving.protocols import tensors
from serving.refusal import Refusal
from serving.scoring.admission import Overloaded
from serving.scoring.job import Job
from serving.scoring.pipeline import CALLER, Visit
from serving.security.keys import Guard
from serving.telemetry.telling import defect
from serving.telemetry.tracing import Tracing
from serving.transports import open_inference_pb2 as messages

if TYPE_CHECKING:
    from serving.transports.http import App

METHOD = "inference.GRPCInferenceService/ModelInfer"
SHOWN_IDS = 16  # in a span
CODES = {
    400: grpc.StatusCode.INVALID_ARGUMENT,
    401: grpc.StatusCode.UNAUTHENTICATED,
    403: grpc.StatusCode.PERMISSION_DENIED,
    404: grpc.StatusCode.NOT_FOUND,
    413: grpc.StatusCode.INVALID_ARGUMENT,
    429: grpc.StatusCode.RESOURCE_EXHAUSTED,
    499: grpc.StatusCode.CANCELLED,
    503: grpc.StatusCode.UNAVAILABLE,
    504: grpc.StatusCode.DEADLINE_EXCEEDED,
}
CONTENTS = {
    "BOOL": "bool_contents",
    "INT8": "int_contents",
    "INT16": "int_contents",
    "INT32": "int_contents",
    "INT64": "int64_contents",
    "UINT8": "uint_contents",
    "UINT16": "uint_contents",
    "UINT32": "uint_contents",
    "UINT64": "uint64_contents",
    "FP32": "fp32_contents",
    "FP64": "fp64_contents",
    "BYTES": "bytes_contents",
}


class Service:
    """The six calls of `GRPCInferenceService`."""

    def __init__(self, app: App, guard: Guard | None, tracing: Tracing | None) -> None:
        self._app, self._model, self._pipeline = app, app.model, app.pipeline
        self._guard, self._tracing = guard, tracing
        self._info = tensors.metadata(app.model)

    async def start(self, address: str, tls: tuple[Path, Path] | None, most_bytes: int) -> grpc.aio.Server:
        """Listen; several workers share the port."""
        server = grpc.aio.server(
            options=[("grpc.max_receive_message_length", most_bytes), ("grpc.so_reuseport", 1)],
            maximum_concurrent_rpcs=1024,
        )
        calls: dict[str, tuple[Callable[..., Any], Any]] = {
            "ServerLive": (self._live, messages.ServerLiveRequest),
            "ServerReady": (self._ready, messages.ServerReadyRequest),
            "ModelReady": (self._model_ready, messages.ModelReadyRequest),
            "ServerMetadata": (self._server_metadata, messages.ServerMetadataRequest),
            "ModelMetadata": (self._model_metadata, messages.ModelMetadataRequest),
        }
        handlers = {
            name: grpc.unary_unary_rpc_method_handler(self._plain(name, call, kind), response_serializer=_serialize)
            for name, (call, kind) in calls.items()
        }
        # Requests come as bytes: a digest is taken of them, and what cannot be parsed is told in our words.
        handlers["ModelInfer"] = grpc.unary_unary_rpc_method_handler(self._infer, response_serializer=_serialize)
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("inference.GRPCInferenceService", handlers),))
        if tls:
            credentials = grpc.ssl_server_credentials([(tls[1].read_bytes(), tls[0].read_bytes())])
            server.add_secure_port(address, credentials)
        else:
            server.add_insecure_port(address)
        await server.start()
        return server

    def _plain(self, name: str, call: Callable[[Any], Any], kind: Any) -> Callable[[bytes, Any], Awaitable[Any]]:
        async def handler(body: bytes, context: Any) -> Any:
            try:
                if self._guard and name == "ModelMetadata":
                    self._guard.admit(_metadata(context, "authorization"), "predict")
                return call(kind.FromString(body))
            except Exception as error:
                code, problem = _failure(error)[1:]
                return await context.abort(code, problem)

        return handler

    def _live(self, _: Any) -> Any:
        return messages.ServerLiveResponse(live=True)

    def _ready(self, _: Any) -> Any:
        return messages.ServerReadyResponse(ready=True)

    def _model_ready(self, request: Any) -> Any:
        self._known(request.name, request.version)
        return messages.ModelReadyResponse(ready=True)

    def _server_metadata(self, _: Any) -> Any:
        return messages.ServerMetadataResponse(name="slipway", version="2")

    def _model_metadata(self, request: Any) -> Any:
        self._known(request.name, request.version)
        kind, info = messages.ModelMetadataResponse.TensorMetadata, self._info
        return messages.ModelMetadataResponse(
            name=info["name"],
            versions=info["versions"],
            platform=info["platform"],
            inputs=[kind(**tensor) for tensor in info["inputs"]],
            outputs=[kind(**tensor) for tensor in info["outputs"]],
        )

    async def _infer(self, body: bytes, context: Any) -> Any:
        visit, status = Visit(time.perf_counter()), 500
        place = self._pipeline.admission.enter(len(body))
        span = self._tracing.start(METHOD, _metadata(context, "traceparent")) if self._tracing else None
        try:
            if place is None:
                raise Overloaded()
            said, authorization = _metadata(context, CALLER), _metadata(context, "authorization")
            visit.caller, visit.budget = self._pipeline.caller(authorization, "predict", said), context.time_remaining()
            answer = await self._pipeline.answer(visit, body, self._parse, self._write, self._submit)
            status = 200
            return answer
        except asyncio.CancelledError:
            status = 499
            if visit.job is not None:
                visit.job.gone = True
            raise
        except Exception as error:
            self._pipeline.refused(error, visit.caller)
            status, code, problem = _failure(error)
            self._app.tell(METHOD, status, visit, error, None)
            await context.abort(code, problem)
        finally:
            if span is not None:
                span.end(status, visit.ids(SHOWN_IDS), visit.rows, self._model.identity)
            self._pipeline.leave(visit, place, "grpc ModelInfer", status)

    def _submit(self, job: Job) -> Awaitable[None]:
        """A call that is cancelled must not take its batch with it."""
        return asyncio.shield(self._pipeline.submit(job))

    def _parse(self, body: bytes) -> tuple[Job, Any]:
        try:
            request = messages.ModelInferRequest.FromString(body)
        except DecodeError:
            raise ContractError("not a ModelInferRequest") from None
        self._known(request.model_name, request.model_version)
        return self._read(request), request

    def _known(self, name: str, version: str) -> None:
        model = self._model
        if name != model.contract.use_case or version not in ("", model.identity.version):
            wanted = f"{name[:40]!r} version {version[:20]!r}" if version else repr(name[:40])
            known = f"{model.contract.use_case!r} version {model.identity.version!r}"
            raise Refusal(404, f"no model {wanted}; this server has {known}")

    def _read(self, request: Any) -> Job:
        parameters = {key: _value(each) for key, each in request.parameters.items()}
        wanted = [output.name for output in request.outputs]
        tensors.check_outputs(self._model, wanted, tensors.wants_reasons(parameters))
        raws = request.raw_input_contents
        if raws and len(raws) != len(request.inputs):
            raise ContractError(f"{len(raws)} raw_input_contents for {len(request.inputs)} inputs")
        columns: dict[str, Any] = {}
        rows: dict[str, int] = {}
        for number, tensor in enumerate(request.inputs):
            name = tensor.name
            if name in columns:
                raise ContractError("is there twice", name)
            rows[name] = tensors.rows_of(tensor.shape, name)
            if raws:
                columns[name] = tensors.unpack(raws[number], tensor.datatype, tensor.shape, name)
            else:
                columns[name] = _contents(tensor)
        return tensors.read(self._model, columns, rows, parameters)

    def _write(self, job: Job, request: Any) -> Any:
        """Raw contents where the request has them, as Triton does; else typed contents."""
        model, raw = self._model, bool(request.raw_input_contents)
        text = messages.InferParameter
        answer = messages.ModelInferResponse(
            model_name=model.contract.use_case, model_version=model.identity.version, id=request.id
        )
        answer.parameters["release"].CopyFrom(text(string_param=model.identity.release))
        answer.parameters["prediction_ids"].CopyFrom(text(string_param=",".join(job.ids or [])))
        for output in tensors.outputs(model, job, [output.name for output in request.outputs]):
            entry = answer.outputs.add(name=output.name, datatype=output.datatype, shape=output.shape)
            if raw:
                answer.raw_output_contents.append(output.raw())
            elif output.datatype == "BYTES":
                entry.contents.bytes_contents.extend(value.encode() for value in output.data)
            else:
                getattr(entry.contents, CONTENTS[output.datatype]).extend(output.data)
        return answer


def _failure(error: Exception) -> tuple[int, grpc.StatusCode, str]:
    """Status in HTTP's terms and in gRPC's, and what the client is told: of a defect its id, never a text of Python's."""
    if isinstance(error, Refusal):
        return error.status, CODES[error.status], error.problem
    if isinstance(error, ContractError | DecodeError):
        return 400, CODES[400], str(error)
    return 500, grpc.StatusCode.INTERNAL, f"internal error {defect(error)}; the server's log says more"


def _serialize(message: Any) -> bytes:
    return message.SerializeToString()


def _contents(tensor: Any) -> Any:
    tensors.known_datatype(tensor.datatype, tensor.name)
    if tensor.datatype not in CONTENTS:
        raise ContractError(f"{tensor.datatype} has no typed contents; send it in raw_input_contents", tensor.name)
    values = list(getattr(tensor.contents, CONTENTS[tensor.datatype]))
    if tensor.datatype == "BYTES":
        return [tensors.text(value, tensor.name) for value in values]
    return tensors.typed(values, tensor.datatype, tensor.name)


def _value(parameter: Any) -> Any:
    return getattr(parameter, parameter.WhichOneof("parameter_choice") or "string_param")


def _metadata(context: Any, name: str) -> str | None:
    for key, value in context.invocation_metadata() or ():
        if key == name:
            return str(value)
    return None
