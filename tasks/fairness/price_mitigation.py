"""Price of mitigation: what each candidate costs in the metric of the promotion, and gains in each criterion."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from prefect.artifacts import create_table_artifact

from configs.fairness import Fairness
from configs.schema import UseCase
from configs.settings import store
from serving.contract.contract import Contract
from tasks.data.frames import contract_of, read_rows
from tasks.data.groups import groups_of
from tasks.data.measures import Outcomes, measures_of, outcomes_of
from tasks.data.protected import favourable_place
from tasks.data.values import Snapshot
from tasks.fairness.criteria import judge
from tasks.fairness.told import prices_of
from tasks.fairness.values import Change, FairnessFound, Price
from tasks.problems.chance import RESAMPLES, day_blocks, margin, resamples
from tasks.problems.metrics import Statistic
from tasks.problems.problem import problem_of
from tasks.step import step

TWO_SIDED = 0.975
USUAL = "none"  # the recipe without any
RIGHT = "accuracy"


class _Tried(NamedTuple):
    """A candidate on the rows of the folds: what was found, and what has a price as a statistic, the higher the better."""

    value: float
    right: float
    found: FairnessFound
    statistics: dict[str, Statistic]


@step
def price_mitigation(use_case: UseCase, snapshot: Snapshot, contract: str, tried: dict[str, str]) -> list[Price]:
    """The price of each candidate against the usual recipe, the first; `tried` are digests of what each answered, by name.

    All answered the same rows, from which none of them learned. A change has an interval of 95 % of its own: whole days are
    resampled, for both on the same ones.
    """
    import pandas as pd

    rules, time, metric = use_case.fairness, use_case.source.time_column, use_case.promotion.metric
    assert rules is not None
    answers = {name: pd.read_parquet(store("scores") / f"{digest}.parquet") for name, digest in tried.items()}
    rows = answers[USUAL]["row"].to_numpy()
    wanted = [*rules.protected, *([time] if time else [])]
    frame = read_rows(snapshot, 0, int(rows.max()) + 1, wanted).iloc[rows].reset_index(drop=True)
    groups = groups_of({name: frame[name] for name in rules.protected}, rules.intersections)
    blocks = day_blocks(frame[time].to_numpy() if time else None, len(frame))
    judged = {name: _judged(use_case, contract_of(contract), kept, groups) for name, kept in answers.items()}
    before = judged[USUAL].statistics
    prices = [
        Price(
            name=name,
            metric=metric,
            value=each.value,
            right=each.right,
            found=each.found,
            changes=[] if name == USUAL else _changes(before, each.statistics, blocks),
        )
        for name, each in judged.items()
    ]
    create_table_artifact(
        key=f"mitigation-{use_case.name}",
        table=prices_of(prices),
        description=f"What each mitigation of `{use_case.name}` costs and gains, on {len(rows):,} rows not learned from",
    )
    return prices


def _judged(use_case: UseCase, columns: Contract, kept: Any, groups: Mapping[str, np.ndarray]) -> _Tried:
    rules, problem = use_case.fairness, problem_of(use_case.target)
    assert rules is not None
    metric, place = problem.metrics[use_case.promotion.metric], favourable_place(use_case, columns.classes)
    target, judged = problem.known(kept["target"]), problem.read(kept[problem.column])
    outcomes = outcomes_of(use_case, problem, columns, target, judged)
    accuracy = problem.metrics[RIGHT]
    by_metric = {each.name: _signed(each.resampled(target, judged), each.greater_is_better) for each in (metric, accuracy)}
    return _Tried(
        value=metric.value(target, judged),
        right=accuracy.value(target, judged),
        found=judge(rules, "" if place is None else str(columns.classes[place]), outcomes, groups),
        statistics={**by_metric, **_alike(rules, outcomes, groups)},
    )


def _signed(statistic: Statistic, greater_is_better: bool) -> Statistic:
    return statistic if greater_is_better else lambda rows: -statistic(rows)


def _alike(rules: Fairness, outcomes: Outcomes, groups: Mapping[str, np.ndarray]) -> dict[str, Statistic]:
    """How alike the groups that are large enough are by each measure and column: the higher, the more."""
    found: dict[str, Statistic] = {}
    for by, of in groups.items():
        for criterion, bound in rules.criteria.given.items():
            for measure in measures_of(criterion, outcomes):
                parts = [(of == group) & measure.counts for group in sorted({group for group in of if group is not None})]
                parts = [part for part in parts if part.sum() >= rules.least]
                if len(parts) > 1:
                    found[f"{measure.name} by {by}"] = _apart(measure.number, parts, bound.ratio is not None)
    return found


def _apart(number: np.ndarray, parts: list[np.ndarray], by_ratio: bool) -> Statistic:
    """The smallest over the largest of the groups' means, or how far below the largest it lies."""

    def statistic(rows: np.ndarray) -> float:
        chosen, inside = number[rows], [part[rows] for part in parts]
        means = [float(chosen[each].mean()) for each in inside if each.any()]
        if by_ratio:
            return min(means) / max(means) if max(means) else 1.0
        return min(means) - max(means)

    return statistic


def _changes(before: dict[str, Statistic], after: dict[str, Statistic], blocks: np.ndarray) -> list[Change]:
    names, count, everything = [name for name in after if name in before], len(np.unique(blocks)), np.arange(len(blocks))

    def apart(rows: np.ndarray) -> list[float]:
        return [after[name](rows) - before[name](rows) for name in names]

    drawn = np.array([apart(rows) for rows in resamples(blocks, RESAMPLES, count, seed=0)])
    halves = [margin(each, count, TWO_SIDED) if count > 1 else np.inf for each in drawn.T]
    return [
        Change(what=name, value=value, lower=value - half, upper=value + half)
        for name, value, half in zip(names, apart(everything), halves, strict=True)
    ]
