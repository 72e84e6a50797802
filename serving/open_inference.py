"""The Open Inference Protocol v2 over REST: health, metadata and `infer` with one named tensor a column.

Specification: https://github.com/kserve/open-inference-protocol (REST, version 2). Tensors are JSON; the binary data
extension is not offered, and asking for it is an error.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from serving.contract import ContractError
from serving.model import ServedModel

NUMERIC = {"FP16", "FP32", "FP64", *(f"{sign}INT{bits}" for sign in ("", "U") for bits in (8, 16, 32, 64))}


class Tensor(msgspec.Struct, forbid_unknown_fields=True):
    """A named tensor; `data` is flat or nested, in row order."""

    name: str
    shape: list[int]
    datatype: str
    data: list[Any]
    parameters: dict[str, Any] = {}


class Output(msgspec.Struct):
    """A requested output."""

    name: str
    parameters: dict[str, Any] = {}


class InferRequest(msgspec.Struct, forbid_unknown_fields=True):
    """The body of `infer`."""

    inputs: list[Tensor]
    id: str | None = None
    outputs: list[Output] | None = None
    parameters: dict[str, Any] = {}


_encoder = msgspec.json.Encoder()
_request = msgspec.json.Decoder(InferRequest)


def server_metadata() -> bytes:
    """`GET /v2`."""
    return _encoder.encode({"name": "slipway", "version": "2", "extensions": []})


def model_metadata(model: ServedModel) -> bytes:
    """`GET /v2/models/NAME`: the contract as tensors."""
    contract = model.contract
    inputs = [{"name": c.name, "datatype": _datatype(c.dtype), "shape": [-1, 1]} for c in contract.columns]
    outputs = [
        {"name": contract.target, "datatype": "BYTES", "shape": [-1, 1]},
        {"name": "probabilities", "datatype": "FP32", "shape": [-1, len(contract.classes)]},
    ]
    return _encoder.encode(
        {
            "name": contract.use_case,
            "versions": [model.identity.version],
            "platform": "onnx_onnxv1",
            "inputs": inputs,
            "outputs": outputs,
        }
    )


def infer(model: ServedModel, body: bytes, caller: str) -> bytes:
    """`POST /v2/models/NAME/infer`.

    Raises:
        msgspec.ValidationError, msgspec.DecodeError, ContractError, OSError: see `serving.app`.
    """
    request = _request.decode(body)
    columns = {tensor.name: _values(tensor, model) for tensor in request.inputs}
    lengths = {name: len(values) for name, values in columns.items()}
    if len(set(lengths.values())) > 1:
        raise ContractError(f"tensors differ in their number of rows: {lengths}")
    rows = next(iter(lengths.values()), 0)
    for column in model.contract.columns:
        if column.nullable:
            columns.setdefault(column.name, [None] * rows)
    scored = model.predict_columns(columns, None, caller)
    contract = model.contract
    outputs: dict[str, dict[str, Any]] = {
        contract.target: {
            "datatype": "BYTES",
            "shape": [rows, 1],
            "data": [str(contract.classes[best]) for best in scored.best],
        },
        "probabilities": {
            "datatype": "FP32",
            "shape": [rows, len(contract.classes)],
            "data": scored.probabilities.ravel().tolist(),
        },
    }
    answer: dict[str, Any] = {"model_name": contract.use_case, "model_version": model.identity.version}
    if request.id is not None:
        answer["id"] = request.id
    answer["parameters"] = {"release": model.identity.release}
    wanted = [output.name for output in request.outputs] if request.outputs else list(outputs)
    answer["outputs"] = [{"name": name, **_output(outputs, name)} for name in wanted]
    answer["outputs"][0]["parameters"] = {"prediction_ids": ",".join(scored.prediction_ids)}
    return _encoder.encode(answer)


def _output(outputs: Mapping[str, dict[str, Any]], name: str) -> dict[str, Any]:
    if name not in outputs:
        raise ContractError(f"no output is named {name!r}; known: {', '.join(outputs)}")
    return outputs[name]


def _values(tensor: Tensor, model: ServedModel) -> list[Any]:
    if "binary_data_size" in tensor.parameters:
        raise ContractError("the binary data extension is not offered; send the tensor as JSON", tensor.name)
    if tensor.name not in model.contract.names:
        raise ContractError(f"is not in the contract; known: {', '.join(model.contract.names)}", tensor.name)
    if tensor.datatype not in NUMERIC | {"BYTES"}:
        raise ContractError(f"datatype {tensor.datatype!r} is not one of FP32, FP64, INT64, BYTES, ...", tensor.name)
    values = _flat(tensor.data)
    rows = tensor.shape[0] if tensor.shape else 0
    if tensor.shape not in ([rows], [rows, 1]) or len(values) != rows:
        raise ContractError(f"shape {tensor.shape} with {len(values)} values; a column is [rows] or [rows, 1]", tensor.name)
    return values


def _flat(data: list[Any]) -> list[Any]:
    flat: list[Any] = []
    for value in data:
        if isinstance(value, list):
            flat.extend(_flat(value))
        else:
            flat.append(value)
    return flat


def _datatype(dtype: str) -> str:
    return "FP32" if dtype == "float32" else "BYTES"
