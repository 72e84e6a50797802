"""Rollback: the version that served before serves again."""

from __future__ import annotations

from prefect import flow

from configs.load import load_use_case
from flows.chain import roll_out
from tasks.lock import one_at_a_time
from tasks.previous import previous_version
from tasks.registry import get_version


@flow(name="rollback", flow_run_name="rollback-{use_case}")
def rollback(use_case: str = "flights", version: str | None = None, reason: str = "rolled back by a person") -> str:
    """Put an earlier version back behind the gateway, tested like any release.

    Args:
        use_case: A name in `configs/`.
        version: The version to go back to. Empty: the one that served before the champion was first deployed.
        reason: Why, for the history.

    Returns:
        The version that serves.
    """
    case = load_use_case(use_case)
    with one_at_a_time(case.name):
        target = get_version(case.name, version or previous_version(case.name))
        roll_out(case, target, reason)
    return target.version
