"""Changed decisions: the share of requests that the challenger would have decided otherwise, which only a shadow knows."""

from __future__ import annotations

from configs.rollout import Check
from tasks.rollouts.evidence import Evidence
from tasks.verdicts import pairs
from tasks.verdicts.judge import judged
from tasks.verdicts.values import Verdict


def changed(evidence: Evidence, check: Check, level: float) -> Verdict | None:
    """At most `margin` of them may differ."""
    if not evidence.paired:
        return None
    theirs, ours = (evidence.problem.decisions(evidence.outputs(rows)) for rows in (evidence.challenger, evidence.reference))
    each = evidence.by_key((theirs != ours).astype(float), evidence.challenger)
    found = pairs.mean(each, level, low=0.0, high=1.0)
    return judged(check.name, check.margin, level, (len(each), len(each)), found, " of decisions changed")
