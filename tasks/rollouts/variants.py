"""Several challengers at once: those that are worse leave, and of those that are left one goes on."""

from __future__ import annotations

import time
from collections.abc import Mapping

from configs.rollout import Rollout
from tasks.deploying.reconcile import releases, take_down
from tasks.deploying.switchover import DRAIN_SECONDS
from tasks.fence import switching
from tasks.history import record
from tasks.quarantine import put_in
from tasks.rollouts.state import change
from tasks.rollouts.values import Look, State


def without_the_worse(state: State, look: Look) -> tuple[State, Look]:
    """The rollout without the variants that the look found to be worse, and what it says of the others.

    Where none would be left, both stay as they are: then the rollout is taken back.
    """
    why: dict[str, str] = {}
    for each in look.worse:
        why[each.variant] = f"{why[each.variant]}; {each.reason}" if each.variant in why else each.reason
    if not why or not any(each.arm not in why for each in state.left):
        return state, look
    kept = [each for each in look.verdicts if each.variant not in why]
    return drop(state, why, f"rollout {state.id}"), look.model_copy(update={"verdicts": kept})


def drop(state: State, why: Mapping[str, str], by: str) -> State:
    """These variants (by arm) are worse: the champion answers what is theirs, and they are in quarantine."""
    for each in state.left:
        if each.arm in why:
            put_in(state.use_case, each.version.version, why[each.arm], by)
    _told_out(state, why)
    return _out(state, why)


def choose(declared: Rollout, state: State, look: Look) -> State:
    """One variant is the challenger from now on: the best by the first check that knows something of each of them.

    `required` checks are asked first. Where no check does, it is the one that was named first.
    """
    estimates, measure = dict[str, float](), ""
    for check in sorted(declared.checks, key=lambda check: not check.required):
        found = {each.variant: each.estimate for each in look.verdicts if each.check == check.name}
        known = {each.arm: estimate for each in state.left if (estimate := found.get(each.arm)) is not None}
        if len(known) == len(state.left):
            estimates, measure = known, check.name
            break
    best = min(state.left, key=lambda each: estimates.get(each.arm, 0.0))
    reason = _why(state, measure, estimates)
    version = best.version.version
    _told_out(state, {each.arm: f"version {version} was chosen: {reason}" for each in state.left if each != best})
    record(state.use_case, "rollout", f"chosen: {reason}", rollout=state.id, version=version, move="chosen")
    chosen = change(state, challenger=best.version, release=best.release)
    return _out(chosen, {each.arm: f"version {version} was chosen: {reason}" for each in state.left})


def _why(state: State, measure: str, estimates: Mapping[str, float]) -> str:
    if len(state.left) == 1:
        return "it is the only one left"
    if not estimates:
        return "it was named first, and no check tells them apart"
    told = ", ".join(f"{arm} {value:+.4g}" for arm, value in estimates.items())
    return f"best by {measure!r}; worse than the champion by: {told}"


def clear_out(state: State) -> None:
    """Take down the servers of the variants that are out; the traffic plan sends them nothing any more."""
    kept = {each.name for each in (state.release, state.baseline) if each is not None}
    names = {each.release.name for each in state.variants if each.out and each.release is not None} - kept
    left = [each for each in releases(state.use_case) if each.name in names] if names else []
    if left:
        time.sleep(DRAIN_SECONDS)  # what was sent there is answered before it stops
    for release in left:
        with switching(state.use_case, state.began_at_epoch):
            take_down(release)


def _told_out(state: State, why: Mapping[str, str]) -> None:
    for each in state.left:
        if each.arm in why:
            told = f"version {each.version.version} is out: {why[each.arm]}"
            record(state.use_case, "rollout", told, rollout=state.id, version=each.version.version, move="out")


def _out(state: State, why: Mapping[str, str]) -> State:
    """Where the challenger is out and others are left, it is the first of those: a page never speaks of one that is out."""
    variants = [each.model_copy(update={"out": why[each.arm]}) if each.arm in why else each for each in state.variants]
    left = [each for each in variants if not each.out]
    if not left or state.challenger in [each.version for each in left]:
        return change(state, variants=variants)
    return change(state, variants=variants, challenger=left[0].version, release=left[0].release)
