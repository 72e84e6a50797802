"""Rollout: a challenger meets real requests, stage by stage."""

from __future__ import annotations

from prefect import flow

from configs.load import load_use_case
from configs.schema import UseCase
from flows.chain import stand_beside
from tasks.lock import one_at_a_time
from tasks.monitoring.alerts.tell_rollout import tell_rollout
from tasks.monitoring.keep_looking import keep_looking
from tasks.monitoring.watch import watch
from tasks.people import may
from tasks.registry.versions import get_version
from tasks.rollouts.approve import ask_for_approval
from tasks.rollouts.baseline import fresh_baseline
from tasks.rollouts.begin import begin
from tasks.rollouts.look import look_at
from tasks.rollouts.promote import finalise, promote
from tasks.rollouts.stages import carry_out, conclude, first_stage
from tasks.rollouts.state import Moved, last_rollout
from tasks.rollouts.take_back import taken_back_if_it_fails
from tasks.rollouts.tell import told
from tasks.rollouts.tidied import tidied
from tasks.rollouts.values import State


@flow(name="rollout", flow_run_name="rollout-{use_case}")
def rollout(
    use_case: str = "flights",
    version: str | None = None,
    reason: str = "rolled out by a person",
    others: list[str] | None = None,
) -> str:
    """Begin a rollout, or look at the one that is under way, and do what it leads to; no run waits for a stage to end.

    Args:
        use_case: A name in `configs/`.
        version: The version to roll out. Empty: go on with the rollout that is under way, if there is one.
        reason: Why, for the history.
        others: Further versions, where the first stage is an A/B test of several.

    Returns:
        Where the rollout stands, in one line.
    """
    case = load_use_case(use_case)
    with one_at_a_time(case.name) as began:
        state = _begun(case, [version, *(others or [])], reason, began) if version else last_rollout(case.name)
        if state is None or state.ended:
            if state is not None and case.rollout:  # a person may have ended it between two looks
                show(case, state)
            keep_looking(case, False)
            return tidied(case, state)
        keep_looking(case, True)
        try:
            state = go_on(case, state)
        except Moved as moved:  # a person said something in between: the next look heeds it
            return str(moved)
        line = show(case, state)
        keep_looking(case, not state.ended)  # last, so that an end that nobody was told of is looked at again
    return line


def show(case: UseCase, state: State) -> str:
    """Where it stands, on a page and as an artifact; people are told of its end, and asked when it waits for them."""
    line = told(case, state)
    tell_rollout(case, state)
    ask_for_approval(case, state)
    return line


def _begun(case: UseCase, versions: list[str], reason: str, began: int) -> State:
    person = may("operator", "begin a rollout")
    return begin(case, [get_version(case.name, each) for each in versions], reason, began, person.name)


def go_on(case: UseCase, state: State) -> State:
    """Bring the challenger up, look at its stages for as long as one ends, and send it everything behind the last."""
    if state.phase == "initialising":
        with taken_back_if_it_fails(state):
            stood = [stand_beside(case, each) for each in state.challengers]
            state = first_stage(case, state, stood, fresh_baseline(case, state))
    while state.phase in ("progressing", "waiting"):
        before, state = state.traffic, carry_out(case, state)
        state = state if state.ended else conclude(case, state, look_at(case, state))
        if state.traffic == before:
            break
    if state.phase == "promoting":
        state = promote(case, state)
        watch(case)
    return finalise(case, state) if state.phase == "finalising" else state
