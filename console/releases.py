"""Taking down, and bringing back, the releases of every use case of this home."""

from __future__ import annotations

import logging
from collections.abc import Callable

from configs.errors import CheckFailed, InputError
from configs.load import load_use_case
from configs.settings import home
from tasks.deploying import reconcile
from tasks.deploying.values import Release
from tasks.history import read_history
from tasks.lock import holder
from tasks.rollouts.come_back import come_back
from tasks.routing import gateway
from tasks.routing.released import released_version

logger = logging.getLogger(__name__)


def with_releases() -> list[str]:
    """The use cases that something was released for."""
    return sorted(path.name for path in (home() / "use_cases").glob("*") if read_history(path.name))


def serving(use_case: str) -> Release | None:
    """The running release that the gateway sends requests to, if any."""
    routed = set(gateway.routed(use_case))
    return next((release for release in reconcile.releases(use_case) if routed & set(release.addresses)), None)


def bring_back(say: Callable[[str], None]) -> None:
    """Deploy again the champions that were taken down, or did not survive a reboot; no run that goes on is waited for.

    Raises:
        CheckFailed: some do not come back.
    """

    def one(use_case: str) -> None:
        if not released_version(use_case) or serving(use_case) is not None:
            return
        if run := holder(use_case):
            say(f"{run} works on {use_case}, which comes back as it was")
            version = come_back(load_use_case(use_case))
        else:
            from flows.deploy import deploy as flow

            version = flow(use_case)
        say(f"{use_case} version {version} serves again")

    _each_by_itself("come back", one)


def stop_all(say: Callable[[str], None]) -> None:
    """Stop every release; what was accepted is finished first.

    Raises:
        CheckFailed: some do not stop.
    """
    _each_by_itself("stop", lambda use_case: stop(say, use_case))


def _each_by_itself(what: str, action: Callable[[str], None]) -> None:
    """Do it for every use case; where it fails for one, that is told at the end in a line, and stops no other."""
    failures = []
    for use_case in with_releases():
        try:
            action(use_case)
        except Exception as error:  # whatever it is, it is told below, and the next one is not to blame
            if not isinstance(error, InputError | CheckFailed):
                logger.exception("%s did not %s", use_case, what)
            failures.append(f"{use_case}: {' '.join(str(error).split()) or type(error).__name__}")
    if failures:
        raise CheckFailed(f"not every use case did {what}\n" + "\n".join(failures))


def running(use_case: str) -> bool:
    """Whether a release of the use case runs, with traffic or without."""
    return any(release.addresses for release in reconcile.releases(use_case))


def stop(say: Callable[[str], None], use_case: str) -> None:
    """Stop the use case's releases."""
    for release in reconcile.releases(use_case):
        say(f"Stopping release {release.name}")
        reconcile.take_down(release)
