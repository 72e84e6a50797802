"""Ask again: the model that answered a logged record, out of the store and in this process, once more with that record.

It is what the server runs, `serving/`: the contract reads the record, ONNX Runtime scores it. The log has of a record what
the model was given as 32-bit numbers and texts, so the same graph gives the same answer. What may move its last bits: the
server scored the row in a batch with others, and matrix products of a batch may sum in another order; and another build of
ONNX Runtime or another processor. So "to the bit" and "within a tolerance" are told apart.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np

from configs.errors import CheckFailed
from serving.contract.contract import Contract, ContractError
from serving.contract.heads.choose import head_of
from serving.contract.records import Records
from serving.scoring.bundle import Bundle, BundleError
from serving.scoring.onnx import Scorer
from serving.traffic.plan import HALT
from tasks.audit.values import Again
from tasks.audit.why import Why
from tasks.explaining.stored import stored_bundle

TOLERANCE = 1e-5  # of what a release may differ from its estimator; of numbers beyond 1, a share
HASH = re.compile(r"hmac:[0-9a-f]{32}")  # serving/log/writer.py: hashed


def ask_again(found: Why) -> Again:
    """The stored model of the version that answered the (last) record, asked again."""
    try:
        bundle = stored_bundle(found.model["version"], found.model["bundle"])
    except BundleError as error:
        return Again(same=None, told=f"cannot be asked again: {error}")
    return ask(bundle, bundle.model, found.asked[-1])


def ask(bundle: Bundle, model: bytes, record: Mapping[str, Any]) -> Again:
    """A graph with the contract of a bundle, asked with what the log has of a record, beside what the log has of its answer.

    Raises:
        CheckFailed: the graph is none of that contract.
    """
    contract, features = bundle.contract, record.get("features") or {}
    if record.get("variant") == HALT:
        return Again(same=None, told="cannot be asked again: the use case was halted, and no model answered")
    if hidden := _hidden(contract, features):
        return Again(same=None, told=f"cannot be asked again: {'; '.join(hidden)}")
    records = Records(contract, others=True)  # a client's request was held against the contract already
    try:
        rows = records.convert([features])
    except ContractError as error:
        return Again(same=None, told=f"cannot be asked again: the contract no longer takes the logged record: {error}")
    try:
        outputs = Scorer(model, contract).outputs(records.feeds(records.inputs(rows)))
    except ValueError as error:
        raise CheckFailed(f"the model is none of its contract: {error}") from None
    ((answer,), (output,)) = head_of(contract).answer(outputs)
    apart = _apart(record["output"], output)
    same_answer = _text(record.get("prediction")) == _text(answer)
    said = {"prediction": answer, "output": output, "apart": apart}
    if same_answer and apart == 0:
        return Again(same=True, told="the same answer, equal to the bit", **said)
    if same_answer and apart <= TOLERANCE:
        told = (
            f"the same answer; not to the bit: {apart:.1g} apart, within {TOLERANCE:g}, as a row of a batch and a row alone "
            "may be, or another build of ONNX Runtime"
        )
        return Again(same=True, told=told, **said)
    told = f"another answer: {answer!r} of {output}, logged is {record.get('prediction')!r} of {record['output']}"
    if absent := _absent(contract, features):
        told = f"cannot be said: {told}; but {_list(absent)} may have been left out of the log, and was asked as missing"
    return Again(same=None if absent else False, told=told, **said)


def _hidden(contract: Contract, features: Mapping[str, Any]) -> list[str]:
    """Why the features that the model was given are not those that the log has."""
    sensitive = [column for column in contract.columns if column.sensitive]
    hashed = [each.name for each in sensitive if HASH.fullmatch(str(features.get(each.name)))]
    omitted = [each.name for each in sensitive if each.name not in features and not each.nullable]
    told = [f"the log has only a keyed hash of {_list(hashed)}, from which no value can be made again"] if hashed else []
    return told + ([f"the log leaves out {_list(omitted)}"] if omitted else [])


def _absent(contract: Contract, features: Mapping[str, Any]) -> list[str]:
    """Sensitive columns that the record lacks: the client sent none, or the log left them out, which nothing tells."""
    return [column.name for column in contract.columns if column.sensitive and column.name not in features]


def _apart(logged: list[float], found: list[float]) -> float:
    """How far apart two outputs are: of numbers beyond 1 as a share of them; infinitely where they have not one form."""
    one, other = np.array(logged, dtype=np.float64), np.array(found, dtype=np.float64)
    if one.shape != other.shape:
        return float("inf")
    return float(np.nan_to_num(np.abs(one - other) / np.maximum(1, np.abs(one)), nan=np.inf).max(initial=0))


def _text(answer: Any) -> str | None:
    """An answer as the log's parts have it, where every answer is text."""
    return answer if answer is None or isinstance(answer, str) else msgspec.json.encode(answer).decode()


def _list(names: list[str]) -> str:
    return ", ".join(map(repr, names))
