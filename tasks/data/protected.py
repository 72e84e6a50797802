"""Protected columns and the favourable answer, held against the rows before anything is trained."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from configs.errors import InputError
from configs.schema import UseCase
from tasks.problems.classes import few

MOST_GROUPS = 20


def check_protected(use_case: UseCase, frame: Any, classes: Sequence[Any]) -> None:
    """Raise where the rows of a source, a pandas frame, or the classes of its target do not fit `fairness`.

    Raises:
        InputError: a protected column makes no groups: it has one value only, or so many that it is a number rather than a
            group; or the favourable answer is none of the classes.
    """
    for name in use_case.fairness.protected if use_case.fairness else ():
        count, where = frame[name].nunique(), f"use case {use_case.name!r}: fairness.protected: {name!r}"
        if count < 2:
            raise InputError(f"{where} has the same value in every row; two groups or more are compared")
        if count > MOST_GROUPS:
            raise InputError(
                f"{where} has {count:,} values, and groups are at most {MOST_GROUPS}; make some in 'source.query', for "
                f"example case when age < 40 then 'below 40' else '40 and above' end as age_group"
            )
    favourable_place(use_case, classes)


def favourable_place(use_case: UseCase, classes: Sequence[Any]) -> int | None:
    """The place of the favourable answer among the classes; None where answers are numbers or nothing is asked.

    Raises:
        InputError: it is none of them.
    """
    if use_case.fairness is None or not classes:
        return None
    wanted = use_case.target.positive if use_case.fairness.favourable is None else use_case.fairness.favourable
    if wanted not in classes:
        raise InputError(
            f"use case {use_case.name!r}: fairness.favourable: {wanted!r} is no value of {use_case.target.column!r}; "
            f"found {few(list(classes))}"
        )
    return classes.index(wanted)
