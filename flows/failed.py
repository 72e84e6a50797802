"""Failed: a flow run that failed or crashed, told to people."""

from __future__ import annotations

from prefect import flow

from configs.load import load_use_case
from tasks.monitoring.alerts.failed_run import tell_failed_run


@flow(name="failed", flow_run_name="failed-{use_case}")
def failed(use_case: str = "flights", run: str = "", run_id: str = "", state: str = "Failed", message: str = "") -> str:
    """Tell people, by the channels of `monitoring.notify`. Started by Prefect where a run of a deployment fails or crashes.

    Args:
        use_case: The use case whose run it was.
        run: The name of the run.
        run_id: Prefect's name of it as a resource, for the link.
        state: How it ended.
        message: What it said.

    Returns:
        What they were told.
    """
    return tell_failed_run(load_use_case(use_case), run, run_id, state, message)
