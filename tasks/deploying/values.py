"""Values of deploying: a release, and its replicas."""

from __future__ import annotations

from typing import Any

from pydantic import model_validator

from configs.schema import Resources
from tasks.store import Value


class Replica(Value):
    """One server of a release: its address, what the platform knows it by, whether it runs, and how often it began anew."""

    address: str
    handle: str
    alive: bool = True
    restarts: int = 0


class Release(Value):
    """A bundle running somewhere, or one that should: everything but secrets that decides how its servers behave.

    `name` holds a digest of the rest, so that a release with another image or setting is another release. `wanted` is how
    many replicas there should be, `replicas` what there is. `log` is the folder of its prediction log.
    """

    name: str
    use_case: str
    version: str
    bundle: str
    platform: str
    image: str
    log: str
    settings: dict[str, str]
    resources: Resources = Resources()
    wanted: int = 1
    replicas: tuple[Replica, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _earlier_form(cls, data: Any) -> Any:
        """What runs may have been started when the platform was called its target."""
        if isinstance(data, dict) and "target" in data:
            return {("platform" if key == "target" else key): value for key, value in data.items()}
        return data

    @property
    def addresses(self) -> list[str]:
        """Of the replicas that run, sorted."""
        return sorted(replica.address for replica in self.replicas if replica.alive)
