"""How servers of one use case ask each other: rows by name in JSON, answers in msgpack. Nothing of it is logged.

Fields that the contract here does not know are passed over, so that a challenger may have learned from fewer columns.
"""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec
import numpy as np
from msgspec import UNSET

from serving.contract.contract import Contract, ContractError
from serving.contract.records import Records
from serving.scoring.job import Job
from serving.scoring.model import ServedModel

PATH = "/internal/score"
PLANS = "/internal/plans"  # how many workers carry out each traffic plan, by the digest of its file


class Scored(msgspec.Struct, array_like=True, gc=False):
    """What a server says of rows: who it is, its head, of each row the answer, and k float32 a row, little-endian."""

    version: str
    release: str
    head: str
    answers: list[Any]
    outputs: bytes


class Internal:
    """Reads and writes `PATH`."""

    def __init__(self, model: ServedModel) -> None:
        self._model, self._records = model, Records(model.contract, others=True)
        self._strict = msgspec.json.Decoder(list[self._records.strict])  # type: ignore[name-defined]
        self._raws = msgspec.json.Decoder(list[msgspec.Raw])
        self._encode = msgspec.msgpack.Encoder().encode
        self._head = head_digest(model.contract)

    def read(self, body: bytes) -> Job:
        """The job of a body.

        Raises:
            ContractError: naming every fault by its row.
            msgspec.ValidationError, msgspec.DecodeError: it is no list of records, or not JSON.
        """
        records = self._plain(body) or self._records.read(self._raws.decode(body))
        if not records:
            raise ContractError("there is no row to score")
        self._model.check_size(len(records))
        job = Job(records)
        job.logged = False
        return job

    def _plain(self, body: bytes) -> list[Any] | None:
        """What most bodies are, in one go; None where it takes more."""
        try:
            return None if self._records.renamed else self._strict.decode(body)
        except msgspec.ValidationError:
            return None

    def write(self, job: Job) -> bytes:
        """The answers, in the order of the rows."""
        identity, outputs = self._model.identity, np.array(job.outputs, dtype="<f4").tobytes()
        return self._encode(Scored(identity.version, identity.release, self._head, job.answers, outputs))


def head_digest(contract: Contract) -> str:
    """Tells whether two models speak alike: the same kind of answer, of the same classes, with the same extras."""
    extras = contract.interval is not UNSET, contract.confidence is not UNSET
    spoken = repr((contract.problem, contract.target, contract.classes, extras))
    return hashlib.sha256(spoken.encode()).hexdigest()[:16]
