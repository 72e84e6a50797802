"""Decide: one person confirms an answer, or overrides it with a reason. Needs no service."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, NoReturn

from configs.errors import CheckFailed, InputError, nearest
from configs.schema import UseCase
from tasks.log.reviews import note_event, reviewing
from tasks.people import Person, SignedIn, may
from tasks.review.answers import Targets
from tasks.review.decision import the_prediction
from tasks.review.queue import DECISION, declared, since, standing
from tasks.review.settle import finish, look_at, publish
from tasks.review.values import Decision, Final, Item


class Over(CheckFailed):
    """It is decided already, or its time is over: nothing was changed."""


def confirm(
    use_case: UseCase, prediction_id: str, text: str = "", key: str | SignedIn | None = None, now: datetime | None = None
) -> Decision:
    """Say that the model's answer is right; `key` is the API key that somebody typed into a form.

    Raises:
        InputError: no such answer waits, or the model left it to a person, so there is nothing to confirm.
        NotAllowed: whoever says it is no reviewer.
        CheckFailed: it is decided already (`Over`), its time is over, or it was erased.
    """
    return _decide(use_case, prediction_id, None, "", text, key, now)


def override(
    use_case: UseCase,
    prediction_id: str,
    answer: Any,
    reason: str,
    text: str = "",
    key: str | SignedIn | None = None,
    now: datetime | None = None,
) -> Decision:
    """Give another answer than the model's, or one where it gave none. The reason is one of `review.reasons`.

    Raises:
        InputError: no such answer waits, the target has no such answer, it is the model's own, or the reason is missing or
            none of the list.
        NotAllowed: whoever says it is no reviewer.
        CheckFailed: it is decided already (`Over`), its time is over, or it was erased.
    """
    return _decide(use_case, prediction_id, answer, reason, text, key, now)


def _decide(
    use_case: UseCase,
    prediction_id: str,
    answer: Any,
    reason: str,
    text: str,
    key: str | SignedIn | None,
    now: datetime | None,
) -> Decision:
    declared(use_case)
    person, moment = may("reviewer", "decide on an answer", key), now or datetime.now(UTC)
    with reviewing(use_case.name):
        stands = standing(use_case.name, prediction_id)
        item = _waiting(use_case, prediction_id, look_at(use_case, prediction_id, stands, moment), moment)
        said = stands.decisions.get(prediction_id, [])
        _refuse_twice(person, said)
        chosen = _answer(use_case, item, answer)
        _check_reason(use_case, item, answer, chosen, reason)
        decision = Decision(
            prediction_id=prediction_id,
            by=person.name,
            time=moment,
            model_answer=item.model_answer,
            answer=chosen,
            reason=reason,
            text=text,
        )
        details = decision.model_dump(mode="json", exclude={"by", "time"})
        note_event(use_case.name, DECISION, person.name, moment, **details)
        if finish(use_case, item, [*said, decision], moment):
            publish(use_case)
    return decision


def _waiting(use_case: UseCase, prediction_id: str, found: Final | Item | None, now: datetime) -> Item:
    """The answer that waits.

    Raises:
        InputError: there is none of that id, or nothing sends it to people.
        CheckFailed: it is decided already, was erased, or its time was over before anybody looked.
    """
    if isinstance(found, Item):
        return found
    if found is not None:
        _refuse_final(found)
    asked = str(the_prediction(use_case.name, prediction_id)["time"]).replace(" ", "T")
    if asked < since(use_case, now).strftime("%Y-%m-%dT%H:%M:%S"):
        raise Over(f"prediction {prediction_id} was answered on {asked[:16]}, and its time for review is over")
    raise InputError(f"prediction {prediction_id!r} is not in the queue: nothing in 'review.when' sends it to people")


def _refuse_final(final: Final) -> NoReturn:
    if final.people:
        raise Over(
            f"prediction {final.prediction_id} was decided already, on {final.time:%Y-%m-%d %H:%M} by "
            f"{' and '.join(final.people)}: {final.answer!r}"
        )
    raise Over(
        f"prediction {final.prediction_id} was to be decided by {final.time:%Y-%m-%d %H:%M}, and nobody did; "
        f"{final.answer!r} stands"
    )


def _refuse_twice(person: Person, said: Sequence[Decision]) -> None:
    for each in said:
        if each.by == person.name:
            raise Over(
                f"{person.name} has decided on prediction {each.prediction_id} already ({each.answer!r}, on "
                f"{each.time:%Y-%m-%d %H:%M}); it waits for somebody else"
            )


def _answer(use_case: UseCase, item: Item, answer: Any) -> Any:
    if answer is not None:
        return Targets(use_case.name).answer(item.version, answer)
    if item.model_answer is None:
        raise InputError(
            f"prediction {item.prediction_id}: the model left it to a person, so there is nothing to confirm; override it "
            "with an answer"
        )
    return item.model_answer


def _check_reason(use_case: UseCase, item: Item, answer: Any, chosen: Any, reason: str) -> None:
    """An override says why; who fills in what the model left open, or confirms, need not."""
    known = declared(use_case).reasons
    if answer is not None and chosen == item.model_answer:
        raise InputError(f"prediction {item.prediction_id}: {chosen!r} is the model's own answer; confirm it")
    if not reason and answer is not None and item.model_answer is not None:
        raise InputError(f"an override needs a reason of 'review.reasons': {', '.join(map(repr, known))}")
    if reason and reason not in known:
        raise InputError(f"{reason!r} is none of 'review.reasons'; {nearest(reason, known)}")
