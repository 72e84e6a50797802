"""Loss: how wrong the answers are whose labels have come, in 0 to 1 (`Problem.losses`)."""

from __future__ import annotations

from functools import partial
from typing import Any

from configs.rollout import Check
from tasks.rollouts.checks.groups import compared
from tasks.rollouts.evidence import Evidence
from tasks.verdicts import pairs
from tasks.verdicts.judge import judged
from tasks.verdicts.trends import Found
from tasks.verdicts.values import Verdict


def loss(evidence: Evidence, check: Check, level: float) -> Verdict | None:
    """The difference of the means; of a shadow that of the same requests, in the order in which their labels came."""
    if evidence.alone:
        return None
    if not evidence.paired:
        return compared(evidence, check, level, partial(_difference, evidence))
    theirs, ours = (_known(rows) for rows in (evidence.challenger, evidence.reference))
    if not len(theirs):
        return judged(check.name, check.margin, level, (0, 0), None)
    before, now, _ = evidence.problem.losses(evidence.answered(ours), evidence.answered(theirs))
    each = evidence.by_key(now - before, theirs)
    return judged(check.name, check.margin, level, (len(each), len(each)), pairs.mean(each, level))


def _difference(evidence: Evidence, theirs: Any, ours: Any, level: float) -> tuple[tuple[int, int], Found | None]:
    theirs, ours = _known(theirs), _known(ours)
    if min(len(theirs), len(ours)) == 0:
        return (len(theirs), len(ours)), None
    before, now, _ = evidence.problem.losses(evidence.answered(ours), evidence.answered(theirs))
    groups = (evidence.cluster(now, theirs), evidence.cluster(before, ours))
    return evidence.points(groups), evidence.difference(groups, level)


def _known(rows: Any) -> Any:
    return rows[rows["target"].notna()].sort_values("told")
