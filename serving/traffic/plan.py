"""The traffic plan: the part of it that the champion's server carries out, read from the file that `--traffic` names."""

from __future__ import annotations

import re
from typing import Annotated, Literal

import msgspec

from serving.contract.contract import Contract

CHAMPION, BASELINE, CHALLENGER, SHADOW = "champion", "baseline", "challenger", "shadow"
HALT = "halt"  # the variant that answers while a use case is halted
LATE_MS = 500.0
ADDRESS = re.compile(r"https?://(\[[0-9a-fA-F:.]+\]|[^/\s:@\[\]]+)(:\d{1,5})?")
NAME = "^[a-z][a-z0-9_.-]{0,39}$"

Value = str | int | float | bool
Text = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]


class PlanError(ValueError):
    """A plan that cannot be carried out; the message says what is wrong with it."""


class Arm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A release that gets some of the rows, or copies of some.

    `version` and `release` are what its servers must answer as. `addresses` are where the champion's server reaches them;
    with none the arm is off. `share` is of all rows, from 0 to 1; what no arm has, the champion has.
    """

    name: Annotated[str, msgspec.Meta(pattern=NAME)]
    version: Text
    release: Text
    addresses: tuple[str, ...] = ()
    share: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.0


class Cohort(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Rows that always meet one arm, or the champion: those whose `column` (or the plan's key) has one of the values."""

    values: tuple[Value, ...]
    arm: str
    column: str | None = None


class Halt(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """No model answers: each row gets `answer`, a label of the target, or without one every request is refused (503)."""

    reason: Text
    answer: Value | None = None


class Plan(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Which share of which rows goes to which release, and who is shadowed.

    Attributes:
        id: What records and metrics call the plan.
        salt: Of the rollout, the same in all of its stages: who meets an arm then stays with it while its share grows.
        key: The column or identifier whose value decides, so that one person meets one model. None: every row by itself.
        without: What a row gets whose key is missing: the champion, or `each` as if there were no key.
        arms: Who gets rows. The challenger takes the beginning of [0, 1), others follow it, a baseline takes the end.
        shadows: Who gets copies, and answers nobody.
        cohorts: Who always meets an arm; the first that fits counts.
        late_ms: How long an arm may take; then the champion answers.
        halt: Nobody is asked; there are no arms then.
    """

    id: Text
    salt: Text
    key: str | None = None
    without: Literal["champion", "each"] = "champion"
    arms: tuple[Arm, ...] = ()
    shadows: tuple[Arm, ...] = ()
    cohorts: tuple[Cohort, ...] = ()
    late_ms: Annotated[float, msgspec.Meta(ge=1, le=60_000)] = LATE_MS
    halt: Halt | None = None


def read_plan(data: bytes) -> Plan:
    """The plan in the bytes of a file.

    Raises:
        PlanError: it is none, or contradicts itself.

    >>> read_plan(b'{"id": "p1", "salt": "s", "arms": [{"name": "challenger", "version": "2", "release": "r", "share": 2}]}')
    Traceback (most recent call last):
    serving.traffic.plan.PlanError: Expected `float` <= 1.0 - at `$.arms[0].share`
    """
    try:
        plan = msgspec.json.decode(data, type=Plan)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise PlanError(str(error)) from None
    names = [arm.name for arm in (*plan.arms, *plan.shadows)]
    if plan.halt and names:
        raise PlanError(f"a plan that halts has no arms, and this one has {names[0]!r}")
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise PlanError(f"two arms are named {twice[0]!r}; give each its own name")
    if reserved := sorted({CHAMPION, SHADOW} & {arm.name for arm in plan.arms}):
        raise PlanError(f"no arm can be named {reserved[0]!r}")
    if (total := sum(arm.share for arm in plan.arms)) > 1 + 1e-9:
        raise PlanError(f"the arms' shares make {total:g}; together they can have 1 at most")
    for arm in (*plan.arms, *plan.shadows):
        if wrong := next((each for each in arm.addresses if not ADDRESS.fullmatch(each)), None):
            raise PlanError(f"arm {arm.name!r}: {wrong!r} is no address, such as http://127.0.0.1:8080")
    known = [CHAMPION, *(arm.name for arm in plan.arms)]
    for cohort in plan.cohorts:
        if cohort.arm not in known:
            raise PlanError(f"a cohort gets arm {cohort.arm!r}; known: {', '.join(known)}")
        if cohort.column is None and plan.key is None:
            raise PlanError("a cohort names no column, and the plan has no key")
    return plan


def check_columns(plan: Plan, contract: Contract) -> None:
    """Whether the contract has the columns that the plan asks for.

    Raises:
        PlanError: naming one that it has not.
    """
    known = (*contract.names, *contract.identifiers)
    for column in (plan.key, *(cohort.column for cohort in plan.cohorts)):
        if column is not None and column not in known:
            raise PlanError(f"{column!r} is no column or identifier of the contract; known: {', '.join(known)}")
