"""The native protocol: `POST /predict` with records by name, `POST /feedback` with labels and numbers by prediction id.

`event_time` is when what is asked about happens; without it, now. `prediction_ids`, one a record, let a client name its
predictions, so that a request sent again is counted once.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import msgspec

from serving.contract import ContractError
from serving.job import Job
from serving.model import Id, Outcome, ServedModel, event_text

Time = Annotated[datetime, msgspec.Meta(tz=True)]


class FeedbackRequest(msgspec.Struct, forbid_unknown_fields=True):
    """Outcomes, one or many."""

    labels: list[Outcome]


class Answer(msgspec.Struct, gc=False):
    """What is said of one record."""

    prediction_id: str
    prediction: str | int | bool
    probabilities: Any


class PredictResponse(msgspec.Struct):
    """What is said of a request."""

    model: str
    version: str
    release: str
    predictions: list[Answer]


class Native:
    """Reads requests straight into the contract's record type, and writes answers from typed ones."""

    def __init__(self, model: ServedModel) -> None:
        self._model = model
        self._strict, self._lenient = map(_request_decoder, (model.records.strict, model.records.lenient))
        self._feedback = msgspec.json.Decoder(FeedbackRequest)
        classes = model.contract.classes
        self._encode = msgspec.json.Encoder().encode
        self._shares = msgspec.defstruct(
            "Probabilities",
            [(f"p{i}", float) for i in range(len(classes))],
            rename={f"p{i}": str(value) for i, value in enumerate(classes)},
            gc=False,
        )

    def read(self, body: bytes) -> Job:
        """The job of a body.

        Raises:
            ContractError: naming every fault.
            msgspec.ValidationError, msgspec.DecodeError: it is not a predict request, or not JSON.
        """
        try:
            request = self._strict.decode(body)
        except msgspec.ValidationError:
            request = self._read_leniently(body)
        records, ids = request.records, request.prediction_ids
        if not records:
            raise ContractError("there is no row to score")
        if ids is not None and len(ids) != len(records):
            raise ContractError(f"{len(ids)} prediction_ids for {len(records)} records; give one each, or none")
        return Job(records, event_text(request.event_time), ids)

    def write(self, job: Job) -> bytes:
        """The answers, in the order of the records."""
        classes, shares, identity = self._model.contract.classes, self._shares, self._model.identity
        answers = [
            Answer(prediction_id, classes[best], shares(*values))
            for prediction_id, best, values in zip(job.ids or (), job.best, job.probabilities, strict=True)
        ]
        return self._encode(PredictResponse(self._model.contract.use_case, identity.version, identity.release, answers))

    def feedback(self, body: bytes, caller: str) -> bytes:
        """Log the outcomes of a body; raises as `read` does."""
        outcomes = self._feedback.decode(body).labels
        self._model.feedback(outcomes, caller)
        return b'{"accepted":%d}' % len(outcomes)

    def _read_leniently(self, body: bytes) -> Any:
        try:
            request = self._lenient.decode(body)
        except msgspec.ValidationError:
            self._explain(body)
            raise
        self._model.records.check(request.records)
        return request

    def _explain(self, body: bytes) -> None:
        """Raise every fault of the records, where it is the records that are wrong."""
        plain = msgspec.json.decode(body)
        records = plain.get("records") if isinstance(plain, dict) else None
        if isinstance(records, list):
            error = self._model.records.faults(records)
            if error:
                raise error from None


def _request_decoder(record: type[msgspec.Struct]) -> msgspec.json.Decoder[Any]:
    fields: list[Any] = [
        ("records", list[record]),  # type: ignore[valid-type]
        ("event_time", Time | None, None),
        ("prediction_ids", list[Id] | None, None),
    ]
    return msgspec.json.Decoder(msgspec.defstruct("PredictRequest", fields, forbid_unknown_fields=True))
