"""Deploy: bring a release up beside the one that serves, switch the gateway to it, take the old one down.

What should run is described by a version; what does run is kept in `releases/` of the use case and checked against the
target. Every function can be killed and called again.
"""

from __future__ import annotations

import time
from pathlib import Path
from types import ModuleType

import httpx
from prefect import get_run_logger, task
from prefect.artifacts import create_markdown_artifact

from configs.errors import CheckFailed, InputError
from configs.schema import UseCase
from configs.settings import made, use_case_home
from serving.bundle import BundleError, read_bundle
from serving.signature import check_signature
from tasks import gateway
from tasks.history import read_history, record
from tasks.keys import internal_key
from tasks.registry import crown
from tasks.signing_keys import public_key
from tasks.targets import docker, local
from tasks.targets.settings import settings_digest
from tasks.values import Image, Release, Version, write_atomically

READY_SECONDS = 60
DRAIN_SECONDS = 1.0
TARGETS: dict[str, ModuleType] = {"local": local, "docker": docker}


class NotTrusted(CheckFailed):
    """A bundle that must not be served."""


class NotReady(CheckFailed):
    """A release did not come up; the message holds its last words."""


@task
def start(use_case: UseCase, version: Version, image: Image) -> Release:
    """The version's release, up and ready, without traffic. One that is up already is taken as it is.

    Raises:
        NotTrusted: its bundle was changed, or is not signed with this home's key.
        NotReady: it died, or was not ready in time.
    """
    settings = settings_digest(use_case)
    name = f"{use_case.name}-v{version.version}-{version.bundle.digest[:8]}-{image.target}-{settings}"
    before = next((r for r in releases(use_case.name) if r.name == name), None)
    if before and TARGETS[before.target].alive(before):
        _wait_ready(before)
        return before
    release = Release(
        name=name,
        use_case=use_case.name,
        version=version.version,
        bundle=version.bundle.digest,
        target=image.target,
        address="",
        handle="",
    )
    try:
        check_signature(read_bundle(version.bundle.path), public_key())
    except BundleError as error:
        raise NotTrusted(str(error)) from None
    internal_key(use_case.name)
    release = TARGETS[image.target].start(release, image, use_case)
    write_atomically(_record(release), release.model_dump_json(indent=1).encode())
    try:
        _wait_ready(release)
    except NotReady:
        stop(release)
        raise
    get_run_logger().info("Release %s is ready at %s (%s)", name, release.address, release.target)
    return release


@task
def switch(use_case: UseCase, version: Version, release: Release, reason: str) -> None:
    """Send all requests to the release, make its version the champion, and take down what served before."""
    gateway.route(use_case.name, release)
    crown(version)
    _record_deploy(use_case, version, release, reason)
    others = [other for other in releases(use_case.name) if other.name != release.name]
    if others:
        time.sleep(DRAIN_SECONDS)  # requests on their way to the old release arrive before it stops
    for other in others:
        try:
            stop(other)
        except InputError as error:  # its target does not answer now; it stays on record, and the next switch tries again
            get_run_logger().warning("Release %s was not stopped: %s", other.name, error)


def _record_deploy(use_case: UseCase, version: Version, release: Release, reason: str) -> None:
    """One entry a change of version, also when a killed switch is done again."""
    deploys = read_history(use_case.name, "deploy")
    previous = deploys[-1]["version"] if deploys else ""
    if previous == version.version:
        return
    record(
        use_case.name,
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
        key=f"deploy-{use_case.name}",
        markdown=f"# {use_case.name}: version {version.version} serves\n\nBefore: {previous or 'none'}. {reason}",
    )
    get_run_logger().info("%s version %s is the champion: %s", use_case.name, version.version, reason)


def stop(release: Release) -> None:
    """Take a release down and forget it."""
    TARGETS[release.target].stop(release)
    _record(release).unlink(missing_ok=True)


def releases(use_case: str) -> list[Release]:
    """What was started and not stopped."""
    folder = made(use_case_home(use_case) / "releases")
    return [Release.model_validate_json(path.read_bytes()) for path in sorted(folder.glob("*.json"))]


def is_alive(release: Release) -> bool:
    """Whether it runs now."""
    return bool(TARGETS[release.target].alive(release))


def _record(release: Release) -> Path:
    return made(use_case_home(release.use_case) / "releases") / f"{release.name}.json"


def _wait_ready(release: Release) -> None:
    target, deadline = TARGETS[release.target], time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        try:
            if httpx.get(f"{release.address}/readyz", timeout=2).status_code == 200:
                return
        except httpx.TransportError:
            if not target.alive(release):
                raise NotReady(f"release {release.name} died at its start: {target.last_words(release)}") from None
        time.sleep(0.05)
    raise NotReady(f"release {release.name} was not ready in {READY_SECONDS} s: {target.last_words(release)}")
