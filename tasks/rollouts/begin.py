"""Begin: a rollout is written down before anything of it is done."""

from __future__ import annotations

from datetime import UTC, datetime

from prefect import get_run_logger, task

from configs.errors import InputError
from configs.rollout import Rollout
from configs.schema import UseCase
from tasks.data.frames import contract_of
from tasks.history import record
from tasks.log.queries import try_queries
from tasks.quarantine import refuse_quarantined
from tasks.registry.values import Version
from tasks.registry.versions import the_champion
from tasks.rollouts.checks.slices import slices_of
from tasks.rollouts.declared import declared_by, now
from tasks.rollouts.foresee import foresee
from tasks.rollouts.state import begin as write_down
from tasks.rollouts.state import under_way
from tasks.rollouts.values import State
from tasks.routing.halted import refuse_halted


@task
def begin(use_case: UseCase, challenger: Version, reason: str, began: int, by: str) -> State:
    """A rollout of this version, from the champion that serves now; the one that is under way, where it is of this version.

    So who starts one again, because the first run was killed, goes on with it. `by` is who wants it.

    Raises:
        InputError: the use case declares none, the version is the champion already or in quarantine, another one is being
            rolled out, the use case is halted, a check cannot be asked, or a stage is too short for what it must decide.
        Fenced: the use case was rolled back since this run began.
    """
    declared = declared_by(use_case)
    if (begun := under_way(use_case.name)) is not None and begun.challenger.version == challenger.version:
        get_run_logger().info("Rollout of version %s was begun before, and goes on", challenger.version)
        return begun
    champion = the_champion(use_case.name)
    if champion.version == challenger.version:
        raise InputError(
            f"version {challenger.version} of {use_case.name!r} serves already, so there is nothing to roll out"
        )
    refuse_quarantined(use_case.name, challenger.version)
    refuse_halted(use_case.name)
    _ask(use_case, declared, challenger)
    moment = now(use_case)
    for line in foresee(use_case, declared, champion, moment):
        get_run_logger().info("Foreseen: %s", line)
    state = write_down(
        State(
            id=f"{use_case.name}-v{champion.version}-v{challenger.version}-{datetime.now(UTC):%Y%m%dT%H%M%S}",
            use_case=use_case.name,
            champion=champion,
            challenger=challenger,
            reason=reason,
            by=by,
            began=moment,
            began_at_epoch=began,
        )
    )
    record(use_case.name, "rollout", f"begun: {reason}", rollout=state.id, version=challenger.version, move="begin", by=by)
    get_run_logger().info("Rollout of version %s beside champion %s: %s", challenger.version, champion.version, reason)
    return state


def _ask(use_case: UseCase, declared: Rollout, challenger: Version) -> None:
    """What no look could ask later is told now: a column of too many values, a query that does not run."""
    for check in declared.checks:
        if check.by:
            slices_of(contract_of(challenger.tags["contract"]), check)
    try_queries(use_case.name, declared.kpis)
