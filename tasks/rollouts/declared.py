"""What a use case declares of its rollouts, and what time it is for them."""

from __future__ import annotations

from datetime import UTC, datetime

from configs.errors import InputError
from configs.rollout import Ab, Check, Rollout
from configs.schema import UseCase
from tasks.clock import current_time
from tasks.rollouts.strategies.choose import moving


def declared_by(use_case: UseCase) -> Rollout:
    """What the use case says of its rollouts, with a check of `fairness` wherever groups are protected.

    Raises:
        InputError: it says nothing.
    """
    if use_case.rollout is None:
        raise InputError(
            f"use case {use_case.name!r} declares no 'rollout:', so a version is switched to at once: 'slipway deploy "
            f"{use_case.name} --version N'; docs/rollouts.md shows how stages are written"
        )
    checks = use_case.rollout.checks
    if use_case.fairness is None or any(check.measure == "fairness" for check in checks):
        return use_case.rollout
    return use_case.rollout.model_copy(update={"checks": [*checks, Check.model_validate({"measure": "fairness"})]})


def level_of(declared: Rollout) -> float:
    """The part of `false_rollbacks` that one check of one challenger in one stage may spend, by Bonferroni's inequality.

    It holds however the checks depend on each other, which errors and latency do.
    """
    compared = sum(stage.variants if isinstance(stage, Ab) else 1 for stage in moving(declared))
    return declared.false_rollbacks / (len(declared.checks) * max(compared, 1))


def now(use_case: UseCase) -> datetime:
    """The moment by the clock of the use case: that of the replay where history is replayed."""
    return current_time(use_case) or datetime.now(UTC)
