"""Summary: how people and the model agree, and people among themselves; each share with its interval, also by group."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from configs.schema import UseCase
from tasks.data.groups import groups_of
from tasks.fairness.intervals import rate
from tasks.log.read import open_log
from tasks.review.queue import Standing, declared, standing
from tasks.review.rules import KINDS, field, quoted
from tasks.review.settle import settle
from tasks.review.values import Answer, Final, Kpis, Share, Summary

CONFIDENCE = 0.95


def summary(use_case: UseCase, now: datetime | None = None) -> Summary:
    """Of all final decisions that the journal has, and of each group of `fairness.protected` that the log knows.

    Raises:
        InputError: the use case has no review.
        CheckFailed: the log or the journal cannot be read.
    """
    declared(use_case)
    waiting, stands = settle(use_case, now), standing(use_case.name)
    finals = list(stands.finals.values())
    groups, unseen = _groups(use_case, finals)
    return Summary(
        use_case=use_case.name,
        waiting=len(waiting),
        decided=len(finals),
        whole=kpis(stands, finals),
        groups={
            column: {
                name: kpis(stands, [each for each, its in zip(finals, of_each, strict=True) if its == name])
                for name in found
            }
            for column, of_each in groups.items()
            if (found := sorted({its for its in of_each if its is not None}))
        },
        unseen=unseen,
        confidence=CONFIDENCE,
    )


def kpis(stands: Standing, finals: Sequence[Final]) -> Kpis:
    """Of some final decisions; of none where there is nothing to say."""
    by_people = [final for final in finals if final.people]
    answered = [final for final in by_people if final.model_answer is not None]
    pairs = [pair for final in finals if (pair := _pair(stands, final)) is not None]
    agreement = _share(sum(one == other for one, other in pairs), len(pairs))
    return Kpis(
        finals=len(finals),
        overridden=_share(sum(final.how == "overridden" for final in answered), len(answered)),
        late=_share(len(finals) - len(by_people), len(finals)),
        agreement=agreement,
        beyond_chance=_beyond_chance(pairs, agreement),
    )


def _pair(stands: Standing, final: Final) -> tuple[Answer, Answer] | None:
    """What the first two people said, who knew nothing of each other."""
    said = stands.decisions.get(final.prediction_id, [])
    return (said[0].answer, said[1].answer) if len(said) > 1 else None


def _share(count: int, rows: int) -> Share | None:
    """By Wilson's score interval."""
    if not rows:
        return None
    found = rate(count, rows, CONFIDENCE)
    return Share(value=found.value, lower=found.lower, upper=found.upper, count=rows)


def _beyond_chance(pairs: Sequence[tuple[Answer, Answer]], agreement: Share | None) -> Share | None:
    """Agreement less that of chance; its interval is that of the agreement, with chance as it was seen.

    Who comes first is now one person, now another, so chance is that of one distribution of answers (Scott's pi). None where
    all said the same: chance alone agrees then.
    """
    if agreement is None:
        return None
    counts = Counter(repr(answer) for pair in pairs for answer in pair)
    chance = sum((count / (2 * len(pairs))) ** 2 for count in counts.values())
    if chance == 1:
        return None
    value, lower, upper = ((each - chance) / (1 - chance) for each in (agreement.value, agreement.lower, agreement.upper))
    return Share(value=value, lower=lower, upper=upper, count=len(pairs))


def _groups(use_case: UseCase, finals: Sequence[Final]) -> tuple[dict[str, Any], dict[str, str]]:
    """The group of each final decision by protected column, and why others make none."""
    rules = use_case.fairness
    if rules is None or not finals:
        return {}, {}
    import pandas as pd

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
        ids = pd.DataFrame({"prediction_id": [final.prediction_id for final in finals]})
        found = log.execute(
            f"""select prediction_id as "of prediction", {columns} from log where kind = 'prediction'
                and prediction_id in (select unnest(?::varchar[])) group by prediction_id""",
            [ids["prediction_id"].tolist()],
        ).df()
    rows = ids.merge(found, left_on="prediction_id", right_on="of prediction", how="left")
    return groups_of({name: rows[name] for name in names}, rules.intersections and not unseen), unseen
