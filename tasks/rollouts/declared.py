"""What a use case declares of its rollouts, and what time it is for them."""

from __future__ import annotations

from datetime import UTC, datetime

from configs.errors import InputError
from configs.rollout import Rollout
from configs.schema import UseCase
from tasks.clock import current_time


def declared_by(use_case: UseCase) -> Rollout:
    """What the use case says of its rollouts.

    Raises:
        InputError: it says nothing.
    """
    if use_case.rollout is None:
        raise InputError(
            f"use case {use_case.name!r} declares no 'rollout:', so a version is switched to at once: 'slipway deploy "
            f"{use_case.name} --version N'; docs/rollouts.md shows how stages are written"
        )
    return use_case.rollout


def now(use_case: UseCase) -> datetime:
    """The moment by the clock of the use case: that of the replay where history is replayed."""
    return current_time(use_case) or datetime.now(UTC)
