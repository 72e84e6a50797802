"""Deploy: bring a release up beside the one that serves, switch the gateway to it, take the old one down.

The steps of a flow around `tasks/deploying/switchover.py`.
"""

from __future__ import annotations

from prefect import get_run_logger, task
from prefect.artifacts import create_table_artifact

from tasks.deploying.move import clear_away, move
from tasks.deploying.reconcile import Change, difference, observe
from tasks.deploying.switchover import start
from tasks.deploying.values import Release
from tasks.log.encryption import settle
from tasks.registry.values import Version

SWITCHING = ("route", "crown", "stop")


@task
def plan(wanted: Release, then_switch: bool) -> list[Change]:
    """Tell what is about to be done, up to the switch where one follows; nothing where all is as it should be."""
    logger, changes = get_run_logger(), difference(wanted, True, observe(wanted.use_case))
    if not then_switch:
        changes = [change for change in changes if change.action not in SWITCHING]
    for change in changes:
        logger.info("Plan: %s %s (%s)", *change)
    if changes:
        table = [change._asdict() for change in changes]
        create_table_artifact(key=f"plan-{wanted.use_case}", table=table, description=f"Release `{wanted.name}`")
    return changes


@task
def bring_up(wanted: Release) -> Release:
    """All replicas of a release, up and ready, without traffic.

    Raises:
        NotTrusted: its bundle was changed, or is not signed with this home's key.
        NotReady: a replica died again and again, or was not ready in time; a release that did not run before is gone again.
    """
    release = start(wanted)
    get_run_logger().info("Release %s is ready: %s (%s)", release.name, ", ".join(release.addresses), release.platform)
    return release


@task
def switch(version: Version, release: Release, reason: str, began: int) -> None:
    """Send all requests to the release, make its version the champion, and take down what served before.

    Raises:
        Fenced: the use case was rolled back after the epoch in which this run began; then its release is gone again.
    """
    move(version, release, reason, began)
    clear_away(release, began)
    settle(release.use_case)
