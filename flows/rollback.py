"""Rollback: the version that served before serves again."""

from __future__ import annotations

from prefect import flow

from tasks.rollouts.rollback import rolled_back


@flow(name="rollback", flow_run_name="rollback-{use_case}")
def rollback(use_case: str = "flights", version: str | None = None, reason: str = "rolled back by a person") -> str:
    """Put an earlier version back behind the gateway, at once: it waits for no run, and fences those that go on.

    `slipway rollback` does the same without Prefect.

    Args:
        use_case: The use case to roll back.
        version: The version to go back to. Empty: the one that what serves took over from when it was first switched to.
        reason: Why, for the history.

    Returns:
        The version that serves.
    """
    return rolled_back(use_case, version, reason)
