"""Coming back: what served last serves again as it was, while a run may hold the use case for as long as it likes."""

from __future__ import annotations

from configs.errors import InputError
from configs.schema import UseCase
from tasks.deploying.settings import settings
from tasks.deploying.switchover import send, start
from tasks.fence import switching
from tasks.gates.checks import decide
from tasks.gates.contract_checks import contract_checks
from tasks.rollouts.rollback import as_it_ran
from tasks.routing.served import serving


def come_back(use_case: UseCase) -> str:
    """Bring up the release that was switched to last, test it, and send it the traffic; returns its version.

    The run goes on, and may switch to another version when it is through.

    Raises:
        InputError: nothing was ever switched to.
        CheckFailed: the bundle is not trusted, or the release is not ready or answers wrongly.
    """
    with switching(use_case.name):
        last = serving(use_case.name)
        if last is None:
            raise InputError(f"nothing of {use_case.name!r} was ever switched to, so nothing can come back")
        release = start(as_it_ran(last, settings(use_case)))
        decide("contract", release, contract_checks(release, last.version))
        send(last.version, release, "brought back as it was")
    return last.version.version
