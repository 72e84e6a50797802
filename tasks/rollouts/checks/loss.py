"""Loss: how wrong the answers are whose labels have come, in 0 to 1 (`Problem.losses`)."""

from __future__ import annotations

from typing import Any

import numpy as np

from configs.rollout import Check
from tasks.rollouts.evidence import Evidence
from tasks.verdicts import pairs
from tasks.verdicts.judge import judged
from tasks.verdicts.values import Verdict


def loss(evidence: Evidence, check: Check, level: float) -> Verdict | None:
    """The difference of the means; of a shadow that of the same requests, in the order in which their labels came."""
    if evidence.alone:
        return None
    theirs, ours = (rows[rows["target"].notna()].sort_values("told") for rows in (evidence.challenger, evidence.reference))
    if min(len(theirs), len(ours)) == 0:
        return judged(check.name, check.margin, level, (len(theirs), len(ours)), None)
    before, now, _ = evidence.problem.losses(_answered(evidence, ours), _answered(evidence, theirs))
    if evidence.paired:
        each = evidence.by_key(now - before, theirs)
        return judged(check.name, check.margin, level, (len(each), len(each)), pairs.mean(each, level))
    groups = (evidence.cluster(now, theirs), evidence.cluster(before, ours))
    return judged(check.name, check.margin, level, evidence.points(groups), evidence.difference(groups, level))


def _answered(evidence: Evidence, rows: Any) -> tuple[np.ndarray, np.ndarray]:
    return evidence.problem.known(rows["target"]), evidence.problem.judged(evidence.outputs(rows))
