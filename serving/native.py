"""The native protocol: `POST /predict` with records by name, `POST /feedback` with labels by prediction id."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import msgspec

from serving.model import ServedModel


class PredictRequest(msgspec.Struct, forbid_unknown_fields=True):
    """`event_time` is when what is asked about happens; without it, now.

    `prediction_ids`, one a record, let a client name its predictions, so that a request sent again is counted once.
    """

    records: list[dict[str, Any]]
    event_time: Annotated[datetime, msgspec.Meta(tz=True)] | None = None
    prediction_ids: list[Annotated[str, msgspec.Meta(min_length=1, max_length=100)]] | None = None


class Label(msgspec.Struct, forbid_unknown_fields=True):
    """What turned out to be true for one prediction."""

    prediction_id: str
    label: str | int | bool


class FeedbackRequest(msgspec.Struct, forbid_unknown_fields=True):
    """Labels, one or many."""

    labels: list[Label]


class Answer(msgspec.Struct):
    """The answer to one record; `probabilities` by class."""

    prediction_id: str
    prediction: str | int | bool
    probabilities: dict[str, float]


class PredictResponse(msgspec.Struct):
    """The answers, in the order of the records."""

    model: str
    version: str
    release: str
    predictions: list[Answer]


_encoder = msgspec.json.Encoder()
_predict_request = msgspec.json.Decoder(PredictRequest)
_feedback_request = msgspec.json.Decoder(FeedbackRequest)


def predict(model: ServedModel, body: bytes, caller: str) -> bytes:
    """Answer `/predict`.

    Raises:
        msgspec.ValidationError, msgspec.DecodeError, ContractError, OSError: see `serving.app`.
    """
    request = _predict_request.decode(body)
    scored = model.predict_records(request.records, request.event_time, caller, request.prediction_ids)
    classes = model.contract.classes
    names = [str(value) for value in classes]
    answers = [
        Answer(prediction_id, classes[best], dict(zip(names, row, strict=True)))
        for prediction_id, best, row in zip(scored.prediction_ids, scored.best, scored.probabilities.tolist(), strict=True)
    ]
    identity = model.identity
    return _encoder.encode(PredictResponse(model.contract.use_case, identity.version, identity.release, answers))


def feedback(model: ServedModel, body: bytes, caller: str) -> bytes:
    """Answer `/feedback`; raises as `predict` does."""
    request = _feedback_request.decode(body)
    model.feedback([(label.prediction_id, label.label) for label in request.labels], caller)
    return _encoder.encode({"accepted": len(request.labels)})
