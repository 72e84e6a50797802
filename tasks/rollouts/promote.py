"""The end for the better: all requests go to the challenger, and what served before goes when it has stayed warm enough."""

from __future__ import annotations

from datetime import timedelta

from prefect import task

from configs.rollout import BlueGreen
from configs.schema import UseCase
from tasks.deploying.move import clear_away, move
from tasks.deploying.switchover import start
from tasks.deploying.values import Release
from tasks.history import record
from tasks.log.encryption import settle
from tasks.rollouts.declared import declared_by, now
from tasks.rollouts.state import change
from tasks.rollouts.values import State
from tasks.routing.splitting import unsplit


@task
def promote(use_case: UseCase, state: State) -> State:
    """The gateway sends everything to the challenger, which is the champion from now on.

    Raises:
        Fenced: the use case was rolled back since the rollout began.
    """
    release = start(_release(state))
    reason = f"rollout {state.id}: {state.reason}"
    move(state.challenger, release, reason, state.began_at_epoch)
    unsplit(use_case.name)
    return change(state, phase="finalising", release=release, stage_began=now(use_case))


@task
def finalise(use_case: UseCase, state: State) -> State:
    """Take down what served before, unless it is to stay warm for longer."""
    left = _warm(use_case, state)
    if left > timedelta(0):
        return change(state, waits=f"version {state.champion.version} stays warm for {left} more")
    clear_away(_release(state), state.began_at_epoch)
    settle(use_case.name)
    why = f"version {state.challenger.version} serves all requests"
    ended = change(state, phase="succeeded", outcome=why, waits="")
    record(use_case.name, "rollout", why, rollout=state.id, version=state.challenger.version, move="succeeded")
    return ended


def _warm(use_case: UseCase, state: State) -> timedelta:
    stage = declared_by(use_case).stages[state.stage]
    if not isinstance(stage, BlueGreen) or state.stage_began is None:
        return timedelta(0)
    return stage.warm - (now(use_case) - state.stage_began)


def _release(state: State) -> Release:
    assert state.release is not None, "it is there from the first stage on"
    return state.release
