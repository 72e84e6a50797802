"""Halt: no model of a use case answers any more, at once, until a person lifts it.

Like a rollback it needs the platform and this home's files, and no MLflow, no Prefect server, no lock of a run.
"""

from __future__ import annotations

from collections.abc import Callable

from configs.errors import InputError
from configs.schema import UseCase
from serving.contract.heads.choose import head_of
from serving.scoring.bundle import read_bundle
from tasks.fence import emergency, switching
from tasks.history import record
from tasks.packaging.values import BundleRef
from tasks.people import may
from tasks.rollouts.take_back import end_rollout, tidy
from tasks.routing.halted import Answer, Halted, forget_halted, halted, keep_halted, restore_halted
from tasks.routing.served import Served, serving
from tasks.routing.splitting import let_go, split


def halt(use_case: UseCase, reason: str, say: Callable[[str], None]) -> Halted:
    """Fence what deploys, take back what is rolled out, and have every worker that serves confirm that it is halted.

    Raises:
        InputError: nothing serves, or what the use case answers then is no value of the target.
        NotAllowed: whoever asks is no operator.
        NotSplit: a worker did not take it in time; then all is as it was.
    """
    person, name = may("operator", "halt a use case"), use_case.name
    if (served := serving(name)) is None:
        raise InputError(f"nothing of {name!r} serves, so there is nothing to halt")
    answer = _answer(use_case, served)
    with emergency(name, "halted", reason, say):
        ended = end_rollout(name, f"halted by {person.name}: {reason}")
        before, stands = halted(name), keep_halted(name, reason, person.name, answer)
        try:
            split(name, stands.plan())
        except BaseException:
            restore_halted(name, before)
            raise
        record(name, "halt", reason, by=person.name, move="halt", answer=answer)
    if ended is not None:
        tidy(ended)
    return stands


def lift(use_case: UseCase, reason: str) -> None:
    """What serves answers again.

    Raises:
        InputError: it is not halted.
        NotAllowed: whoever asks is no operator.
    """
    person, name = may("operator", "lift a halt"), use_case.name
    if halted(name) is None:
        raise InputError(f"use case {name!r} is not halted, so there is nothing to lift")
    with switching(name):
        let_go(name)
        forget_halted(name)  # last, so that a lift that is killed can be said again
        record(name, "halt", reason, by=person.name, move="lift")


def _answer(use_case: UseCase, served: Served) -> Answer:
    """What is declared, as the target has it; the contract of what serves knows."""
    declared = use_case.deploy.answer_when_halted
    if declared is None:
        return None
    contract = read_bundle(BundleRef(digest=served.release.bundle).path).contract
    try:
        label: Answer = head_of(contract).label_of(declared)
    except ValueError as error:
        raise InputError(f"use case {use_case.name!r}: deploy.answer_when_halted: {error}") from None
    return label
