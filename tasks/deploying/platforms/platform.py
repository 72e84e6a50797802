"""The interface of a platform, and which platforms there are."""

from __future__ import annotations

from typing import Protocol

from configs.errors import InputError
from tasks.deploying.platforms import docker, local
from tasks.deploying.values import Release


class Platform(Protocol):
    """What every platform's module does. All can be killed in the middle and called again."""

    def observe(self, use_case: str) -> list[Release]:
        """The releases of a use case with their replicas, from the platform itself and no record of ours."""

    def bring_up(self, release: Release) -> Release:
        """Make it so that `release.wanted` replicas run; returns the release with them. Twice changes nothing."""

    def take_down(self, release: Release) -> None:
        """Stop what there is of it, after it has finished what it accepted, and leave nothing behind."""

    def reach(self, release: Release, other: Release) -> tuple[str, ...]:
        """Make it so that this release's servers reach those of another that run; returns their addresses, for them.

        Raises:
            InputError: they cannot, where the other runs.
        """

    def memory(self, release: Release) -> int:
        """Bytes that its servers hold in memory now, without files that the kernel keeps for them."""

    def last_words(self, release: Release) -> str:
        """What its servers printed last."""


PLATFORMS: dict[str, Platform] = {"local": local, "docker": docker}


def platform_of(release: Release) -> Platform:
    """The platform that a release runs on.

    Raises:
        InputError: it is one that this version of Slipway does not know.
    """
    if release.platform not in PLATFORMS:
        raise InputError(f"release {release.name} runs on platform {release.platform!r}; known: {', '.join(PLATFORMS)}")
    return PLATFORMS[release.platform]
