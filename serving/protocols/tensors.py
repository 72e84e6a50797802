"""Tensors of the Open Inference Protocol v2, whatever carries them: one named tensor a column in, the head's outputs.

Specification: https://github.com/kserve/open-inference-protocol (version 2), and Triton's binary tensor data extension.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
import numpy as np

from serving.contract.contract import Contract, ContractError, Fault
from serving.contract.heads.head import Tensor
from serving.scoring.job import Job
from serving.scoring.model import LONGEST_ID, ServedModel, event_text, own_ids

NUMPY = {
    "BOOL": np.dtype("?"),
    "UINT8": np.dtype("<u1"),
    "UINT16": np.dtype("<u2"),
    "UINT32": np.dtype("<u4"),
    "UINT64": np.dtype("<u8"),
    "INT8": np.dtype("<i1"),
    "INT16": np.dtype("<i2"),
    "INT32": np.dtype("<i4"),
    "INT64": np.dtype("<i8"),
    "FP16": np.dtype("<f2"),
    "FP32": np.dtype("<f4"),
    "FP64": np.dtype("<f8"),
}
_json = msgspec.json.Encoder().encode
DATATYPES = (*NUMPY, "BYTES")
PLATFORM = "onnx_onnxv1"


class Output(msgspec.Struct, frozen=True):
    """One output: `data` is a flat list in row order."""

    name: str
    datatype: str
    shape: list[int]
    data: list[Any]

    def raw(self) -> bytes:
        """The data as the binary extension has it."""
        if self.datatype == "BYTES":
            return b"".join(struct.pack("<I", len(value)) + value for value in (text.encode() for text in self.data))
        return np.array(self.data, dtype=NUMPY[self.datatype]).tobytes()


def unpack(raw: bytes, datatype: str, shape: Sequence[int], name: str) -> Any:
    """The values of a binary tensor: an array, or a list of strings.

    Raises:
        ContractError: the bytes are not what the datatype and the shape say.
    """
    known_datatype(datatype, name)
    if datatype != "BYTES":
        dtype = NUMPY[datatype]
        if len(raw) != rows_of(shape, name) * dtype.itemsize:
            raise ContractError(f"has {len(raw)} bytes; shape {list(shape)} of {datatype} needs another number", name)
        return np.frombuffer(raw, dtype=dtype)
    values, at = [], 0
    while at < len(raw):
        if at + 4 > len(raw):
            raise ContractError("ends in the middle of a length", name)
        (length,) = struct.unpack_from("<I", raw, at)
        if at + 4 + length > len(raw):
            raise ContractError("ends in the middle of a string", name)
        values.append(text(raw[at + 4 : at + 4 + length], name))
        at += 4 + length
    return values


def text(value: bytes, name: str) -> str:
    """A string of a BYTES tensor."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise ContractError("holds bytes that are not UTF-8", name) from None


def typed(values: Sequence[Any], datatype: str, name: str) -> Any:
    """Numbers or booleans as their datatype says, so that 1.5 as INT64 is a fault; with nulls a list, else an array.

    Raises:
        ContractError: one is no such value.
    """
    wanted = bool if datatype == "BOOL" else int if "INT" in datatype else (int, float)
    for row, value in enumerate(values):
        if value is not None and (not isinstance(value, wanted) or (type(value) is bool) != (datatype == "BOOL")):
            raise ContractError(f"must be {datatype}, found {str(value)[:40]!r}", name, row)
    present = [value for value in values if value is not None]
    try:
        array = np.array(present, dtype=NUMPY[datatype])
    except OverflowError:
        raise ContractError(f"holds a number that does not fit in {datatype}", name) from None
    if len(present) == len(values):
        return array
    found = iter(array)
    return [None if value is None else next(found) for value in values]


def known_datatype(datatype: str, name: str) -> None:
    """Raise unless the protocol has the datatype and the contract a use for it."""
    if datatype not in DATATYPES:
        raise ContractError(f"datatype {datatype[:20]!r} is not one of {', '.join(DATATYPES)}", name)


def rows_of(shape: Sequence[int], name: str) -> int:
    """The number of rows of a column's shape."""
    if len(shape) not in (1, 2) or shape[0] < 0 or list(shape[1:]) not in ([], [1]):
        raise ContractError(f"shape {list(shape)} is not a column; send [rows] or [rows, 1]", name)
    return shape[0]


