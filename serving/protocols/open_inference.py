"""The Open Inference Protocol v2 over REST, with the binary tensor data extension.

Specification: https://github.com/kserve/open-inference-protocol/blob/main/specification/protocol/inference_rest.md and
https://github.com/triton-inference-server/server/blob/main/docs/protocol/extension_binary_data.md
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from serving.contract.contract import ContractError
from serving.protocols import tensors
from serving.scoring.job import Job
from serving.scoring.model import ServedModel

JSON_LENGTH = "inference-header-content-length"
EXTENSIONS = ["binary_tensor_data"]


class Tensor(msgspec.Struct):
    """A named tensor; `data` is flat or nested, in row order, and stands after the JSON in the binary form.

    It is decoded a tensor at a time, so that none of them holds up the others for long.
    """

    name: str
    shape: list[int]
    datatype: str
    data: msgspec.Raw = msgspec.Raw(b"null")
    parameters: dict[str, Any] | None = None


class Requested(msgspec.Struct):
    """A requested output."""

    name: str
    parameters: dict[str, Any] | None = None


class InferRequest(msgspec.Struct):
    """The body of `infer`, or the JSON part of it."""

    inputs: list[Tensor]
    id: str | None = None
    outputs: list[Requested] | None = None
    parameters: dict[str, Any] | None = None


_list = msgspec.json.Decoder(list[Any] | None)
_request = msgspec.json.Decoder(InferRequest)
_encode = msgspec.json.Encoder().encode


class OpenInference:
    """Reads and writes `infer`."""

    def __init__(self, model: ServedModel) -> None:
        self._model = model

    def read(self, body: bytes, json_length: str | None) -> tuple[Job, InferRequest]:
        """The job of a body; `json_length` is the header that says where binary tensors begin.

        Raises:
            ContractError: naming every fault.
            msgspec.ValidationError, msgspec.DecodeError: it is not an infer request, or not JSON.
        """
        head, binary = _split(body, json_length)
        self._model.check_items(head)
        request = _request.decode(head)
        wanted = [output.name for output in request.outputs or ()]
        tensors.check_outputs(self._model, wanted, tensors.wants_reasons(request.parameters or {}))
        columns: dict[str, Any] = {}
        rows: dict[str, int] = {}
        at = 0
        for tensor in request.inputs:
            tensors.known_datatype(tensor.datatype, tensor.name)
            if tensor.name in columns:
                raise ContractError("is there twice", tensor.name)
            rows[tensor.name] = tensors.rows_of(tensor.shape, tensor.name)
            size = (tensor.parameters or {}).get("binary_data_size")
            if size is None:
                columns[tensor.name] = _flat(tensor)
                continue
            if type(size) is not int or size < 0 or at + size > len(binary):
                raise ContractError(f"binary_data_size {str(size)[:20]} reaches beyond the body", tensor.name)
            raw = binary[at : at + size]
            columns[tensor.name] = tensors.unpack(raw, tensor.datatype, tensor.shape, tensor.name)
            at += size
        if at != len(binary):
            raise ContractError(f"{len(binary) - at} bytes after the last tensor")
        return tensors.read(self._model, columns, rows, request.parameters or {}), request

    def write(self, job: Job, request: InferRequest) -> tuple[list[tuple[str, str]], bytes]:
        """Headers and body of the answer; binary where the request asked for it."""
        model, asked = self._model, {output.name: output.parameters or {} for output in request.outputs or ()}
        everything_binary = (request.parameters or {}).get("binary_data_output") is True
        listed, raws = [], []
        for number, output in enumerate(tensors.outputs(model, job, list(asked))):
            entry: dict[str, Any] = {"name": output.name, "datatype": output.datatype, "shape": output.shape}
            parameters = {"prediction_ids": ",".join(job.ids or [])} if number == 0 else {}
            if asked.get(output.name, {}).get("binary_data", everything_binary) is True:
                raws.append(output.raw())
                parameters["binary_data_size"] = len(raws[-1])  # type: ignore[assignment]
            else:
                entry["data"] = output.data
            listed.append({**entry, "parameters": parameters} if parameters else entry)
        answer: dict[str, Any] = {"model_name": model.contract.use_case, "model_version": model.identity.version}
        if request.id is not None:
            answer["id"] = request.id
        head = _encode({**answer, "parameters": {"release": model.identity.release}, "outputs": listed})
        if not raws:
            return [("content-type", "application/json")], head
        headers = [("content-type", "application/octet-stream"), (JSON_LENGTH, str(len(head)))]
        return headers, b"".join([head, *raws])


def server_metadata() -> bytes:
    """`GET /v2`."""
    return _encode({"name": "slipway", "version": "2", "extensions": EXTENSIONS})


def model_metadata(model: ServedModel) -> bytes:
    """`GET /v2/models/NAME`."""
    return _encode(tensors.metadata(model))


def _split(body: bytes, json_length: str | None) -> tuple[bytes, bytes]:
    if json_length is None:
        return body, b""
    if not json_length.isascii() or not json_length.isdigit() or len(json_length) > 10 or int(json_length) > len(body):
        raise ContractError(f"{JSON_LENGTH}: {json_length[:20]!r} is not a length within the body's {len(body)} bytes")
    return body[: int(json_length)], body[int(json_length) :]


def _flat(tensor: Tensor) -> Any:
    """JSON data, flat. What the datatype says is what the contract gets."""
    data = _list.decode(tensor.data)
    if data is None:
        raise ContractError("has no data", tensor.name)
    values = [value[0] if type(value) is list and len(value) == 1 else value for value in data]
    return values if tensor.datatype == "BYTES" else tensors.typed(values, tensor.datatype, tensor.name)


def error_body(problem: str) -> bytes:
    """An error as the protocol says."""
    return _encode({"error": problem})


def names(model: ServedModel) -> Mapping[str, str]:
    """The two paths of the model: without and with its version."""
    base = f"/v2/models/{model.contract.use_case}"
    return {"model": base, "version": f"{base}/versions/{model.identity.version}"}
