"""The one place where a strategy is chosen."""

from __future__ import annotations

from configs.rollout import Rollout, Stage
from tasks.rollouts.strategies.cohort import Pilot
from tasks.rollouts.strategies.shadow import DarkLaunch
from tasks.rollouts.strategies.share import Share
from tasks.rollouts.strategies.strategy import Strategy

# Those that move traffic. An approval leaves it as it is, blue and green know only all or nothing.
STRATEGIES: dict[str, Strategy] = {"shadow": DarkLaunch(), "canary": Share(), "ab": Share(), "cohort": Pilot()}


def in_force(declared: Rollout, stage: int) -> int | None:
    """The place of the last stage up to this one that moves traffic: an approval after a canary leaves it as it is."""
    return next((n for n in range(stage, -1, -1) if declared.stages[n].strategy in STRATEGIES), None)


def moving(declared: Rollout) -> list[Stage]:
    """The stages that move traffic, and so are looked at."""
    return [each for each in declared.stages if each.strategy in STRATEGIES]
