"""Begin: a rollout is written down before anything of it is done."""

from __future__ import annotations

from collections.abc import Sequence
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
from tasks.rollouts.values import State, Variant
from tasks.routing.halted import refuse_halted


@task
def begin(use_case: UseCase, challengers: Sequence[Version], reason: str, began: int, by: str) -> State:
    """A rollout of these versions, from the champion that serves now; the one that is under way, where it is of the same.

    So who starts one again, because the first run was killed, goes on with it. `by` is who wants it.

    Raises:
        InputError: the use case declares none, or not for so many versions; a version is the champion already or in
            quarantine; another one is being rolled out; the use case is halted; a check cannot be asked; or a stage is too
            short for what it must decide.
        Fenced: the use case was rolled back since this run began.
    """
    declared = declared_by(use_case)
    if (begun := under_way(use_case.name)) is not None and set(_names(challengers)) <= set(_names(_all_of(begun))):
        get_run_logger().info("Rollout of %s was begun before, and goes on", begun.who)
        return begun
    _not_too_many(use_case, declared, challengers)
    champion = the_champion(use_case.name)
    for challenger in challengers:
        if champion.version == challenger.version:
            raise InputError(
                f"version {challenger.version} of {use_case.name!r} serves already, so there is nothing to roll out"
            )
        refuse_quarantined(use_case.name, challenger.version)
        _ask(use_case, declared, challenger)
    refuse_halted(use_case.name)
    moment = now(use_case)
    for line in foresee(use_case, declared, champion, moment):
        get_run_logger().info("Foreseen: %s", line)
    state = write_down(
        State(
            id=f"{use_case.name}-v{champion.version}-v{'-v'.join(_names(challengers))}-{datetime.now(UTC):%Y%m%dT%H%M%S}",
            use_case=use_case.name,
            champion=champion,
            challenger=challengers[0],
            variants=[Variant(version=each) for each in challengers] if len(challengers) > 1 else [],
            reason=reason,
            by=by,
            began=moment,
            began_at_epoch=began,
        )
    )
    for each in challengers:
        record(use_case.name, "rollout", f"begun: {reason}", rollout=state.id, version=each.version, move="begin", by=by)
    get_run_logger().info("Rollout of %s beside champion %s: %s", state.who, champion.version, reason)
    return state


def _names(versions: Sequence[Version]) -> list[str]:
    return [each.version for each in versions]


def _all_of(state: State) -> list[Version]:
    return [each.version for each in state.variants] or [state.challenger]


def _not_too_many(use_case: UseCase, declared: Rollout, challengers: Sequence[Version]) -> None:
    names = _names(challengers)
    if twice := next((each for each in names if names.count(each) > 1), None):
        raise InputError(f"version {twice} is named twice")
    if len(names) > declared.variants:
        raise InputError(
            f"versions {', '.join(names)} of {use_case.name!r} are {len(names)} challengers, and the first stage of its "
            f"rollout takes {declared.variants}; for an A/B test of several it is 'ab: {{variants: {len(names)}, ...}}'"
        )


def _ask(use_case: UseCase, declared: Rollout, challenger: Version) -> None:
    """What no look could ask later is told now: a column of too many values, a query that does not run."""
    for check in declared.checks:
        if check.by:
            slices_of(contract_of(challenger.tags["contract"]), check)
    try_queries(use_case.name, declared.kpis)
