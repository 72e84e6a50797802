"""The queue: the answers of the prediction log that people shall look at, and what people have said of them by now.

Nothing of it is kept. It is computed from the log, from `review.when`, and from the journal of decisions.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from configs.errors import InputError
from configs.files import write_atomically
from configs.forms import parse_time
from configs.review import Review
from configs.schema import UseCase
from tasks.log.read import BUCKET, TEST_CALLER, open_log
from tasks.log.review_line import Event
from tasks.log.reviews import journal_path, move_bookmark, read_events
from tasks.people import PersonRole
from tasks.review.answers import Targets
from tasks.review.rules import match
from tasks.review.values import Decision, Final, Item

READERS: tuple[PersonRole, ...] = ("reviewer", "auditor")  # who may see what waits, and records
SLACK = timedelta(hours=1)  # an answer is in the log a little later than its time says
DECISION, FINAL = "decision", "final"


class Standing(NamedTuple):
    """What the journal comes to: by prediction what people said, oldest first, and what was finally decided."""

    decisions: Mapping[str, list[Decision]]
    finals: Mapping[str, Final]


def declared(use_case: UseCase) -> Review:
    """The use case's `review`.

    Raises:
        InputError: it has none.
    """
    if use_case.review is None:
        raise InputError(
            f"use case {use_case.name!r} has no 'review', so no answer goes to people; docs/review.md says what it may say"
        )
    return use_case.review


def standing(use_case: str, about: str | None = None, since: datetime | None = None) -> Standing:
    """What people have said and decided, of one prediction or since a time; without what was erased."""
    return standing_of(read_events(use_case, about, since))


def standing_of(events: Iterable[Event]) -> Standing:
    """The same, of these events."""
    decisions, finals = defaultdict[str, list[Decision]](list), dict[str, Final]()
    for event in events:
        if event.about and event.what == DECISION:
            decisions[event.about].append(Decision(by=event.by, time=event.time, **event.details))
        elif event.about and event.what == FINAL:
            finals.setdefault(event.about, Final(time=event.time, number=event.number, **event.details))
    return Standing(decisions, finals)


def waiting(use_case: UseCase, stands: Standing, now: datetime, only: str | None = None) -> list[Item]:
    """The answers without a final decision that go to people, the most urgent first; also those whose time is over.

    With `only`, that prediction's. Call it within `reviewing`.

    Raises:
        InputError: the use case has no review, or a rule is no condition on the log.
        CheckFailed: the log cannot be read.
    """
    within, targets = declared(use_case).within, Targets(use_case.name)
    with open_log(use_case.name) as log:
        log.execute("create temp table finals as select unnest(?::varchar[]) as id", [[*stands.finals]])
        chosen, values = "", list[Any]()
        if only is not None:
            bucket = f"(select {BUCKET} from (select ? as prediction_id))"
            chosen, values = f"and bucket = {bucket} and prediction_id = ?", [only, only]
        log.execute(
            f"""create temp table asked as select *, row_number() over () as nth from (
                select * from log where kind = 'prediction' and caller != '{TEST_CALLER}' and time >= ? {chosen}
                and prediction_id not in (select id from finals)
                qualify row_number() over (partition by prediction_id order by time) = 1)""",
            [since(use_case, now).replace(tzinfo=None), *values],
        )
        why = match(use_case, log, "asked")
        rows = log.execute(
            """select nth, prediction_id, time, model_version, prediction from asked
               where nth in (select unnest(?::bigint[])) order by time, prediction_id""",
            [[*why]],
        ).fetchall()
    return [
        Item(
            prediction_id=prediction_id,
            asked=(asked := time.replace(tzinfo=UTC)),
            due=asked + within,
            version=version,
            model_answer=targets.logged(version, text),
            why=why[nth],
            said=tuple(each.by for each in stands.decisions.get(prediction_id, ())),
        )
        for nth, prediction_id, time, version, text in rows
    ]


def since(use_case: UseCase, now: datetime) -> datetime:
    """From when on answers are looked at: those before are settled, or were over time when the queue was first looked at.

    Call it within `reviewing`.
    """
    path = _settled(use_case.name)
    if not path.exists():
        _keep(path, now - declared(use_case).within)
    moment: datetime = parse_time(path.read_text(encoding="utf-8"))
    return moment


def keep_settled(use_case: UseCase, now: datetime) -> None:
    """All is settled whose time is over by now. Call it within `reviewing`."""
    moment = max(since(use_case, now), now - declared(use_case).within - SLACK)
    _keep(_settled(use_case.name), moment)
    move_bookmark(use_case.name, moment)


def _keep(path: Path, moment: datetime) -> None:
    write_atomically(path, moment.isoformat().encode())


def _settled(use_case: str) -> Path:
    return journal_path(use_case).with_name("settled")
