"""Following a flow run that a worker executes: its log as it comes, until it ends."""

from __future__ import annotations

import logging
import time
from typing import Any
from uuid import UUID

from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import LogFilter, LogFilterFlowRunId
from prefect.client.schemas.sorting import LogSort
from prefect.deployments import run_deployment
from prefect.exceptions import ObjectNotFound
from rich.console import Console

from configs.errors import CheckFailed

POLL_SECONDS = 0.5


def start(flow: str, use_case: str, **parameters: Any) -> UUID:
    """Schedule a run of a use case's deployment now."""
    run: Any = run_deployment(f"{flow}/{use_case}", parameters=parameters, timeout=0, as_subflow=False)
    return run.id


def follow(run_id: UUID, screen: Console) -> None:
    """Print a run's log lines until it ends.

    Raises:
        CheckFailed: it did not complete; the message is its last state's.
    """
    printed = 0
    with get_client(sync_client=True) as client:
        while True:
            run = client.read_flow_run(run_id)
            printed += _print_logs(client, run_id, printed, screen)
            if run.state is not None and run.state.is_final():
                break
            time.sleep(POLL_SECONDS)
        time.sleep(2 * POLL_SECONDS)  # the last lines are on their way
        _print_logs(client, run_id, printed, screen)
    if not run.state.is_completed():
        raise CheckFailed(f"flow run {run.name}: {run.state.name}: {run.state.message}")


def _print_logs(client: Any, run_id: UUID, offset: int, screen: Console) -> int:
    """What the flow and its tasks said, and each step as it ends; not what the worker says of itself."""
    wanted = LogFilter(flow_run_id=LogFilterFlowRunId(any_=[run_id]))
    lines = client.read_logs(wanted, limit=200, offset=offset, sort=LogSort.TIMESTAMP_ASC)
    for number, line in enumerate(lines):
        message = line.message
        if line.name not in ("prefect.flow_runs", "prefect.task_runs") or line.level < logging.INFO:
            continue
        if message.startswith(("  ", "Running 1 deployment", "Executing deployment", "Deployment step", "All deployment")):
            continue  # the steps of a docker build and of the worker are in the Prefect UI
        if message.startswith("Finished in state") and line.task_run_id is not None:
            try:
                step = client.read_task_run(line.task_run_id).name.rsplit("-", 1)[0]
            except ObjectNotFound:  # a busy server has the log first; this line comes with the next look
                return number
            message = f"{step}: {message.split()[3].split('(')[0]}"
        style = "dim" if line.level < logging.WARNING else "yellow"
        screen.print(f"  {line.timestamp:%H:%M:%S} {message}", style=style, markup=False, highlight=False)
    return len(lines)
