"""Decision: where one answer stands, as its caller asks; the same that the webhook tells."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from configs.errors import InputError
from configs.schema import UseCase
from tasks.log.erased import refuse_erased
from tasks.log.find import find_records
from tasks.log.reviews import reviewing
from tasks.review.answers import Targets
from tasks.review.queue import standing
from tasks.review.settle import look_at
from tasks.review.values import Final


def decision(use_case: UseCase, prediction_id: str, now: datetime | None = None) -> dict[str, Any]:
    """Its `state`: `final`, `waiting`, or `not reviewed`, where the model's answer is all that there is.

    Raises:
        InputError: the use case has no review, or the log no such prediction.
        CheckFailed: it was erased, or the log cannot be read.
    """
    with reviewing(use_case.name):
        found = look_at(use_case, prediction_id, standing(use_case.name, prediction_id), now or datetime.now(UTC))
    if isinstance(found, Final):
        return found.told(use_case.name)
    asked = {"use_case": use_case.name, "prediction_id": prediction_id}
    if found is not None:
        due = found.due.isoformat()
        return {**asked, "state": "waiting", "model_answer": found.model_answer, "due": due, "said": len(found.said)}
    record = the_prediction(use_case.name, prediction_id)
    answer = Targets(use_case.name).logged(str(record["model_version"]), record.get("prediction"))
    return {**asked, "state": "not reviewed", "model_answer": answer, "answer": answer}


def the_prediction(use_case: str, prediction_id: str) -> dict[str, Any]:
    """Its record; of one that was sent twice the first.

    Raises:
        InputError: the log has none.
        CheckFailed: it was erased, or the log cannot be read.
    """
    found = [each.record for each in find_records(use_case, prediction_id) if each.record["kind"] == "prediction"]
    if not found:
        refuse_erased(use_case, prediction_id)
        raise InputError(f"no prediction {prediction_id!r} is in the log of {use_case}")
    return min(found, key=lambda record: str(record["time"]).replace(" ", "T"))
