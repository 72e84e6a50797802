"""Detect drift: a window against the reference and the champion's scores, with bounds that keep their false alarm rate."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from prefect import get_run_logger, task

from configs.schema import UseCase
from serving.scoring.bundle import Bundle, read_bundle
from serving.scoring.onnx import Scorer
from tasks.columns.choose import NUMBERS, kinds_of
from tasks.columns.kind import ColumnKind
from tasks.data.frames import as_served, encode, logged_features, model_input
from tasks.log.values import Window
from tasks.monitoring.drift.columns import compare
from tasks.monitoring.drift.damage import costs
from tasks.monitoring.drift.faults import fault
from tasks.monitoring.drift.joint import LEAST_ROWS, domain_auc
from tasks.monitoring.drift.layout import make_layout
from tasks.monitoring.drift.null import OTHER_SHARE, columns_share
from tasks.monitoring.drift.season import same_season, seasons
from tasks.monitoring.findings import drifts_before, told_column
from tasks.monitoring.values import ColumnDrift, Drift
from tasks.packaging.reference import comparable, holdout_of, reference_of
from tasks.problems.metrics import Metric
from tasks.problems.problem import Problem, problem_of
from tasks.registry.values import Version


@task
def detect_drift(use_case: UseCase, window: Window, version: Version, joint_bound: float) -> Drift:
    """Which columns drifted, alone or jointly, what that is estimated to cost, and what looks broken upstream."""
    import pandas as pd

    use_case = comparable(use_case, version.bundle)
    bundle, time = read_bundle(version.bundle.path), use_case.source.time_column
    logged = pd.read_parquet(window.path)
    reference = pd.read_parquet(reference_of(version.bundle))
    holdout = pd.read_parquet(holdout_of(version.bundle))
    kinds = kinds_of(use_case.features)
    times = reference[time].to_numpy() if time else None
    length = np.ptp(logged["time"].to_numpy())
    season = use_case.monitoring.season
    reference, times, compared = same_season(reference, times, season, seasons(logged["time"].to_numpy(), season))
    features = logged_features(logged, use_case.watched)
    current, reference = (as_served(bundle.contract, frame, use_case.watched) for frame in (features, reference))
    columns = compare(use_case.monitoring, current, reference, times, kinds, columns_share(use_case.monitoring))
    drifted = [name for name, column in columns[0].items() if column.score > 1]
    faults = {name: fault(current[name], reference[name], kinds[name], times, length) for name in drifted}
    times = holdout["time"].to_numpy() if time else None
    problem = problem_of(bundle.contract)
    now, before = (_scores(problem, bundle, frame) for frame in (logged, holdout))
    scores, _ = compare(use_case.monitoring, now, before, times, dict.fromkeys(now, NUMBERS), OTHER_SHARE)
    found = columns[0]
    joint = _joint(kinds, current, reference, joint_bound)
    metric, cost = problem.metrics[use_case.promotion.metric], {}
    estimate = _estimator(problem, metric, bundle, holdout)
    if estimate and len(use_case.watched) == len(use_case.features.all):  # else the log lacks columns of the model
        if drifted:
            cost = costs(drifted, kinds, current, reference, metric.name, estimate)
        elif joint.score > 1:
            joint = joint.model_copy(update={"cost": metric.gain(estimate(reference), estimate(current))})
    for name in drifted:
        found[name] = found[name].model_copy(update={"cost": cost.get(name), "fault": faults[name]})
    result = Drift(
        columns=found,
        joint=joint,
        prediction=max(scores.values(), key=lambda column: column.score),
        blocks=columns[1],
        persists=_persists(use_case, window, version, max(c.score for c in [*found.values(), joint]) > 1),
        tolerance=use_case.monitoring.tolerance,
        compared_with=compared,
        not_estimated="" if estimate else f"what drift costs is {problem.not_estimated}",
    )
    for name in result.drifted:
        get_run_logger().info("Window %s: %s", window.name, told_column(name, result, metric.name))
    return result


def _persists(use_case: UseCase, window: Window, version: Version, over: bool) -> bool:
    """Whether enough windows of this version in a row, this one the last, were over the bound."""
    needed, among = use_case.monitoring.needed
    earlier = [drift.highest > 1 for drift in drifts_before(use_case.name, window, version.version)]
    return sum(earlier[-(among - 1) :] if among > 1 else []) + over >= needed


def _joint(kinds: Mapping[str, ColumnKind], current: Any, reference: Any, bound: float) -> ColumnDrift:
    """All columns jointly; `distance` is the AUC of a domain classifier, and a score is how far it is beyond a coin's."""
    if len(current) < LEAST_ROWS or not len(current.columns):
        return ColumnDrift(score=0.0, distance=0.5)
    layout = make_layout(reference, kinds)
    auc = domain_auc(layout.codes(current), layout.codes(reference), seed=0)
    return ColumnDrift(score=(auc - 0.5) / (bound - 0.5), distance=auc)


def _scores(problem: Problem, bundle: Bundle, rows: Any) -> Any:
    """What was answered, as a frame of numbers."""
    import pandas as pd

    return pd.DataFrame(problem.scores(bundle.contract, problem.read(rows[problem.column])), index=rows.index)


def _estimator(problem: Problem, metric: Metric, bundle: Bundle, holdout: Any) -> Callable[[Any], float] | None:
    """The metric of a frame without labels, where the problem has such an estimate; if it is not defined, that of a coin."""
    chance = problem.chances(problem.known(holdout["target"]), problem.read(holdout[problem.column]))
    if chance is None:
        return None
    scorer, chances = Scorer(bundle.model, bundle.contract), chance

    def estimate(frame: Any) -> float:
        output = problem.judged(scorer.outputs(model_input(encode(bundle.contract, frame))))
        value = metric.value(chances(output), output, np.ones(len(output)))
        worst = 0.5 if metric.greater_is_better else 1.0
        return worst if np.isnan(value) else value

    return estimate
