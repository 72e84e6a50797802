"""What served: a full record of each version and of the release that it last ran as.

So going back needs no registry, no image recipe and no use case, and what serves is known while MLflow is down. A record is
written before the gateway is told; of those whose servers the gateway sends requests to, the last one serves.
"""

from __future__ import annotations

from pathlib import Path

from configs.errors import InputError
from configs.files import write_atomically
from configs.settings import home
from tasks.deploying.values import Release
from tasks.log.keys import given
from tasks.registry.values import Version
from tasks.routing import gateway
from tasks.store import Value


class Served(Value):
    """A version, the release that it ran as, and the version that it took over from when it was first switched to.

    `number` counts switches; `secrets` are the names of those that somebody gave for it.
    """

    number: int
    version: Version
    release: Release
    previous: str
    secrets: list[str]


def keep_served(version: Version, release: Release) -> Served:
    """Write down what is about to serve."""
    known, now = _records(release.use_case), serving(release.use_case)
    before = next((each for each in known if each.version.version == version.version), None)
    served = Served(
        number=known[-1].number + 1 if known else 1,
        version=version,
        release=release,
        previous=before.previous if before else now.version.version if now else "",
        secrets=given(),
    )
    restore_served(served)
    return served


def restore_served(served: Served) -> None:
    """Put a record where it belongs."""
    path = _folder(served.release.use_case) / f"{served.version.version}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, served.model_dump_json(indent=1).encode())


def forget_served(use_case: str, version: str | None = None) -> None:
    """Drop the record of a version, or of all: nothing serves then."""
    for path in _folder(use_case).glob(f"{version or '*'}.json"):
        path.unlink()


def serving(use_case: str) -> Served | None:
    """What the gateway sends requests to; where it names no server that is known, what was switched to last."""
    known, routed = _records(use_case), set(gateway.routed(use_case))
    behind = [each for each in known if routed & {replica.address for replica in each.release.replicas}]
    among = behind or known
    return among[-1] if among else None


def served_version(use_case: str, version: str) -> Served | None:
    """The record of a version, if it ever served in this home."""
    return next((each for each in _records(use_case) if each.version.version == version), None)


def earlier(use_case: str, version: str | None = None) -> tuple[Served, Served]:
    """What serves, and what to go back to: the version asked for, or the one that what serves took over from.

    Two steps back are two versions: what counts is what a version replaced when it was first switched to.

    Raises:
        InputError: nothing serves, there is nothing before it, or that version never served here.
    """
    now = serving(use_case)
    if now is None:
        raise InputError(f"nothing of {use_case!r} was ever switched to in {home()}, so there is nothing to roll back")
    wanted = version or now.previous
    if not wanted:
        raise InputError(
            f"use case {use_case!r}: version {now.version.version} is the first, so there is none to go back to"
        )
    found = served_version(use_case, wanted)
    if found is None:
        known = ", ".join(sorted((each.version.version for each in _records(use_case)), key=int))
        raise InputError(
            f"use case {use_case!r}: version {wanted} never served here; those that did: {known}. 'slipway deploy "
            f"{use_case} --version {wanted}' tests any version and switches to it"
        )
    return now, found


def _records(use_case: str) -> list[Served]:
    """Oldest switch first."""
    found = [Served.model_validate_json(path.read_bytes()) for path in _folder(use_case).glob("*.json")]
    return sorted(found, key=lambda served: served.number)


def _folder(use_case: str) -> Path:
    return home() / "use_cases" / use_case / "served"
