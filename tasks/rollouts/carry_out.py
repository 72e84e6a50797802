"""The traffic of a stage: made of the state alone, so that it can be carried out again and again."""

from __future__ import annotations

from msgspec.structs import replace

from configs.rollout import CHALLENGER, Rollout
from serving.traffic.plan import Arm, Plan
from tasks.deploying.values import Release
from tasks.rollouts.strategies.choose import STRATEGIES, in_force, moving
from tasks.rollouts.values import State

BASELINE = "baseline"


def traffic_of(declared: Rollout, state: State) -> Plan | None:
    """The split of the state's stage; None where all requests are the champion's."""
    place = in_force(declared, state.stage)
    if place is None or state.phase not in ("progressing", "waiting") or state.release is None:
        return None
    stage = declared.stages[place]
    empty = Plan(
        id=plan_id(state, place),
        salt=state.id,
        key=declared.key,
        without=declared.without_key,
        late_ms=round(declared.late.total_seconds() * 1000),
    )
    baseline = _arm(BASELINE, state.baseline) if state.baseline else None
    return STRATEGIES[stage.strategy].split(stage, empty, _challengers(state), baseline)


def arms_of(state: State) -> list[str]:
    """The arms of the challengers that are looked at."""
    return [each.arm for each in state.left] or [CHALLENGER]


def plan_id(state: State, place: int) -> str:
    """What records and metrics call the traffic of a stage."""
    return f"{state.id}.{place + 1}"


def wants_baseline(declared: Rollout) -> bool:
    """Whether some stage compares with a fresh baseline of the champion."""
    return any(STRATEGIES[each.strategy].shares(each)[1] for each in moving(declared))


def _challengers(state: State) -> list[Arm]:
    """One that is out keeps its share, which the champion answers: nobody moves from one model to another for it."""
    if not state.left:
        assert state.release is not None, "it is there from the first stage on"
        return [_arm(CHALLENGER, state.release)]
    arms = [(each, _arm(each.arm, each.release)) for each in state.variants if each.release is not None]
    return [replace(arm, addresses=()) if each.out else arm for each, arm in arms]


def _arm(name: str, release: Release) -> Arm:
    return Arm(name=name, version=release.version, release=release.name, addresses=tuple(release.addresses), share=0.0)
