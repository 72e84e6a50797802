"""Taking down, and bringing back, the releases of every use case of this home."""

from __future__ import annotations

from collections.abc import Callable

from configs.settings import home
from tasks import deploy


def with_releases() -> list[str]:
    """The use cases that something was started for."""
    return sorted(path.parent.name for path in (home() / "use_cases").glob("*/releases"))


def stop_all(say: Callable[[str], None]) -> None:
    """Stop every release; what was accepted is finished first."""
    for use_case in with_releases():
        for release in deploy.releases(use_case):
            say(f"Stopping release {release.name}")
            deploy.stop(release)
