"""A KPI of the business: a number that feedback carries."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from configs.rollout import Check
from tasks.log.exposures import COUNT
from tasks.log.values import KPI
from tasks.rollouts.checks.groups import compared
from tasks.rollouts.evidence import Evidence
from tasks.verdicts import means
from tasks.verdicts.cuped import without_past
from tasks.verdicts.trends import Found
from tasks.verdicts.values import Verdict


def kpi(evidence: Evidence, check: Check, level: float) -> Verdict | None:
    """The difference of the means, the rarest values moved in; a shadow's answers reach nobody, so nothing comes of them.

    Where persons come again, what their past explains of the differences between them is taken out.
    """
    if evidence.paired or evidence.alone:
        return None
    return compared(evidence, check, level, partial(_difference, evidence, check))


def _difference(
    evidence: Evidence, check: Check, theirs: Any, ours: Any, level: float
) -> tuple[tuple[int, int], Found | None]:
    column, sign = f"{KPI}{check.kpi}", -1.0 if check.better == "higher" else 1.0
    known = [rows[rows[column].notna()] for rows in (theirs, ours)]
    one, other = (evidence.cluster(sign * rows[column].to_numpy(dtype=float), rows) for rows in known)
    if min(len(one), len(other)):
        one, other = means.trimmed(one, other)
    if (past := _past(evidence, check, [rows["key"] for rows in known])) is not None:
        one, other = without_past(one, other, *means.trimmed(*past))
    return (len(one), len(other)), means.difference(one, other, level)


def _past(evidence: Evidence, check: Check, keys: list[Any]) -> tuple[np.ndarray, np.ndarray] | None:
    """A point a person, as `means.clusters` orders them; who has no past has the mean. None where nobody has one."""
    persons = [np.unique(each.to_numpy()) for each in keys]
    if evidence.past is None or f"{KPI}{check.kpi}" not in evidence.past or not all(map(len, persons)):
        return None
    there = evidence.past.reindex(np.concatenate(persons), fill_value=0)
    sums, counts = (there[f"{kind}{check.kpi}"].to_numpy(dtype=float) for kind in (KPI, COUNT))
    if not counts.sum():
        return None
    points = means.points_of(sums, counts)
    return points[: len(persons[0])], points[len(persons[0]) :]
