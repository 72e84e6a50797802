"""Approval: a person says yes or no to a rollout in Prefect's own form, and no worker is held until then."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from prefect import flow
from prefect.flow_runs import suspend_flow_run
from prefect.input import RunInput
from pydantic import Field, SecretStr

from configs.load import load_use_case
from configs.rollout import Approval
from flows.rollout import rollout as go_on
from tasks.rollouts.approve import approved
from tasks.rollouts.declared import declared_by
from tasks.rollouts.state import last_rollout
from tasks.rollouts.tell import page

LONGER = timedelta(days=1)  # what happens when nobody answers is the rollout's to say, which then cancels this run


class Answer(RunInput):
    """What the form asks for; `key` where the home has a table of people (`slipway people`), who else could be anybody."""

    decision: Literal["approve", "reject"]
    comment: str = Field(min_length=1, description="Why; it is kept.")
    key: SecretStr = Field(SecretStr(""), description="Your API key, where 'slipway people list' shows a table.")


@flow(name="approval", flow_run_name="approval-{use_case}-{stage}", persist_result=True)
def approval(use_case: str = "flights", rollout: str = "", stage: int = 0) -> str:
    """Wait for a person's word to a stage that needs an approval, suspended; then keep it, and do what it leads to.

    Args:
        use_case: A name in `configs/`.
        rollout: The id of the rollout.
        stage: The place of the stage, from 0.

    Returns:
        Where the rollout stands after it, in one line.
    """
    case = load_use_case(use_case)
    state, declared = last_rollout(case.name), declared_by(case)
    if state is None or (state.id, state.stage) != (rollout, stage) or state.ended:
        return f"rollout {rollout or 'of no name'} does not wait for an approval of stage {stage + 1} any more"
    waits = declared.stages[stage]
    within = waits.within + LONGER if isinstance(waits, Approval) else LONGER
    form = Answer.with_initial_data(description=page(declared, state))
    answer = suspend_flow_run(wait_for_input=form, timeout=round(within.total_seconds()))
    approved(case, answer.decision, answer.comment, answer.key.get_secret_value())
    return go_on(case.name)
