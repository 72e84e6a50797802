"""Finals: what was finally decided, as a table, and the shares that say how people and the model agree."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import duckdb

from tasks.fairness.intervals import rate
from tasks.log.folded import everything
from tasks.log.reviews import journal_path, reviewing
from tasks.review.queue import DECISION, FINAL
from tasks.review.values import Kpis, Share

if TYPE_CHECKING:
    import pandas as pd

CONFIDENCE = 0.95


def finals_of(use_case: str) -> pd.DataFrame:
    """A row for each final decision: `number` (its line in the journal), `how`, `people` (how many), whether the model had
    `answered`; what the first two said, who knew nothing of each other, `one` and `other` (JSON; None without two).

    Raises:
        CheckFailed: the journal cannot be read.
    """
    with reviewing(use_case):
        events = everything(use_case, journal_path(use_case))
    with duckdb.connect() as connection:
        connection.register("events", events)
        return connection.execute(
            """with finals as (
                   select prediction_id, min(number) as number, min_by(how, number) as how, min_by(people, number) as people,
                          min_by(model_answer, number) != 'null' as answered
                   from events where what = ? and prediction_id != '' group by prediction_id),
               said as (
                   select prediction_id, min_by(answer, number, 2) as answers
                   from events where what = ? and prediction_id != '' group by prediction_id having count(*) > 1)
               select prediction_id, finals.number, how, people, answered, answers[1] as one, answers[2] as other
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
