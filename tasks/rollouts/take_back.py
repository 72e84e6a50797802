"""Taking a challenger back: all requests are the champion's again at once, and then its servers go.

It needs no Prefect, no MLflow and no run: only this home's files and the platform.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from configs.errors import CheckFailed
from tasks.deploying.reconcile import releases, take_down
from tasks.deploying.switchover import DRAIN_SECONDS
from tasks.fence import Fenced, switching
from tasks.history import record
from tasks.rollouts.state import Moved, changed_now, last_rollout, under_way
from tasks.rollouts.values import State
from tasks.routing.served import serving
from tasks.routing.splitting import split_of, unsplit


def take_back(state: State, why: str) -> State:
    """End the rollout for the worse. The end is written first: where this is killed, the guard goes on in a second."""
    with switching(state.use_case):
        ended = _end(state, why)
    tidy(ended)
    return ended


def end_rollout(use_case: str, why: str) -> State | None:
    """End whatever rollout is under way, without taking servers down; the caller holds the lock."""
    state = under_way(use_case)
    return None if state is None else _end(state, why)


def _end(state: State, why: str) -> State:
    ended = changed_now(state, phase="failed", outcome=why, waits="")
    told = f"taken back: {why}"
    record(state.use_case, "rollout", told, rollout=state.id, version=state.challenger.version, move="failed")
    unsplit(state.use_case)
    return ended


def left_its_plan(use_case: str) -> bool:
    """Whether the last rollout has ended and its traffic plan still stands, as one has it who was killed in between."""
    state, plan = last_rollout(use_case), split_of(use_case)
    return state is not None and state.ended and plan is not None and plan.salt == state.id


def end_its_plan(use_case: str) -> None:
    """Where the last rollout has ended, its challenger gets no request any more; its servers are for the next look."""
    with switching(use_case):
        if left_its_plan(use_case):
            unsplit(use_case)


@contextmanager
def taken_back_if_it_fails(state: State) -> Iterator[None]:
    """A challenger that a gate keeps out, or that does not come up, has met no request: its rollout is over."""
    try:
        yield
    except CheckFailed as failure:
        if not isinstance(failure, Fenced | Moved):  # who fenced it has ended it, and who spoke is heard by the next look
            take_back(state, str(failure))
        raise


def tidy(state: State) -> None:
    """Take down the servers of a rollout that has ended, but for those of what serves; done again, it finds nothing.

    Of one that never came to its first stage, the releases of its challenger are not written down; no other run may start
    any meanwhile, so they are known by their version.
    """
    own = [state.release, state.baseline, *(each.release for each in state.variants)]
    names = {each.name for each in own if each is not None}
    versions = {state.challenger.version, *(each.version.version for each in state.variants)}
    with switching(state.use_case):
        unsplit(state.use_case)
        now = serving(state.use_case)
        kept = now.release.name if now else ""
        there = [each for each in releases(state.use_case) if each.name != kept]
        left = [each for each in there if each.name in names or each.version in versions]
    if left:
        time.sleep(DRAIN_SECONDS)  # what was sent there is answered before it stops
    for release in left:
        with switching(state.use_case):
            take_down(release)
