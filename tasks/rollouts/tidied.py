"""Tidied: nothing is under way."""

from __future__ import annotations

from prefect import task

from configs.schema import UseCase
from tasks.rollouts.take_back import tidy
from tasks.rollouts.values import State


@task
def tidied(use_case: UseCase, state: State | None) -> str:
    """Nothing is under way; what a run that was killed left of the last rollout goes."""
    if state is None:
        return f"no rollout of {use_case.name} was ever begun"
    tidy(state)
    return f"no rollout is under way; the last one, of version {state.challenger.version}, {state.phase}: {state.outcome}"
