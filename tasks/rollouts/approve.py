"""Approvals in Prefect: a suspended run with a form for each stage that waits for one, and what is typed into it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from prefect import task
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import (
    DeploymentFilter,
    DeploymentFilterName,
    FlowFilter,
    FlowFilterName,
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import StateType
from prefect.deployments import run_deployment
from prefect.runtime import flow_run
from prefect.states import Cancelled

from configs.rollout import Approval
from configs.schema import UseCase
from tasks.rollouts.declared import declared_by
from tasks.rollouts.say import say
from tasks.rollouts.values import Said, State

FLOW = "approval"
OPEN = [StateType.SCHEDULED, StateType.PENDING, StateType.RUNNING, StateType.PAUSED]


@task
def ask_for_approval(use_case: UseCase, state: State) -> None:
    """One form is open while a stage waits for an approval, and none else; again changes nothing."""
    stage = declared_by(use_case).stages[state.stage]
    waits = isinstance(stage, Approval) and state.phase == "waiting"
    wanted = {"use_case": use_case.name, "rollout": state.id, "stage": state.stage}
    with get_client(sync_client=True) as client:
        there = open_forms(client, use_case.name)
        for run in there:
            over = not waits or run.parameters != wanted
            if over and run.state_type != StateType.RUNNING:  # one that runs has been answered, and ends by itself
                client.set_flow_run_state(run.id, Cancelled(message="nobody has to approve this any more"), force=True)
    if waits and not any(run.parameters == wanted for run in there):
        key = f"{state.id}.{state.stage}.{flow_run.get_id()}"  # a request that the client sends again opens no second form
        run_deployment(f"{FLOW}/{use_case.name}", parameters=wanted, timeout=0, as_subflow=False, idempotency_key=key)


def approved(use_case: UseCase, said: Said, comment: str, key: str) -> State:
    """Keep the word of whoever filled in the form, of which Prefect's database keeps nothing."""
    run = UUID(flow_run.get_id() or "")
    with get_client(sync_client=True) as client:
        for each in client.filter_flow_run_input(run, "", limit=200, exclude_keys=set()):
            client.delete_flow_run_input(run, each.key)
    return say(use_case, said, comment, key)


def open_forms(client: Any, use_case: str) -> list[Any]:
    """The runs of a use case's approvals that have not ended."""
    return list(
        client.read_flow_runs(
            flow_filter=FlowFilter(name=FlowFilterName(any_=[FLOW])),
            deployment_filter=DeploymentFilter(name=DeploymentFilterName(any_=[use_case])),
            flow_run_filter=FlowRunFilter(state=FlowRunFilterState(type=FlowRunFilterStateType(any_=OPEN))),
        )
    )
