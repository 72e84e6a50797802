"""Moving all traffic to a release, and clearing away what served before: at once by a deploy, in two steps by a rollout."""

from __future__ import annotations

import time

from prefect import get_run_logger
from prefect.artifacts import create_markdown_artifact

from configs.errors import InputError
from tasks.deploying.platforms.platform import platform_of
from tasks.deploying.reconcile import releases, take_down
from tasks.deploying.switchover import DRAIN_SECONDS, send
from tasks.deploying.values import Release
from tasks.fence import Fenced, switching
from tasks.registry.values import Version
from tasks.registry.versions import the_champion
from tasks.routing.served import serving


def move(version: Version, release: Release, reason: str, began: int) -> None:
    """Send all requests to the release and make its version the champion; what served before goes on running.

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


def clear_away(release: Release, began: int) -> None:
    """Take down every other release of the use case, and replicas beyond those wanted.

    Raises:
        Fenced: the use case was rolled back after that epoch.
    """
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
