"""A KPI of the business: a number that feedback carries."""

from __future__ import annotations

from configs.rollout import Check
from tasks.log.values import KPI
from tasks.rollouts.evidence import Evidence
from tasks.verdicts import means
from tasks.verdicts.judge import judged
from tasks.verdicts.values import Verdict


def kpi(evidence: Evidence, check: Check, level: float) -> Verdict | None:
    """The difference of the means, the rarest values moved in; a shadow's answers reach nobody, so nothing comes of them."""
    if evidence.paired or evidence.alone:
        return None
    column, sign = f"{KPI}{check.kpi}", -1.0 if check.better == "higher" else 1.0
    known = [rows[rows[column].notna()] for rows in (evidence.challenger, evidence.reference)]
    theirs, ours = (evidence.cluster(sign * rows[column].to_numpy(dtype=float), rows) for rows in known)
    groups = means.trimmed(theirs, ours) if min(len(theirs), len(ours)) else (theirs, ours)
    found = means.difference(*groups, level)
    return judged(check.name, check.margin, level, evidence.points(groups), found)
