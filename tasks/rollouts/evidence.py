"""Evidence: what the prediction log holds of a stage, as its checks compare it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from configs.rollout import CHALLENGER, Rollout
from configs.schema import UseCase
from serving.contract.contract import Contract
from tasks.data.frames import contract_of
from tasks.log.exposures import read_copies, read_exposures
from tasks.problems.problem import Problem, problem_of
from tasks.rollouts.carry_out import BASELINE, plan_id
from tasks.rollouts.strategies.choose import STRATEGIES
from tasks.rollouts.values import State
from tasks.verdicts import means

CHAMPION = "champion"


class Evidence(NamedTuple):
    """Two groups of rows, or (`paired`) the same rows answered by both.

    `challenger` and `reference` are pandas frames (`tasks/log/exposures.py`); paired ones have the same rows in the same
    order. `counts` are the keys (or requests) that were assigned to each variant, `shares` what was declared.
    """

    paired: bool
    challenger: Any
    reference: Any
    problem: Problem
    contract: Contract
    counts: dict[str, int]
    shares: dict[str, float]
    keyed: bool

    @property
    def alone(self) -> bool:
        """Whether the challenger gets every request, so that nobody is there to compare it with."""
        return self.shares.keys() == {CHALLENGER}

    @property
    def as_far(self) -> bool:
        """Whether the reference's answers came from a server beside the champion's, as the challenger's do."""
        return BASELINE in self.shares

    def groups(self, values: Callable[[Any], np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """A number of each row of both groups, as independent points."""
        return self.cluster(values(self.challenger), self.challenger), self.cluster(values(self.reference), self.reference)

    def cluster(self, values: np.ndarray, rows: Any) -> np.ndarray:
        """As independent points: one a key, where persons come again."""
        return means.clusters(values, rows["key"].to_numpy()) if self.keyed and len(values) else values

    def by_key(self, values: np.ndarray, rows: Any) -> np.ndarray:
        """The mean of each key's values, in the order in which keys came first."""
        return rows.assign(value=values).groupby("key", sort=False)["value"].mean().to_numpy() if self.keyed else values

    def difference(self, groups: tuple[np.ndarray, np.ndarray], level: float) -> tuple[float, float, float] | None:
        """Of values in [0, 1]. Points of clusters are not in it, so nothing is added to their spread."""
        return means.difference(*groups, level, bounded=not self.keyed)

    def points(self, groups: tuple[np.ndarray, np.ndarray]) -> tuple[int, int]:
        """How many independent ones each group has."""
        return len(groups[0]), len(groups[1])

    def outputs(self, rows: Any) -> np.ndarray:
        """What was answered, shape (rows, k)."""
        return np.stack(rows["output"].to_numpy()) if len(rows) else np.empty((0, 1))


def gather(use_case: UseCase, declared: Rollout, state: State, place: int) -> Evidence:
    """Everything that the log holds by now of the stage at that place."""
    stage = declared.stages[place]
    strategy, plan = STRATEGIES[stage.strategy], plan_id(state, place)
    contract = contract_of(state.challenger.tags["contract"])
    problem = problem_of(use_case.target)
    if strategy.paired:
        rows = read_copies(use_case.name, plan, contract, declared.key)
        copies = {"shadow_prediction": "prediction", "shadow_output": "output", "shadow_latency_us": "latency_us"}
        theirs = rows.drop(columns=[*copies.values()]).rename(columns=copies)
        return Evidence(True, theirs, rows, problem, contract, {}, {}, declared.key is not None)
    kpis = [check.kpi for check in declared.checks if check.kpi]
    rows = read_exposures(use_case.name, plan, contract, kpis, declared.key)
    share, beside = strategy.shares(stage)
    shares = {CHALLENGER: share, BASELINE: beside, CHAMPION: 1 - share - beside}
    counts = rows.groupby("assigned")["key"].nunique().to_dict() if len(rows) else {}
    there = BASELINE if beside else CHAMPION
    return Evidence(
        False,
        rows[rows["assigned"] == CHALLENGER],
        rows[rows["assigned"] == there],
        problem,
        contract,
        {name: int(counts.get(name, 0)) for name, each in shares.items() if each > 0} if share else {},
        {name: each for name, each in shares.items() if each > 0} if share else {},
        declared.key is not None,
    )
