"""Deploy: bring a release up beside the one that serves, switch the gateway to it, take the old one down.

Every function can be killed and called again: what there is, is looked at first (`tasks/reconcile.py`).
"""

from __future__ import annotations

import time

import httpx
from prefect import get_run_logger, task
from prefect.artifacts import create_markdown_artifact, create_table_artifact

from configs.errors import CheckFailed, InputError
from serving.bundle import BundleError, read_bundle
from serving.signature import check_signature
from tasks import gateway
from tasks.encryption import settle
from tasks.history import read_history, record
from tasks.keys import internal_key
from tasks.reconcile import Change, difference, observe, releases, take_down
from tasks.registry import crown
from tasks.signing_keys import public_key
from tasks.targets.target import target_of
from tasks.values import BundleRef, Release, Version

READY_SECONDS = 60
RESTARTS = 3
DRAIN_SECONDS = 1.0


class NotTrusted(CheckFailed):
    """A bundle that must not be served."""


class NotReady(CheckFailed):
    """A release did not come up; the message holds its last words."""


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
    """All replicas of a release, up and ready, without traffic. Those that are up already are taken as they are.

    Raises:
        NotTrusted: its bundle was changed, or is not signed with this home's key.
        NotReady: a replica died again and again, or was not ready in time; a release that did not run before is gone again.
    """
    try:
        check_signature(read_bundle(BundleRef(digest=wanted.bundle).path), public_key())
    except BundleError as error:
        raise NotTrusted(str(error)) from None
    internal_key(wanted.use_case)
    before = {release.name: len(release.replicas) for release in releases(wanted.use_case)}
    # Replicas beyond `wanted` stay until the gateway no longer sends them anything; `switch` ends them.
    most = max(wanted.wanted, before.get(wanted.name, 0))
    started = target_of(wanted).bring_up(wanted.model_copy(update={"wanted": most}))
    release = wanted.model_copy(update={"replicas": started.replicas[: wanted.wanted]})
    try:
        _wait_ready(release)
    except NotReady:
        if wanted.name not in before:
            take_down(release)
        raise
    get_run_logger().info("Release %s is ready: %s (%s)", release.name, ", ".join(release.addresses), release.target)
    return release


@task
def switch(version: Version, release: Release, reason: str) -> None:
    """Send all requests to the release, make its version the champion, and take down what served before."""
    gateway.route(release.use_case, release.addresses)
    crown(version)
    _record_deploy(version, release, reason)
    there = releases(release.use_case)
    others = [other for other in there if other.name != release.name]
    surplus = any(len(same.replicas) > release.wanted for same in there if same.name == release.name)
    if others or surplus:
        time.sleep(DRAIN_SECONDS)  # requests on their way to what goes arrive before it stops
    if surplus:
        target_of(release).bring_up(release)
    for other in others:
        try:
            take_down(other)
        except InputError as error:  # its target does not answer now; the next switch sees it again
            get_run_logger().warning("Release %s was not stopped: %s", other.name, error)
    settle(release.use_case)


def _record_deploy(version: Version, release: Release, reason: str) -> None:
    """One entry a change of version, also when a killed switch is done again."""
    deploys = read_history(release.use_case, "deploy")
    previous = deploys[-1]["version"] if deploys else ""
    if previous == version.version:
        return
    record(
        release.use_case,
        "deploy",
        reason,
        version=version.version,
        previous=previous,
        release=release.name,
        target=release.target,
        bundle=version.bundle.digest,
        until=version.tags.get("until", ""),
    )
    create_markdown_artifact(
        key=f"deploy-{release.use_case}",
        markdown=f"# {release.use_case}: version {version.version} serves\n\nBefore: {previous or 'none'}. {reason}",
    )
    get_run_logger().info("%s version %s is the champion: %s", release.use_case, version.version, reason)


def _wait_ready(release: Release) -> None:
    deadline, waiting = time.monotonic() + READY_SECONDS, list(release.addresses)
    before = _restarts(release)
    while waiting:
        waiting = [address for address in waiting if not _is_ready(address, release)]
        late = time.monotonic() > deadline
        if waiting and (late or _restarts(release) - before >= RESTARTS):
            words = target_of(release).last_words(release)
            fate = f"was not ready in {READY_SECONDS} s" if late else "dies at its start"
            raise NotReady(f"release {release.name} {fate}: {words}")
        time.sleep(0.05)


def _is_ready(address: str, release: Release) -> bool:
    try:
        answer = httpx.get(f"{address}/readyz", timeout=2)
    except httpx.TransportError:
        return False
    return answer.status_code == 200 and answer.json()["bundle"] == release.bundle


def _restarts(release: Release) -> int:
    found = next((each for each in target_of(release).observe(release.use_case) if each.name == release.name), release)
    return sum(replica.restarts for replica in found.replicas)