def read(model: ServedModel, columns: Mapping[str, Any], rows: Mapping[str, int], parameters: Mapping[str, Any]) -> Job:
    """The job of named columns; `rows` is what each tensor's shape says.

    Request parameters `event_time` (ISO 8601 with offset) and `prediction_ids` (a list, or text with a comma between each)
    are those of the native protocol, as is `explain`; others are not ours, and are left alone as the protocol asks.

    Raises:
        ContractError: naming every fault.
    """
    contract = model.contract
    known = (*contract.names, *contract.identifiers)
    faults = [Fault(f"is not in the contract; known: {', '.join(known)}", name) for name in columns if name not in known]
    for name, values in columns.items():
        if len(values) != rows[name]:
            faults.append(Fault(f"{len(values)} values for {rows[name]} rows", name))
    if faults:
        raise ContractError.of(faults)
    if len(set(rows.values())) > 1:
        raise ContractError(f"tensors differ in their number of rows: {dict(rows)}")
    count = next(iter(rows.values()), 0)
    if count == 0:
        raise ContractError("there is no row to score")
    model.check_size(count)
    table = {column.name: [None] * count for column in contract.columns if column.nullable} | dict(columns)
    records, inputs = model.records.from_columns(table)
    job = Job(records, _event_time(parameters), _ids(parameters, count), inputs)
    if wants_reasons(parameters):
        model.explain(job)
    return job


def outputs(model: ServedModel, job: Job, wanted: Sequence[str]) -> list[Output]:
    """The outputs that were asked for; all of them where none was."""
    everything, count = {tensor.name: tensor for tensor in model.head.tensors}, len(job.answers)
    if job.explain:
        name = reasons_name(model.contract)
        everything[name] = Tensor(name, "BYTES", 1, lambda *_: [_json(each).decode() for each in job.reasons])
    chosen = [everything[name] for name in wanted or everything]
    return [Output(each.name, each.datatype, [count, each.width], each.data(job.answers, job.outputs)) for each in chosen]


def reasons_name(contract: Contract) -> str:
    """The output of a request with `explain`: of each row what a native answer has, as JSON.

    >>> reasons_name(Contract("demo", (), "y", ())), reasons_name(Contract("demo", (), "reasons", ()))
    ('reasons', 'reasons_reasons')
    """
    return "reasons_reasons" if contract.target == "reasons" else "reasons"


def wants_reasons(parameters: Mapping[str, Any]) -> bool:
    """Whether a request's parameters say `explain`.

    Raises:
        ContractError: it is neither true nor false.
    """
    given = parameters.get("explain", False)
    if type(given) is not bool:
        raise ContractError(f"must be true or false, found {str(given)[:40]!r}", "explain")
    return given


def check_outputs(model: ServedModel, wanted: Sequence[str], explain: bool = False) -> None:
    """Raise unless the model has these outputs: asked before anything is scored."""
    known = [*(tensor.name for tensor in model.head.tensors), *[reasons_name(model.contract)] * explain]
    for name in wanted:
        if name not in known:
            raise ContractError(f"no output is named {name[:40]!r}; known: {', '.join(known)}")


def metadata(model: ServedModel) -> dict[str, Any]:
    """The contract as tensors."""
    contract = model.contract
    return {
        "name": contract.use_case,
        "versions": [model.identity.version],
        "platform": PLATFORM,
        "inputs": [{"name": c.name, "datatype": c.its.datatype, "shape": [-1, 1]} for c in contract.columns],
        "outputs": [{"name": t.name, "datatype": t.datatype, "shape": [-1, t.width]} for t in model.head.tensors],
    }


def _event_time(parameters: Mapping[str, Any]) -> str | None:
    given = parameters.get("event_time")
    if given is None:
        return None
    try:
        moment = datetime.fromisoformat(given)
    except (TypeError, ValueError):
        moment = None
    if moment is None or moment.tzinfo is None:
        raise ContractError(f"{str(given)[:40]!r} is not a time with an offset, such as 2013-03-01T12:00:00Z", "event_time")
    return event_text(moment)


def _ids(parameters: Mapping[str, Any], count: int) -> list[str] | None:
    given = parameters.get("prediction_ids")
    if given is None:
        return None
    ids = given.split(",") if isinstance(given, str) else given
    if not isinstance(ids, list) or not all(isinstance(each, str) and 0 < len(each) <= LONGEST_ID for each in ids):
        raise ContractError(
            f"must be text of 1 to {LONGEST_ID} characters each: a list, or a comma between", "prediction_ids"
        )
    return own_ids(ids, count)
