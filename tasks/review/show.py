"""Show: all that a reviewer needs to decide on one answer."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from configs.errors import CheckFailed
from configs.forms import parse_time
from configs.schema import UseCase
from serving.contract.contract import Contract
from tasks.explaining.reasons import explained
from tasks.log.reviews import reviewing
from tasks.review.answers import Targets
from tasks.review.decision import the_prediction
from tasks.review.queue import declared, standing
from tasks.review.settle import look_at
from tasks.review.similar import similar
from tasks.review.values import Final, Shown
from tasks.rollouts.known import bundle_of

OF_NUMBERS = ("prediction", "low", "high")


def show(use_case: UseCase, prediction_id: str, now: datetime | None = None) -> Shown:
    """The record, the answer, what it was made of, cases like it, and where it stands.

    Raises:
        InputError: the use case has no review, or the log no such prediction.
        CheckFailed: it was erased, or the log cannot be read.
    """
    rules, targets = declared(use_case), Targets(use_case.name)
    record = the_prediction(use_case.name, prediction_id)
    version = str(record["model_version"])
    with reviewing(use_case.name):
        stands = standing(use_case.name, prediction_id)
        found = look_at(use_case, prediction_id, stands, now or datetime.now(UTC))
    final = found if isinstance(found, Final) else None
    made_of, none = explained(record, bundle_of(use_case.name, version))
    contract = _contract(targets, version)
    return Shown(
        use_case=use_case.name,
        prediction_id=prediction_id,
        record=record.get("features") or {},
        model_answer=targets.logged(version, record.get("prediction")),
        output=_output(contract, record.get("output") or []),
        version=version,
        asked=parse_time(record["time"]),
        waits=None if isinstance(found, Final) else found,
        reasons=made_of,
        no_reasons=none,
        similar=similar(use_case, prediction_id),
        decisions=stands.decisions.get(prediction_id, []) if final else [],
        final=final,
        choices=list(contract.classes) if contract else [],
        override_reasons=rules.reasons,
    )


def _contract(targets: Targets, version: str) -> Contract | None:
    try:
        return targets.contract(version)
    except CheckFailed:  # a record is worth looking at also where its version is gone
        return None


def _output(contract: Contract | None, numbers: list[Any]) -> dict[str, float]:
    """The numbers that the answer was made of, by name."""
    names = [str(each) for each in contract.classes] if contract and contract.classes else OF_NUMBERS
    return dict(zip(names, numbers, strict=False))
