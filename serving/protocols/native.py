"""The native protocol: `POST /predict` with records by name, `POST /feedback` with labels and numbers by prediction id.

`event_time` is when what is asked about happens; without it, now. `prediction_ids`, one a record, let a client name its
predictions, so that a request sent again is counted once. Of many classes, `top` says how many probabilities are answered.
With `explain`, which use cases may have as the rule, each answer says what the columns added to it (`serving/reasons`).
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Generic

import msgspec

from serving.contract.contract import ContractError
from serving.scoring.beside import LARGE_BODY
from serving.scoring.job import Job
from serving.scoring.model import Id, Label, Outcome, ServedModel, event_text, own_ids

Time = Annotated[datetime, msgspec.Meta(tz=True)]


class FeedbackRequest(msgspec.Struct, Generic[Label], forbid_unknown_fields=True):
    """Outcomes, one or many."""

    labels: list[Outcome[Label]]


class PredictResponse(msgspec.Struct):
    """What is said of a request; of each record what the head says."""

    model: str
    version: str
    release: str
    predictions: list[Any]


class Native:
    """Reads requests straight into the contract's record type, and writes answers from typed ones."""

    def __init__(self, model: ServedModel) -> None:
        self._model, self._head = model, model.head
        self._strict, self._envelope = (
            _request_decoder(kind, model.head.top, model.always_explains) for kind in (model.records.strict, msgspec.Raw)
        )
        self._feedback = msgspec.json.Decoder(FeedbackRequest[model.head.label])  # type: ignore[name-defined]
        self._encode = msgspec.json.Encoder().encode

    def read(self, body: bytes) -> Job:
        """The job of a body.

        Raises:
            ContractError: naming every fault.
            msgspec.ValidationError, msgspec.DecodeError: it is not a predict request, or not JSON.
        """
        try:
            request = self._strict.decode(body) if len(body) <= LARGE_BODY else self._sliced(body)
        except msgspec.ValidationError:
            request = self._sliced(body)
        records, ids = request.records, request.prediction_ids
        if not records:
            raise ContractError("there is no row to score")
        self._model.check_size(len(records))
        job = Job(records, event_text(request.event_time), None if ids is None else own_ids(ids, len(records)))
        if self._head.top is not None:
            job.top = request.top
        if request.explain:
            self._model.explain(job)
        return job

    def _sliced(self, body: bytes) -> Any:
        """Records one slice after another: large ones, and those that are not what most clients send."""
        self._model.check_items(body)
        try:
            request = self._envelope.decode(body)
        except msgspec.ValidationError:
            msgspec.json.decode(body)  # whether it is JSON at all comes first
            raise
        self._model.check_size(len(request.records))
        request.records = self._model.records.read(request.records)
        return request

    def write(self, job: Job) -> bytes:
        """The answers, in the order of the records."""
        identity = self._model.identity
        answers = self._head.native(job.ids or [], job.answers, job.outputs, job.top)
        if job.explain:
            told = zip(answers, job.reasons, strict=True)
            answers = [{**msgspec.structs.asdict(answer), "reasons": reasons} for answer, reasons in told]
        return self._encode(PredictResponse(self._model.contract.use_case, identity.version, identity.release, answers))

    def read_feedback(self, body: bytes) -> list[Outcome[Any]]:
        """The outcomes of a body, each checked, to be given to `feedback`; raises as `read` does."""
        outcomes = self._feedback.decode(body).labels
        self._model.check_size(len(outcomes))
        self._model.check_outcomes(outcomes)
        return outcomes

    def write_feedback(self, accepted: int) -> bytes:
        """The answer to that many outcomes, once they are logged."""
        return b'{"accepted":%d}' % accepted


def _request_decoder(record: Any, top: Any, explain: bool) -> msgspec.json.Decoder[Any]:
    fields: list[Any] = [
        ("records", list[record]),
        ("event_time", Time | None, None),
        ("prediction_ids", list[Id] | None, None),
        ("explain", bool, explain),
    ]
    if top is not None:
        fields.append(("top", top | None, None))
    return msgspec.json.Decoder(msgspec.defstruct("PredictRequest", fields, forbid_unknown_fields=True))
