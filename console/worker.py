"""The Prefect worker of a home: `python -m console.worker POOL`, kept running like every service.

It waits until the home's server answers, settles what the worker before it left, and then is Prefect's own process worker.
"""

from __future__ import annotations

import os
import sys
import time
from typing import Any

import httpx
import psutil

# Where a run's process is found: Prefect starts each with its run's id in the environment.
RUN_ID = "PREFECT__FLOW_RUN_ID"


def main(pool: str) -> None:
    """Be the worker, until SIGTERM or until the server is away for longer than Prefect waits for it."""
    _await_server()
    _settle(pool)
    from prefect.cli import app

    sys.argv = ["prefect", "worker", "start", "--pool", pool, "--type", "process", "--name", pool]
    app()


def _await_server() -> None:
    address = f"{os.environ['PREFECT_API_URL']}/health"
    while True:
        try:
            if httpx.get(address, timeout=5).status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)


def _settle(pool: str) -> None:
    """Runs whose process lives go on by themselves. One that had not begun is due again, one that was cut off is told so.

    Otherwise each would hold its deployment's only slot for ever.
    """
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.objects import StateType
    from prefect.states import Crashed, Scheduled

    with get_client(sync_client=True) as client:
        for run in _unfinished(client, pool):
            if str(run.id) in _running():
                print(f"Flow run {run.name} goes on", flush=True)
            elif run.state_type == StateType.PENDING:
                client.set_flow_run_state(run.id, Scheduled(message="Its worker ended before it began"), force=True)
                print(f"Flow run {run.name} had not begun, and is due again", flush=True)
            else:
                message = "Its worker was stopped; run it again to go on from here"
                client.set_flow_run_state(run.id, Crashed(message=message), force=True)
                print(f"Flow run {run.name} was stopped with its worker", flush=True)


def _unfinished(client: Any, pool: str) -> list[Any]:
    from prefect.client.schemas.filters import (
        FlowRunFilter,
        FlowRunFilterState,
        FlowRunFilterStateType,
        WorkPoolFilter,
        WorkPoolFilterName,
    )
    from prefect.client.schemas.objects import StateType

    unfinished = FlowRunFilterStateType(any_=[StateType.RUNNING, StateType.PENDING, StateType.CANCELLING])
    return list(
        client.read_flow_runs(
            flow_run_filter=FlowRunFilter(state=FlowRunFilterState(type=unfinished)),
            work_pool_filter=WorkPoolFilter(name=WorkPoolFilterName(any_=[pool])),
        )
    )


def _running() -> set[str]:
    """The flow runs that a process of this machine carries."""
    found = set()
    for process in psutil.process_iter():
        try:
            found.add(process.environ().get(RUN_ID, ""))
        except (psutil.NoSuchProcess, psutil.AccessDenied, OSError):  # gone, or somebody else's
            continue
    return found


if __name__ == "__main__":
    main(sys.argv[1])
