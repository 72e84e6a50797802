"""Summary: how people and the model agree, and people among themselves; each share with its interval, also by group."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from configs.schema import UseCase
from tasks.data.groups import groups_of
from tasks.log.read import open_log
from tasks.review.finals import CONFIDENCE, finals_of, kpis
from tasks.review.queue import declared
from tasks.review.rules import KINDS, field, quoted
from tasks.review.settle import settle
from tasks.review.values import Summary

if TYPE_CHECKING:
    import pandas as pd


def summary(use_case: UseCase, now: datetime | None = None) -> Summary:
    """Of all final decisions that the journal has, and of each group of `fairness.protected` that the log knows.

    Raises:
        InputError: the use case has no review.
        CheckFailed: the log or the journal cannot be read.
    """
    declared(use_case)
    waiting = settle(use_case, now)
    finals = finals_of(use_case.name)
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
