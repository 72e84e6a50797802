"""Values of deploying: a release, and its replicas."""

from __future__ import annotations

from configs.schema import Resources
from tasks.store import Value


class Replica(Value):
    """One server of a release: its address, what the target knows it by, whether it runs, and how often it began anew."""

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
    target: str
    image: str
    log: str
    settings: dict[str, str]
    resources: Resources = Resources()
    wanted: int = 1
    replicas: tuple[Replica, ...] = ()

    @property
    def addresses(self) -> list[str]:
        """Of the replicas that run, sorted."""
        return sorted(replica.address for replica in self.replicas if replica.alive)
