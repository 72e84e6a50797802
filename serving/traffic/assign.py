"""Assignment: which arm a row meets, by a keyed hash of its key and by nothing else.

So the same key meets the same arm in every worker, replica and protocol and after every restart, without anything that is
remembered or shared. The hash is BLAKE2b (RFC 7693) keyed with the rollout's salt, cut to 64 bits: h / 2**64 is uniform in
[0, 1). The challenger has [0, share), other variants the intervals behind it, a baseline [1 - share, 1). A share that grows
moves keys only into its arm.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from serving.contract.contract import Contract, ContractError
from serving.contract.identifiers import identifier
from serving.contract.records import Record, Records
from serving.contract.spelling import spelled
from serving.traffic.plan import BASELINE, CHALLENGER, CHAMPION, Arm, Cohort, Plan, PlanError, check_columns

WHOLE = 2**64
SALT_BYTES = 64  # the longest key of BLAKE2b; a longer salt is hashed first

Spelling = Callable[[Record], str | None]


def draw(salt: str) -> Callable[[str], int]:
    """A function that gives each text a number of [0, 2**64), uniform and independent of other salts'.

    >>> one, other = draw("rollout 1"), draw("rollout 2")
    >>> one("customer 7") == draw("rollout 1")("customer 7"), one("customer 7") == other("customer 7")
    (True, False)
    """
    secret = salt.encode()
    if len(secret) > SALT_BYTES:
        secret = hashlib.blake2b(secret).digest()
    start = hashlib.blake2b(key=secret, digest_size=8)

    def number(key: str) -> int:
        state = start.copy()
        state.update(key.encode())
        return int.from_bytes(state.digest(), "big")

    return number


class Assignment:
    """A plan on the records of one contract.

    Raises:
        PlanError: the contract has not the columns that the plan names, or they can have no such value.
    """

    def __init__(self, plan: Plan, records: Records) -> None:
        check_columns(plan, records.contract)
        self._key = None if plan.key is None else spelling(records, plan.key)
        self._each = plan.without == "each"
        self._draw = draw(plan.salt)
        self._intervals = intervals(plan.arms)
        self._shadows = [(arm, draw(f"{plan.salt}\0{arm.name}"), bound(arm.share)) for arm in plan.shadows]
        self._cohorts = [_cohort(cohort, cohort.column or str(plan.key), records) for cohort in plan.cohorts]

    def arms(self, rows: Sequence[Record], ids: Sequence[str]) -> list[str]:
        """The name of the arm that each row meets."""
        if not self._intervals and not self._cohorts:
            return [CHAMPION] * len(ids)
        if self._key is None and not self._cohorts:
            return [self._arm(name) for name in ids]
        return [self._arm_of(row, name) for row, name in zip(rows, ids, strict=True)]

    def copies(self, ids: Sequence[str]) -> list[tuple[Arm, list[int]]]:
        """Each shadow with the places of the rows that it gets a copy of; drawn by prediction id, where it gets any."""
        found = []
        for arm, number, share in self._shadows:
            places = [place for place, name in enumerate(ids) if number(name) < share] if share < WHOLE else range(len(ids))
            if places:
                found.append((arm, list(places)))
        return found

    def _arm_of(self, row: Record, prediction_id: str) -> str:
        for text_of, values, arm in self._cohorts:
            if text_of(row) in values:
                return arm
        key = prediction_id if self._key is None else self._key(row)
        if key is None:
            return self._arm(prediction_id) if self._each else CHAMPION
        return self._arm(key)

    def _arm(self, key: str) -> str:
        number = self._draw(key)
        for low, high, name in self._intervals:
            if low <= number < high:
                return name
        return CHAMPION


def intervals(arms: Sequence[Arm]) -> list[tuple[int, int, str]]:
    """Where each arm begins and ends in [0, 2**64).

    >>> arms = [Arm("baseline", "1", "r1", (), 0.25), Arm("challenger", "2", "r2", (), 0.5)]
    >>> [(low / WHOLE, high / WHOLE, name) for low, high, name in intervals(arms)]
    [(0.0, 0.5, 'challenger'), (0.75, 1.0, 'baseline')]
    """
    found, at, end = [], 0, WHOLE
    for arm in sorted(arms, key=lambda arm: arm.name != CHALLENGER):
        if arm.name == BASELINE:
            found.append((end - bound(arm.share), end, arm.name))
        else:
            found.append((at, at := min(at + bound(arm.share), WHOLE), arm.name))
    return [each for each in found if each[0] < each[1]]


def bound(share: float) -> int:
    """How much of [0, 2**64) a share is."""
    return round(share * WHOLE)


def _cohort(cohort: Cohort, name: str, records: Records) -> tuple[Spelling, frozenset[str], str]:
    """Its values are read as those of a record are.

    Raises:
        PlanError: the column can have no such value.
    """
    columns = {column.name: column for column in records.contract.columns}
    texts = set()
    for value in cohort.values:
        try:
            read = columns[name].its.one(columns[name], value, 0) if name in columns else identifier(value, name, 0)
        except ContractError as error:
            raise PlanError(f"a cohort of {name!r} has {value!r}: {error.faults[0].problem}") from None
        texts.add(text(read, is_number(records.contract, name)))
    return spelling(records, name), frozenset(texts), cohort.arm


def spelling(records: Records, name: str) -> Spelling:
    """Reads the one text of a column's or an identifier's value out of a record; None where it has none."""
    value_of, numeric = records.value_of(name), is_number(records.contract, name)

    def text_of(row: Record) -> str | None:
        value = value_of(row)
        return None if value is None or value == "" or value != value else text(value, numeric)

    return text_of


def text(value: Any, numeric: bool) -> str:
    """A value as the contract reads it: of a number what 32 bits keep, of everything else its one spelling.

    >>> text(5, False), text("5", False), text("05", False), text(0.1, True), text(np.float32(0.1), True)
    ('5', '5', '05', '0.1', '0.1')
    """
    return value if isinstance(value, str) else spelled(np.float32(value) if numeric else value)


def is_number(contract: Contract, name: str | None) -> bool:
    """Whether it is a column of numbers; an identifier is text."""
    return any(column.name == name and column.dtype == "float32" for column in contract.columns)
