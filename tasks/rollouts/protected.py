"""Protected groups of a stage's rows: to which each row belongs, and since when the log says so."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from configs.rollout import Rollout
from configs.schema import UseCase
from serving.contract.contract import Contract
from serving.contract.spelling import spelled
from tasks.data.groups import TOGETHER, groups_of
from tasks.fairness.logged import logged
from tasks.log.exposures import TOLD
from tasks.log.values import FEATURE, KPI

GROUP, SINCE = "group.", "since."  # how columns begin that hold them


class Read(NamedTuple):
    """What is read of the log: numbers of feedback (or of queries) by name, and columns of the requests."""

    kpis: dict[str, str]
    columns: list[str]

    @property
    def feedback(self) -> list[str]:
        """The numbers of feedback alone."""
        return [name for name, sql in self.kpis.items() if not sql]


def to_read(use_case: UseCase, declared: Rollout) -> Read:
    """What the checks look at; protected columns that no request has may come with feedback."""
    protected = use_case.fairness.protected if use_case.fairness else []
    sent = {*use_case.features.all, *use_case.features.identifiers}
    later = {name: "" for name in protected if name not in sent}
    return Read({**later, **declared.kpis}, sorted({*declared.slices, *sent.intersection(protected)}))


def columns_by(use_case: UseCase) -> list[str]:
    """The protected columns, and all of them together where that is asked."""
    rules = use_case.fairness
    if rules is None:
        return []
    return [*rules.protected, TOGETHER.join(rules.protected)] if rules.intersections else list(rules.protected)


def with_groups(use_case: UseCase, contract: Contract, rows: Any) -> Any:
    """The rows, a pandas frame, with a `group.NAME` for each of `columns_by` (None where it is not known), and a
    `since.NAME`: when that was known.
    """
    rules = use_case.fairness
    if rules is None:
        return rows
    nobody = np.full(len(rows), None, dtype=object)
    spelt = rows.assign(**{f"{FEATURE}{name}": _spelled(rows[f"{FEATURE}{name}"]) for name in _numbers(contract, rows)})
    found = {name: logged(use_case, spelt, name) for name in rules.protected}
    columns = {name: values for name, values in found.items() if not isinstance(values, str)}
    groups = groups_of(columns, rules.intersections and len(columns) == len(found))
    since = {name: rows.get(f"{TOLD}{KPI}{name}", rows["time"]) for name in rules.protected}
    since[TOGETHER.join(rules.protected)] = _latest(list(since.values()))
    asked = columns_by(use_case)
    return rows.assign(
        **{f"{GROUP}{name}": groups.get(name, nobody) for name in asked}, **{f"{SINCE}{name}": since[name] for name in asked}
    )


def _numbers(contract: Contract, rows: Any) -> list[str]:
    return [each.name for each in contract.columns if each.dtype == "float32" and f"{FEATURE}{each.name}" in rows]


def _spelled(texts: Any) -> Any:
    """A number is the same group however a client wrote it."""
    return texts.map({text: _number(text) for text in texts.dropna().unique()})


def _number(text: str) -> str:
    try:
        return spelled(np.float32(text))
    except ValueError:
        return text


def _latest(moments: list[Any]) -> Any:
    import pandas as pd

    return pd.concat(moments, axis=1).max(axis=1, skipna=False)
