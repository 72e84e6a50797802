"""Summary: how people and the model agree, and people among themselves; each share with its interval, also by group."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import TYPE_CHECKING, Any

import duckdb

from configs.schema import UseCase
from tasks.fairness.groups import groups_of
from tasks.fairness.intervals import rate
from tasks.log.folded import everything
from tasks.log.read import open_log
from tasks.log.reviews import journal_path, reviewing
from tasks.review.queue import DECISION, FINAL, declared
from tasks.review.rules import KINDS, field, quoted
from tasks.review.settle import settle
from tasks.review.values import Kpis, Share, Summary

if TYPE_CHECKING:
    import pandas as pd

CONFIDENCE = 0.95


def summary(use_case: UseCase, now: datetime | None = None) -> Summary:
    """Of all final decisions that the journal has, and of each group of `fairness.protected` that the log knows.

    Raises:
        InputError: the use case has no review.
        CheckFailed: the log or the journal cannot be read.
    """
    declared(use_case)
    waiting = settle(use_case, now)
    with reviewing(use_case.name):
        finals = _finals(everything(use_case.name, journal_path(use_case.name)))
    groups, unseen = _groups(use_case, finals)
    return Summary(
        use_case=use_case.name,
        waiting=len(waiting),
        decided=len(finals),
        whole=kpis(finals),
        groups={
            column: {name: kpis(finals[of_each == name]) for name in found}
            for column, of_each in groups.items()
            if (found := sorted({its for its in of_each if its is not None}))
        },
        unseen=unseen,
        confidence=CONFIDENCE,
    )


def _finals(events: Any) -> pd.DataFrame:
    """A row for each final decision: `how`, `people` (how many), whether the model had `answered`; and what the first two
    said, who knew nothing of each other, `one` and `other` (JSON; None where there were no two)."""
    with duckdb.connect() as connection:
        connection.register("events", events)
        return connection.execute(
            """with finals as (
                   select prediction_id, min_by(how, number) as how, min_by(people, number) as people,
                          min_by(model_answer, number) != 'null' as answered
                   from events where what = ? and prediction_id != '' group by prediction_id),
               said as (
                   select prediction_id, min_by(answer, number, 2) as answers
                   from events where what = ? and prediction_id != '' group by prediction_id having count(*) > 1)
               select prediction_id, how, people, answered, answers[1] as one, answers[2] as other
               from finals left join said using (prediction_id)""",
            [FINAL, DECISION],
        ).df()


def kpis(finals: pd.DataFrame) -> Kpis:
    """Of some final decisions; of none where there is nothing to say."""
    by_people = finals[finals["people"] > 0]
    answered = by_people[by_people["answered"]]
    pairs = finals[finals["other"].notna()]
    agreement = _share(int((pairs["one"] == pairs["other"]).sum()), len(pairs))
    return Kpis(
        finals=len(finals),
        overridden=_share(int((answered["how"] == "overridden").sum()), len(answered)),
        late=_share(len(finals) - len(by_people), len(finals)),
        agreement=agreement,
        beyond_chance=_beyond_chance(pairs, agreement),
    )


def _share(count: int, rows: int) -> Share | None:
    """By Wilson's score interval."""
    if not rows:
        return None
    found = rate(count, rows, CONFIDENCE)
    return Share(value=found.value, lower=found.lower, upper=found.upper, count=rows)


def _beyond_chance(pairs: pd.DataFrame, agreement: Share | None) -> Share | None:
    """Agreement less that of chance; its interval is that of the agreement, with chance as it was seen.

    Who comes first is now one person, now another, so chance is that of one distribution of answers (Scott's pi). None where
    all said the same: chance alone agrees then.
    """
    if agreement is None:
        return None
    counts = Counter([*pairs["one"], *pairs["other"]])
    chance = sum((count / (2 * len(pairs))) ** 2 for count in counts.values())
    if chance == 1:
        return None
    value, lower, upper = ((each - chance) / (1 - chance) for each in (agreement.value, agreement.lower, agreement.upper))
    return Share(value=value, lower=lower, upper=upper, count=len(pairs))


def _groups(use_case: UseCase, finals: pd.DataFrame) -> tuple[dict[str, Any], dict[str, str]]:
    """The group of each final decision by protected column, and why others make none."""
    rules = use_case.fairness
    if rules is None or finals.empty:
        return {}, {}
    logged = [*use_case.watched, *use_case.features.identifiers]
    names = [name for name in rules.protected if name in logged]
    unseen = {name: "the log has no values of it" for name in rules.protected if name not in logged}
    if not names:
        return {}, unseen
    columns = ", ".join(
        f"any_value({field(name, KINDS.get(use_case.features.kinds.get(name, ''), 'varchar'))}) as {quoted(name)}"
        for name in names
    )
    with open_log(use_case.name) as log:
        log.register("finals", finals[["prediction_id"]])
        found = log.execute(
            f"""select prediction_id as "of prediction", {columns} from log where kind = 'prediction'
                and prediction_id in (select prediction_id from finals) group by prediction_id"""
        ).df()
    rows = finals[["prediction_id"]].merge(found, left_on="prediction_id", right_on="of prediction", how="left")
    return groups_of({name: rows[name] for name in names}, rules.intersections and not unseen), unseen
