"""Deploy: bring a release up beside the one that serves, switch the gateway to it, take the old one down.

The steps of a flow around `tasks/deploying/switchover.py`.
"""

from __future__ import annotations

import time

from prefect import get_run_logger, task
from prefect.artifacts import create_markdown_artifact, create_table_artifact

from configs.errors import InputError
from tasks.deploying.platforms.platform import platform_of
from tasks.deploying.reconcile import Change, difference, observe, releases, take_down
from tasks.deploying.switchover import DRAIN_SECONDS, send, start
from tasks.deploying.values import Release
from tasks.fence import Fenced, switching
from tasks.log.encryption import settle
from tasks.registry.values import Version
from tasks.registry.versions import the_champion
from tasks.routing.served import serving


@task
def plan(wanted: Release) -> list[Change]:
    """Tell what is about to be done; nothing where all is as it should be."""
    logger, changes = get_run_logger(), difference(wanted, True, observe(wanted.use_case))
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
    try:
        with switching(release.use_case, began):
            previous = send(version, release, reason)
    except Fenced:
        _withdraw(release)
        raise
    if previous is not None:
        _tell(version, previous, reason)
    the_champion(release.use_case)  # MLflow's alias follows what serves
    there = releases(release.use_case)
    others = [other for other in there if other.name != release.name]
    surplus = any(len(same.replicas) > release.wanted for same in there if same.name == release.name)
    if others or surplus:
        time.sleep(DRAIN_SECONDS)  # requests on their way to what goes arrive before it stops
    if surplus:
        with switching(release.use_case, began):
            platform_of(release).bring_up(release)
    for other in others:
        with switching(release.use_case, began):  # a rollback may be about to send it the traffic again
            _end(other)
    settle(release.use_case)


def _withdraw(release: Release) -> None:
    """Take the release down again, unless the rollback went back to just this one."""
    with switching(release.use_case):
        now = serving(release.use_case)
        if now is None or now.release.name != release.name:
            take_down(release)


def _end(release: Release) -> None:
    try:
        take_down(release)
    except InputError as error:  # its platform does not answer now; the next switch sees it again
        get_run_logger().warning("Release %s was not stopped: %s", release.name, error)


def _tell(version: Version, previous: str, reason: str) -> None:
    create_markdown_artifact(
        key=f"deploy-{version.use_case}",
        markdown=f"# {version.use_case}: version {version.version} serves\n\nBefore: {previous or 'none'}. {reason}",
    )
    get_run_logger().info("%s version %s is the champion: %s", version.use_case, version.version, reason)
