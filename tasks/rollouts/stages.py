"""The steps between two looks: the first stage, its traffic, and what a look leads to."""

from __future__ import annotations

from prefect import get_run_logger, task

from configs.rollout import BlueGreen, Rollout
from configs.schema import UseCase
from tasks.deploying.switchover import NotReady, start
from tasks.deploying.values import Release
from tasks.history import record
from tasks.quarantine import put_in
from tasks.rollouts.carry_out import traffic_of
from tasks.rollouts.decide import Step, decide
from tasks.rollouts.declared import declared_by, now
from tasks.rollouts.looks import keep_look
from tasks.rollouts.state import change
from tasks.rollouts.take_back import take_back
from tasks.rollouts.values import Look, State, Variant
from tasks.rollouts.variants import choose, clear_out, without_the_worse
from tasks.rollouts.words import the_pause, words_of
from tasks.routing.splitting import split, unsplit


@task
def first_stage(use_case: UseCase, state: State, stood: list[Release], baseline: Release | None) -> State:
    """Challengers and baseline are up and tested: the first stage begins."""
    variants = [each.model_copy(update={"release": release}) for each, release in zip(state.variants, stood, strict=False)]
    return _enter(use_case, change(state, release=stood[0], variants=variants, baseline=baseline), 0)


@task
def carry_out(use_case: UseCase, state: State) -> State:
    """The servers of the stage run, and its share of the requests goes to them; what is so already stays as it is.

    A stage's time counts from when every server has taken its traffic plan. A challenger that does not come up any more is
    taken back.
    """
    try:
        up = _up(state)
    except NotReady as error:
        return take_back(state, f"the servers of the stage do not stay up: {error}")
    if up:
        state = change(state, **up)
    plan = traffic_of(declared_by(use_case), state)
    split(use_case.name, plan) if plan else unsplit(use_case.name)
    clear_out(state)
    return change(state, seen=now(use_case)) if state.seen is None else state


@task
def conclude(use_case: UseCase, state: State, look: Look) -> State:
    """Keep what was seen, and do what it leads to: stay, wait for a person, the next stage, all requests, or back."""
    declared = declared_by(use_case)
    keep_look(state, look)
    words = words_of(state)
    ran = state.ran + (0.0 if the_pause(words) or state.seen is None else (look.at - state.seen).total_seconds())
    state, look = without_the_worse(change(state, look=look, seen=look.at, ran=ran), look)
    step = decide(declared, state, words, look)
    _tell(use_case, declared, state, step)
    if step.move == "back":
        if look.worse:
            for challenger in state.challengers:
                put_in(use_case.name, challenger.version, step.why, f"rollout {state.id}")
        return take_back(state, step.why)
    if step.move == "next":
        state = choose(declared, state, look) if state.left else state
        return _enter(use_case, state, state.stage + 1)
    return change(state, phase="waiting" if step.move == "wait" else "progressing", waits=step.why)


def _up(state: State) -> dict[str, object]:
    """The servers of the stage, up; what of the state they change, because they are elsewhere now."""
    alone = {name: each for name in ("release", "baseline") if (each := getattr(state, name)) is not None}
    up = {name: start(each) for name, each in alone.items()}
    changed: dict[str, object] = {name: each for name, each in up.items() if each.addresses != alone[name].addresses}
    variants = [_started(each) for each in state.variants]
    return changed | ({"variants": variants} if variants != state.variants else {})


def _started(variant: Variant) -> Variant:
    if variant.out or variant.release is None:
        return variant
    release = start(variant.release)
    return variant if release.addresses == variant.release.addresses else variant.model_copy(update={"release": release})


def _enter(use_case: UseCase, state: State, stage: int) -> State:
    """The stage begins; behind the last one, and where all goes at once, the challenger is promoted."""
    declared = declared_by(use_case)
    last = stage >= len(declared.stages)
    phase = "promoting" if last or isinstance(declared.stages[stage], BlueGreen) else "progressing"
    kept = {} if last else {"stage": stage}
    return change(state, **kept, phase=phase, stage_began=now(use_case), seen=None, ran=0.0, waits="")


def _tell(use_case: UseCase, declared: Rollout, state: State, step: Step) -> None:
    stage, of = state.stage + 1, len(declared.stages)
    named = f"stage {stage} of {of} ({declared.stages[state.stage].strategy})"
    get_run_logger().info("Rollout of %s, %s: %s: %s", state.who, named, step.move, step.why)
    if step.move in ("next", "back"):
        verdicts = [each.model_dump(mode="json") for each in state.look.verdicts] if state.look else []
        record(
            use_case.name,
            "rollout",
            f"{named}: {step.why}",
            rollout=state.id,
            version=state.challenger.version,
            move=step.move,
            verdicts=verdicts,
        )
