"""Bringing a release up, and sending it the traffic: plain functions, for flows and for a rollback that has no flow.

Every one can be killed and called again: what there is, is looked at first (`tasks/deploying/reconcile.py`).
"""

from __future__ import annotations

import time

import httpx

from configs.errors import CheckFailed
from serving.scoring.bundle import BundleError, read_bundle
from serving.security.signature import check_signature
from tasks.deploying.keys import internal_key
from tasks.deploying.platforms.platform import platform_of
from tasks.deploying.reconcile import releases, take_down
from tasks.deploying.values import Release
from tasks.history import record
from tasks.packaging.signing_keys import public_key
from tasks.packaging.values import BundleRef
from tasks.registry.values import Version
from tasks.routing import gateway
from tasks.routing.released import released_version
from tasks.routing.served import forget_served, keep_served, restore_served, served_version
from tasks.routing.splitting import forget_splits, halt_first

READY_SECONDS = 60
RESTARTS = 3
DRAIN_SECONDS = 1.0


class NotTrusted(CheckFailed):
    """A bundle that must not be served."""


class NotReady(CheckFailed):
    """A release did not come up; the message holds its last words."""


def start(wanted: Release) -> Release:
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
    started = platform_of(wanted).bring_up(wanted.model_copy(update={"wanted": most}))
    release = wanted.model_copy(update={"replicas": started.replicas[: wanted.wanted]})
    try:
        _wait_ready(release)
    except NotReady:
        if wanted.name not in before:
            take_down(release)
        raise
    return release


def send(version: Version, release: Release, reason: str, rolled_back_by: str = "") -> str | None:
    """Send all requests to the release, and write that down; the caller holds the lock of `tasks/fence.py`.

    Returns:
        The version that served before; None where it was this one, also when a killed switch is done again.
    """
    halt_first(release)
    before = served_version(release.use_case, version.version)
    keep_served(version, release)
    try:
        gateway.route(release.use_case, release.addresses)
    except BaseException:
        if before is None:
            forget_served(release.use_case, version.version)
        else:
            restore_served(before)
        raise
    forget_splits(release.use_case, keep=release.name)  # a plan ends with the release that carried it out
    previous = released_version(release.use_case)
    if previous == version.version:
        return None
    record(
        release.use_case,
        "deploy",
        reason,
        version=version.version,
        previous=previous,
        release=release.name,
        platform=release.platform,
        bundle=version.bundle.digest,
        until=version.tags.get("until", ""),
        rollback=bool(rolled_back_by),
        by=rolled_back_by,
    )
    return previous


def _wait_ready(release: Release) -> None:
    deadline, waiting = time.monotonic() + READY_SECONDS, list(release.addresses)
    before = _restarts(release)
    while waiting:
        waiting = [address for address in waiting if not _is_ready(address, release)]
        late = time.monotonic() > deadline
        if waiting and (late or _restarts(release) - before >= RESTARTS):
            words = platform_of(release).last_words(release)
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
    found = next((each for each in platform_of(release).observe(release.use_case) if each.name == release.name), release)
    return sum(replica.restarts for replica in found.replicas)
