"""Taking down, and bringing back, the releases of every use case of this home."""

from __future__ import annotations

from collections.abc import Callable

from configs.settings import home
from tasks import gateway, reconcile
from tasks.history import read_history
from tasks.values import Release


def with_releases() -> list[str]:
    """The use cases that something was released for."""
    return sorted(path.name for path in (home() / "use_cases").glob("*") if read_history(path.name))


def serving(use_case: str) -> Release | None:
    """The running release that the gateway sends requests to, if any."""
    routed = set(gateway.routed(use_case))
    return next((release for release in reconcile.releases(use_case) if routed & set(release.addresses)), None)


def bring_back(say: Callable[[str], None]) -> None:
    """Deploy again the champions that were taken down, or did not survive a reboot."""
    down = [name for name in with_releases() if read_history(name, "deploy") and serving(name) is None]
    if down:
        from flows.deploy import deploy as flow

        for use_case in down:
            say(f"{use_case} version {flow(use_case)} serves again")


def stop_all(say: Callable[[str], None]) -> None:
    """Stop every release; what was accepted is finished first."""
    for use_case in with_releases():
        for release in reconcile.releases(use_case):
            say(f"Stopping release {release.name}")
            reconcile.take_down(release)
