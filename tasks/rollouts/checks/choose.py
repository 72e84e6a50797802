"""The one place where a check is chosen by its measure."""

from __future__ import annotations

from collections.abc import Callable

from configs.rollout import Check
from tasks.rollouts.checks.changed import changed
from tasks.rollouts.checks.errors import errors
from tasks.rollouts.checks.fairness import fairness
from tasks.rollouts.checks.kpi import kpi
from tasks.rollouts.checks.latency import latency
from tasks.rollouts.checks.loss import loss
from tasks.rollouts.checks.slices import by_slice
from tasks.rollouts.evidence import Evidence
from tasks.verdicts.values import Verdict

# Each says nothing (None) of a stage in which its measure cannot be.
CHECKS: dict[str, Callable[[Evidence, Check, float], Verdict | None]] = {
    "errors": errors,
    "latency": latency,
    "changed": changed,
    "loss": loss,
    "kpi": kpi,
    "fairness": fairness,
}


def checked(evidence: Evidence, check: Check, level: float) -> Verdict | None:
    """What the check says of the stage; nothing where its measure cannot be."""
    look = CHECKS[check.measure]
    return by_slice(look, evidence, check, level) if check.by else look(evidence, check, level)
