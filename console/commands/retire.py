"""`slipway retire`: a use case taken out of service for good; what it logged and what was decided stays."""

from __future__ import annotations

from collections.abc import Callable

from configs.errors import InputError
from configs.settings import home, use_case_home
from console.commands.history import require_history
from console.deployments import unregister
from tasks.deploying.reconcile import releases, take_down
from tasks.fence import emergency
from tasks.history import record
from tasks.registry.versions import uncrown
from tasks.rollouts.take_back import end_rollout
from tasks.routing import gateway
from tasks.routing.halted import forget_halted
from tasks.routing.released import is_retired
from tasks.routing.served import forget_served
from tasks.routing.splitting import forget_splits


def require_known(use_case: str) -> None:
    """Refuse a name that nothing was released under, or that is retired.

    Raises:
        InputError: it is one of them.
    """
    require_history(use_case)
    if is_retired(use_case):
        raise InputError(f"use case {use_case!r} is retired; 'slipway release {use_case}' brings it back")


def retire(use_case: str, reason: str, say: Callable[[str], None]) -> None:
    """Route, releases, alias and deployments go, in this order; killed in between, the same command goes on.

    Whatever deploys at that moment is fenced, as by a rollback.
    """
    with emergency(use_case, "retired", reason, say):
        end_rollout(use_case, f"retired: {reason}")
        gateway.route(use_case, [])
        for release in releases(use_case):
            say(f"Stopping release {release.name}")
            take_down(release)
        forget_served(use_case)
        forget_halted(use_case)
        forget_splits(use_case)  # a halt's too, which a release of the same name would find
    uncrown(use_case)
    unregister(use_case)
    record(use_case, "retire", reason)
    kept = use_case_home(use_case)
    say(f"{use_case} is retired: its address answers 404, and nothing runs or is scheduled for it any more")
    say(f"Kept: prediction log, keys and history in {kept}, reports in {home() / 'reports' / use_case}, versions in MLflow")
