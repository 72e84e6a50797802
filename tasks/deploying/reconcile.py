"""The reconciler: the state that should be, the state that is, and the difference between the two.

What should be is described by a version, an image and the use case, and never by what was done before. What is, the
platforms and the gateway are asked for. So a run that was killed anywhere leaves nothing that the next one does not see.
"""

from __future__ import annotations

import hashlib
import json
from typing import NamedTuple

from configs.schema import UseCase
from tasks.containers.values import Image
from tasks.deploying.platforms.platform import PLATFORMS, platform_of
from tasks.deploying.settings import secrets_digest, settings
from tasks.deploying.values import Release
from tasks.registry.values import Version
from tasks.registry.versions import champion
from tasks.routing import gateway


class Change(NamedTuple):
    """One difference. `action` is `build`, `start`, `repair`, `scale`, `route`, `crown` or `stop`."""

    action: str
    subject: str
    detail: str


class State(NamedTuple):
    """What a use case's deployment is: releases on all platforms, the servers behind the gateway, the champion's version."""

    releases: list[Release]
    routed: list[str]
    champion: str


def describe(use_case: UseCase, version: Version, image: Image) -> Release:
    """The release that should run. Anything that changes how its servers behave changes its name, but for `wanted`."""
    release = Release(
        name="",
        use_case=use_case.name,
        version=version.version,
        bundle=version.bundle.digest,
        platform=image.platform,
        image=image.reference,
        log="predictions",
        settings=settings(use_case),
        resources=use_case.deploy.resources,
        wanted=use_case.deploy.replicas,
    )
    return named(release)


def named(release: Release) -> Release:
    """The release with its name: use case, version, and a digest of everything that decides how it behaves."""
    content = release.model_dump(mode="json", exclude={"name", "wanted", "replicas"})
    canonical = json.dumps([content, secrets_digest(release.use_case)], sort_keys=True)
    digest = hashlib.sha256(canonical.encode()).hexdigest()[:8]
    return release.model_copy(update={"name": f"{release.use_case}-v{release.version}-{digest}"})


def observe(use_case: str) -> State:
    """The state that is."""
    serving = champion(use_case)
    return State(releases(use_case), gateway.routed(use_case), serving.version if serving else "")


def difference(wanted: Release, image_there: bool, state: State) -> list[Change]:
    """What has to be done, in the order in which it is done; nothing where the state is as it should be."""
    changes = [Change("build", wanted.image, "not on this engine yet")] * (not image_there)
    there = next((release for release in state.releases if release.name == wanted.name), None)
    if there is None:
        changes.append(Change("start", wanted.name, f"{wanted.wanted} on {wanted.platform}"))
    else:
        dead = sum(not replica.alive for replica in there.replicas)
        if dead:
            changes.append(Change("repair", wanted.name, f"{dead} of {len(there.replicas)} replicas do not run"))
        if len(there.replicas) != wanted.wanted:
            changes.append(Change("scale", wanted.name, f"{len(there.replicas)} to {wanted.wanted} replicas"))
    if changes or there is None or state.routed != there.addresses:
        before = next((r.name for r in state.releases if set(r.addresses) & set(state.routed)), "nothing that runs")
        changes.append(Change("route", wanted.use_case, f"{before} to {wanted.name}"))
    if state.champion != wanted.version:
        changes.append(Change("crown", f"version {wanted.version}", f"champion in place of {state.champion or 'none'}"))
    changes += [
        Change("stop", release.name, f"{len(release.replicas)} on {release.platform}")
        for release in state.releases
        if release.name != wanted.name
    ]
    return changes


def take_down(release: Release) -> None:
    """Stop what there is of a release."""
    platform_of(release).take_down(release)


def releases(use_case: str) -> list[Release]:
    """What there is of a use case on every platform."""
    return [release for platform in PLATFORMS.values() for release in platform.observe(use_case)]
