"""The Prefect work pool of a home: its name is the home's own, and its runs outlive the worker that started them."""

from __future__ import annotations

from configs.settings import pool


def make_pool() -> None:
    """Make the pool, or make it as it should be.

    Runs do not write into a pipe of the worker's: when it is killed they would die of the broken pipe at the next line that
    they print. What they say goes to Prefect.
    """
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.actions import WorkPoolCreate
    from prefect.workers.process import ProcessWorker

    template = ProcessWorker.get_default_base_job_template()
    template["variables"]["properties"]["stream_output"]["default"] = False
    wanted = WorkPoolCreate(name=pool(), type=ProcessWorker.type, base_job_template=template)
    with get_client(sync_client=True) as client:
        client.create_work_pool(wanted, overwrite=True)
