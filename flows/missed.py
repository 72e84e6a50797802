"""Missed: a monitoring run that did not happen, told to people."""

from __future__ import annotations

from prefect import flow

from configs.load import load_use_case
from tasks.monitoring.alerts.missed_run import tell_missed_run


@flow(name="missed", flow_run_name="missed-{use_case}")
def missed(use_case: str = "flights", waited: str = "26 hours") -> str:
    """Tell people, by the channels of `monitoring.notify`. Started by Prefect where `slipway.monitored` stays away.

    Args:
        use_case: A name in `configs/`.
        waited: For how long it stayed away, for the message.

    Returns:
        What they were told.
    """
    return tell_missed_run(load_use_case(use_case), waited)
