"""Errors: requests that the challenger did not answer in time, so that the champion had to."""

from __future__ import annotations

from configs.rollout import Check
from tasks.rollouts.evidence import Evidence
from tasks.verdicts import pairs
from tasks.verdicts.judge import judged
from tasks.verdicts.values import Verdict


def errors(evidence: Evidence, check: Check, level: float) -> Verdict | None:
    """The difference of the shares; of a challenger that gets all, its own. A shadow that fails leaves no pair."""
    if evidence.paired:
        return None
    if evidence.alone:
        own = evidence.by_key((evidence.challenger["fallback"] != "").to_numpy(dtype=float), evidence.challenger)
        return judged(check.name, check.margin, level, (len(own), len(own)), pairs.mean(own, level, low=0.0, high=1.0))
    groups = evidence.groups(lambda rows: (rows["fallback"] != "").to_numpy(dtype=float))
    return judged(check.name, check.margin, level, evidence.points(groups), evidence.difference(groups, level))
