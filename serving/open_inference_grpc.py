"""The Open Inference Protocol v2 over gRPC, on a port of its own in the worker's event loop."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import grpc
from google.protobuf.message import DecodeError

from serving import open_inference_pb2 as messages
from serving import tensors
from serving.admission import Admission, overloaded
from serving.batcher import Batcher
from serving.contract import ContractError
from serving.job import Job
from serving.keys import Guard
from serving.model import ServedModel
from serving.refusal import Refusal
from serving.tracing import Tracing

logger = logging.getLogger("slipway")
MAX_MESSAGE_BYTES = 32 * 1024 * 1024
METHOD = "inference.GRPCInferenceService/ModelInfer"
SHOWN_IDS = 16  # in a span
CODES = {
    401: grpc.StatusCode.UNAUTHENTICATED,
    403: grpc.StatusCode.PERMISSION_DENIED,
    404: grpc.StatusCode.NOT_FOUND,
    429: grpc.StatusCode.RESOURCE_EXHAUSTED,
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

    def __init__(
        self,
        model: ServedModel,
        batcher: Batcher,
        admission: Admission,
        guard: Guard | None,
        tracing: Tracing | None,
    ) -> None:
        self._model, self._batcher, self._admission = model, batcher, admission
        self._guard, self._tracing = guard, tracing
        self._info = tensors.metadata(model)

    async def start(self, address: str, tls: tuple[Path, Path] | None) -> grpc.aio.Server:
        """Listen; several workers share the port."""
        server = grpc.aio.server(
            options=[("grpc.max_receive_message_length", MAX_MESSAGE_BYTES), ("grpc.so_reuseport", 1)],
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
            name: grpc.unary_unary_rpc_method_handler(
                self._plain(name, call), request_deserializer=kind.FromString, response_serializer=_serialize
            )
            for name, (call, kind) in calls.items()
        }
        # The request comes as bytes: its digest is taken before it is parsed.
        handlers["ModelInfer"] = grpc.unary_unary_rpc_method_handler(self._infer, response_serializer=_serialize)
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("inference.GRPCInferenceService", handlers),))
        if tls:
            credentials = grpc.ssl_server_credentials([(tls[1].read_bytes(), tls[0].read_bytes())])
            server.add_secure_port(address, credentials)
        else:
            server.add_insecure_port(address)
        await server.start()
        return server

    def _plain(self, name: str, call: Callable[[Any], Any]) -> Callable[[Any, Any], Awaitable[Any]]:
        async def handler(request: Any, context: Any) -> Any:
            try:
                if self._guard and name == "ModelMetadata":
                    self._guard.admit(_metadata(context, "authorization"), "predict")
                return call(request)
            except Refusal as refusal:
                return await context.abort(CODES[refusal.status], refusal.problem)

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
        loop = asyncio.get_running_loop()
        began, status, job, taken = loop.time(), 500, None, self._admission.enter(len(body))
        caller = ""
        span = self._tracing.start(METHOD, _metadata(context, "traceparent")) if self._tracing else None
        try:
            if taken is None:
                raise overloaded()
            caller = (_metadata(context, "x-slipway-caller") or "")[:100]
            if self._guard:
                caller = self._guard.admit(_metadata(context, "authorization"), "predict")
            request = messages.ModelInferRequest.FromString(body)
            self._known(request.model_name, request.model_version)
            job = self._read(request)
            job.caller, job.digest, job.budget = caller, hashlib.sha256(body).hexdigest(), context.time_remaining()
            # A call that is cancelled must not take its batch with it.
            await asyncio.shield(self._batcher.submit(job))
            status = 200
            return self._write(request, job)
        except asyncio.CancelledError:
            status = 499
            if job is not None:
                job.gone = True
            raise
        except ContractError as error:
            status = 400
            self._model.refusals.count(error, caller)
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
        except Refusal as refusal:
            status = refusal.status
            self._model.refusals.count(refusal, caller)
            await context.abort(CODES[status], refusal.problem)
        except DecodeError:
            status = 400
            self._model.refusals.count(ContractError("not a ModelInferRequest"), caller)
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "not a ModelInferRequest")
        finally:
            if taken is not None:
                self._admission.leave(taken, len(body), len(job.rows) if job is not None else 0)
            if span is not None:
                ids = (job.ids or [])[:SHOWN_IDS] if job is not None else []
                span.end(status, ids, len(job.rows) if job is not None else 0, self._model.identity)
            self._model.metrics.request("grpc ModelInfer", status, loop.time() - began)

    def _known(self, name: str, version: str) -> None:
        model = self._model
        if name != model.contract.use_case or version not in ("", model.identity.version):
            wanted = f"{name[:40]!r} version {version[:20]!r}" if version else repr(name[:40])
            known = f"{model.contract.use_case!r} version {model.identity.version!r}"
            raise Refusal(404, f"no model {wanted}; this server has {known}")

    def _read(self, request: Any) -> Job:
        tensors.check_outputs(self._model, [output.name for output in request.outputs])
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
        return tensors.read(self._model, columns, rows, {key: _value(p) for key, p in request.parameters.items()})

    def _write(self, request: Any, job: Job) -> Any:
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
                entry.contents.fp32_contents.extend(output.data)
        return answer


def _serialize(message: Any) -> bytes:
    return message.SerializeToString()


def _contents(tensor: Any) -> list[Any]:
    tensors.known_datatype(tensor.datatype, tensor.name)
    if tensor.datatype not in CONTENTS:
        raise ContractError(f"{tensor.datatype} has no typed contents; send it in raw_input_contents", tensor.name)
    values = list(getattr(tensor.contents, CONTENTS[tensor.datatype]))
    return [tensors.text(value, tensor.name) for value in values] if tensor.datatype == "BYTES" else values


def _value(parameter: Any) -> Any:
    return getattr(parameter, parameter.WhichOneof("parameter_choice") or "string_param")


def _metadata(context: Any, name: str) -> str | None:
    for key, value in context.invocation_metadata() or ():
        if key == name:
            return str(value)
    return None
