"""Settle: what people agreed on, or let pass, becomes final, and goes into the prediction log.

It is computed from the times that stand in the log and in the journal, so it comes out the same whoever looks first; then it
is written down, once. A kill in between leaves what the next look does again.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from configs.files import write_atomically
from configs.schema import UseCase
from configs.settings import prediction_log
from serving.log.writer import Entry, Feedback, PredictionLog, Review
from tasks.log.keys import key
from tasks.log.read import open_log
from tasks.log.reviews import journal_path, note_event, read_events, reviewing
from tasks.review.answers import Targets
from tasks.review.queue import FINAL, Standing, declared, keep_settled, since, standing, standing_of, waiting
from tasks.review.values import Answer, Decision, Final, Item
from tasks.review.votes import agreed

CALLER = "review"


def settle(use_case: UseCase, now: datetime | None = None) -> list[Item]:
    """Make final what is, and return what still waits, the most urgent first.

    Raises:
        InputError: the use case has no review, a rule is no condition, or `answer_when_late` is none of the target's.
        CheckFailed: the log or the journal cannot be read.
    """
    moment = now or datetime.now(UTC)
    with reviewing(use_case.name):
        stands = standing(use_case.name, since=since(use_case, moment))
        items = waiting(use_case, stands, moment)
        left = [item for item in items if not finish(use_case, item, stands.decisions.get(item.prediction_id, []), moment)]
        keep_settled(use_case, moment)
        publish(use_case)
    return left


def look_at(use_case: UseCase, prediction_id: str, stands: Standing, now: datetime) -> Final | Item | None:
    """Where one answer stands: it is final, or waits, or nothing sends it to people. Call it within `reviewing`."""
    if prediction_id in stands.finals:
        return stands.finals[prediction_id]
    found = waiting(use_case, stands, now, prediction_id)
    if not found:
        return None
    if finish(use_case, found[0], stands.decisions.get(prediction_id, []), now):
        publish(use_case)
        return standing(use_case.name, prediction_id).finals[prediction_id]
    return found[0]


def finish(use_case: UseCase, item: Item, decisions: Sequence[Decision], now: datetime) -> bool:
    """Write down that it is final, where it is. Call it within `reviewing`."""
    final = final_of(use_case, item, decisions, now)
    if final is not None:
        details = final.model_dump(mode="json", exclude={"time", "number"})
        note_event(use_case.name, FINAL, final.people[-1] if final.people else "", final.time, **details)
    return final is not None


def final_of(use_case: UseCase, item: Item, decisions: Sequence[Decision], now: datetime) -> Final | None:
    """What is final of an answer: what people agreed on in time; else, when that is over, what was declared for it."""
    rules, known = declared(use_case), {"prediction_id": item.prediction_id, "model_answer": item.model_answer}
    if people := agreed([each for each in decisions if each.time <= item.due], rules.persons):
        last = people[-1]
        reason = next((each.reason for each in people if each.reason), "")
        return Final(
            **known, time=last.time, people=[each.by for each in people], how=last.how, answer=last.answer, reason=reason
        )
    if now <= item.due:
        return None
    return Final(**known, time=item.due, people=(), how="late", answer=_late(use_case, item))


def publish(use_case: UseCase) -> None:
    """Append the final decisions that are not in the prediction log yet, each once. Call it within `reviewing`.

    What people decided is a label too, where the use case says so; what nobody decided never is.
    """
    path = journal_path(use_case.name).with_name("logged")
    finals = not_done(use_case.name, path)
    if not finals:
        return
    with open_log(use_case.name) as log:  # a kill before the mark leaves some there
        query = "select prediction_id from log where kind = 'review' and prediction_id in (select unnest(?::varchar[]))"
        there = {each for (each,) in log.execute(query, [[final.prediction_id for final in finals]]).fetchall()}
    records = [record for final in finals if final.prediction_id not in there for record in _records(use_case, final)]
    if records:
        written = PredictionLog(prediction_log(use_case.name), key())
        written.append(records)
        written.close()
    mark(path, finals)


def not_done(use_case: str, path: Path) -> list[Final]:
    """The final decisions that a mark does not say to be done, oldest first."""
    done = int(path.read_bytes()) if path.exists() else 0
    return list(standing_of(read_events(use_case, after=done)).finals.values())


def mark(path: Path, finals: Sequence[Final]) -> None:
    """These are done: the mark is the last one's line in the journal."""
    write_atomically(path, str(finals[-1].number).encode())


def _records(use_case: UseCase, final: Final) -> list[Entry]:
    """As the log has it; a label is what people say to be true, and the last one of a prediction counts."""
    time = final.time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    decided = Review(final.prediction_id, time, final.answer, CALLER, final.how)
    if final.people and declared(use_case).is_label:
        return [decided, Feedback(final.prediction_id, time, final.answer, CALLER)]
    return [decided]


def _late(use_case: UseCase, item: Item) -> Answer | None:
    answer = declared(use_case).answer_when_late
    return item.model_answer if answer is None else Targets(use_case.name).answer(item.version, answer)
