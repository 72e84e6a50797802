"""Errors: requests that the challenger did not answer in time, so that the champion had to."""

from __future__ import annotations

from configs.rollout import Check
from tasks.rollouts.evidence import Evidence
from tasks.verdicts.judge import judged
from tasks.verdicts.values import Verdict


def errors(evidence: Evidence, check: Check, level: float) -> Verdict | None:
    """The difference of the shares; a shadow that fails leaves no pair, so pairs say nothing."""
    if evidence.paired:
        return None
    groups = evidence.groups(lambda rows: (rows["fallback"] != "").to_numpy(dtype=float))
    return judged(check.name, check.margin, level, evidence.points(groups), evidence.difference(groups, level))
