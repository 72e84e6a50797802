"""A check by slice: a model that is wrong on one slice only, or to one group of people, is as good as ever on the whole."""

from __future__ import annotations

from collections.abc import Callable

from configs.errors import InputError
from configs.rollout import Check
from serving.contract.contract import Contract
from tasks.log.values import FEATURE
from tasks.rollouts.checks.gravest import gravest
from tasks.rollouts.evidence import Evidence
from tasks.verdicts.values import Verdict

MOST = 20  # each has its part of the level: of more slices none would ever be decided


def slices_of(contract: Contract, check: Check) -> tuple[str, ...]:
    """The values of the check's column that the model has learned; others are in no slice.

    Raises:
        InputError: the model knows none, or so many that nothing could be said of each.
    """
    found = next((column.categories for column in contract.columns if column.name == check.by), ())
    if 0 < len(found) <= MOST:
        return tuple(found)
    told = f"{check.by!r} has {len(found)} values that the model has learned; a check goes by a column of 1 to {MOST}"
    raise InputError(f"'rollout.checks': {check.name!r}: {told}")


def by_slice(
    look: Callable[[Evidence, Check, float], Verdict | None], evidence: Evidence, check: Check, level: float
) -> Verdict | None:
    """The verdict of the worst slice, each at its part of the level (Bonferroni's inequality). Worse in one is worse."""
    names = slices_of(evidence.contract, check)
    found = {name: look(evidence.where(f"{FEATURE}{check.by}", name), check, level / len(names)) for name in names}
    told = [each.model_copy(update={"reason": f"{check.by} {name}: {each.reason}"}) for name, each in found.items() if each]
    return gravest(told) if told else None
