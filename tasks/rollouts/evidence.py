"""Evidence: what the prediction log holds of a stage, as its checks compare it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from configs.rollout import CHALLENGER, Cohort, Rollout
from configs.schema import UseCase
from serving.contract.contract import Contract
from tasks.data.frames import contract_of
from tasks.log.exposures import read_before, read_copies, read_exposures, read_past
from tasks.log.values import FEATURE
from tasks.problems.problem import Problem, problem_of
from tasks.rollouts.carry_out import BASELINE, plan_id
from tasks.rollouts.protected import to_read, with_groups
from tasks.rollouts.strategies.choose import STRATEGIES
from tasks.rollouts.values import State
from tasks.verdicts import means

CHAMPION = "champion"


class Evidence(NamedTuple):
    """Two groups of rows, or (`paired`) the same rows answered by both.

    `challenger` and `reference` are pandas frames (`tasks/log/exposures.py`); paired ones have the same rows in the same
    order. `counts` are the keys (or requests) that were assigned to each variant, `shares` what was declared. `past` is what
    was known of persons before the rollout (`read_past`); None where requests are on their own, or groups were not drawn.
    Of groups that were chosen, `before` are the rows of both from as long before the stage as it lasts. Rows have their
    protected groups (`with_groups`) where the `use_case` protects any.
    """

    paired: bool
    challenger: Any
    reference: Any
    problem: Problem
    contract: Contract
    counts: dict[str, int]
    shares: dict[str, float]
    keyed: bool
    past: Any = None
    before: tuple[Any, Any] | None = None
    use_case: UseCase | None = None

    @property
    def alone(self) -> bool:
        """Whether the challenger gets every request, so that nobody is there to compare it with."""
        return self.shares.keys() == {CHALLENGER}

    @property
    def as_far(self) -> bool:
        """Whether the reference's answers came from a server beside the champion's, as the challenger's do."""
        return BASELINE in self.shares

    def where(self, column: str, text: str) -> Evidence:
        """Of the rows that have this text in a column of the frames."""

        def of(rows: Any) -> Any:
            return rows[rows[column] == text]

        before = (of(self.before[0]), of(self.before[1])) if self.before else None
        return self._replace(challenger=of(self.challenger), reference=of(self.reference), before=before)

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
        """Of values in [0, 1], or of persons whose values are: two that nobody saw are a person like the others each."""
        return means.difference(*groups, level, bounded=True)

    def points(self, groups: tuple[np.ndarray, np.ndarray]) -> tuple[int, int]:
        """How many independent ones each group has."""
        return len(groups[0]), len(groups[1])

    def outputs(self, rows: Any) -> np.ndarray:
        """What was answered, shape (rows, k)."""
        return np.stack(rows["output"].to_numpy()) if len(rows) else np.empty((0, 1))

    def answered(self, rows: Any) -> tuple[np.ndarray, np.ndarray]:
        """The targets of rows, one or more, NaN where not known, and what was judged of the answers."""
        return self.problem.known(rows["target"]), self.problem.judged(self.outputs(rows))


def gather(use_case: UseCase, declared: Rollout, state: State, place: int, arm: str = CHALLENGER) -> Evidence:
    """Everything that the log holds by now of the stage at that place; `arm` is the challenger's."""
    stage = declared.stages[place]
    strategy, plan = STRATEGIES[stage.strategy], plan_id(state, place)
    contract = contract_of(state.challenger.tags["contract"])
    problem, read = problem_of(use_case.target), to_read(use_case, declared)
    if strategy.paired:
        rows = read_copies(use_case.name, plan, contract, read.feedback, declared.key, read.columns)
        rows = with_groups(use_case, contract, rows)
        copies = {"shadow_prediction": "prediction", "shadow_output": "output", "shadow_latency_us": "latency_us"}
        theirs = rows.drop(columns=[*copies.values()]).rename(columns=copies)
        return Evidence(True, theirs, rows, problem, contract, {}, {}, declared.key is not None, use_case=use_case)
    if isinstance(stage, Cohort):
        return _chosen(use_case, declared, stage, plan, contract)
    rows = read_exposures(use_case.name, plan, contract, read.kpis, declared.key, read.columns)
    rows = with_groups(use_case, contract, rows)
    share, beside = strategy.shares(stage)
    told = [name for name, sql in declared.kpis.items() if not sql]
    past = read_past(use_case, state.began, contract, told, declared.key) if declared.key and told else None
    arms = [each.arm for each in state.variants] if state.left else [CHALLENGER]
    shares = {**dict.fromkeys(arms, share), BASELINE: beside, CHAMPION: 1 - share * len(arms) - beside}
    counts = rows.groupby("assigned")["key"].nunique().to_dict() if len(rows) else {}
    there = BASELINE if beside else CHAMPION
    return Evidence(
        False,
        rows[rows["assigned"] == arm],
        rows[rows["assigned"] == there],
        problem,
        contract,
        {name: int(counts.get(name, 0)) for name, each in shares.items() if each > 0},
        {name: each for name, each in shares.items() if each > 0},
        declared.key is not None,
        past,
        use_case=use_case,
    )


def _chosen(use_case: UseCase, declared: Rollout, stage: Cohort, plan: str, contract: Contract) -> Evidence:
    """A pilot and everybody else, now and before: who meets the challenger now was of the pilot then."""
    read, group = to_read(use_case, declared), f"{FEATURE}{stage.column}"
    columns = sorted({*read.columns, stage.column})
    now = read_exposures(use_case.name, plan, contract, read.kpis, declared.key, columns)
    then = read_before(use_case, plan, stage.lasts, contract, read.kpis, declared.key, columns)
    now, then = (with_groups(use_case, contract, rows) for rows in (now, then))
    then = then[then["assigned"] != CHALLENGER]  # in an earlier stage some of both may have met it
    pilot = now["assigned"] == CHALLENGER
    was_pilot = then[group].isin(now[group][pilot].unique())
    problem, keyed = problem_of(use_case.target), declared.key is not None
    before = (then[was_pilot], then[~was_pilot])
    return Evidence(False, now[pilot], now[~pilot], problem, contract, {}, {}, keyed, before=before, use_case=use_case)
