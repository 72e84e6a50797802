"""The unfavourable side of an answer: which classes people do not want, held against those that the target has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from configs.errors import InputError
from configs.schema import UseCase
from tasks.problems.classes import few


def unfavourable_classes(use_case: UseCase, classes: Sequence[Any]) -> list[Any]:
    """Those that `reasons` lists, or every one but the favourable; none of a number, and where there are no `reasons`.

    Raises:
        InputError: one is no class, or all of them are listed.
    """
    if use_case.reasons is None or not classes:
        return []
    wanted, where = use_case.reasons.wanted, f"use case {use_case.name!r}: reasons.unfavourable"
    if not wanted:
        fairness = use_case.fairness
        favourable = fairness.favourable if fairness and fairness.favourable is not None else use_case.target.positive
        return [each for each in classes if each != favourable]
    for each in wanted:
        if each not in classes:
            raise InputError(f"{where}: {each!r} is no value of {use_case.target.column!r}; found {few(list(classes))}")
    if len(found := [each for each in classes if each in wanted]) == len(classes):
        raise InputError(f"{where} lists every class; leave out the one that people want")
    return found
