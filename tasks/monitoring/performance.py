"""Performance: the champion's metric on the labels of a window that have arrived, and estimated without them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from prefect import task
from prefect.artifacts import create_link_artifact

from configs.schema import SliceGates, UseCase
from configs.settings import report_address, reports
from serving.scoring.bundle import read_bundle
from tasks.data.frames import logged_features
from tasks.log.values import FEATURE, Window
from tasks.monitoring.coverage import watched_coverage
from tasks.monitoring.drift.null import OTHER_SHARE
from tasks.monitoring.errors import errors_rose
from tasks.monitoring.estimate import Estimator
from tasks.monitoring.floor import Interval, higher, raised
from tasks.monitoring.labels import label_weights
from tasks.monitoring.measured import LEVEL, RESAMPLES, Labelled, bound, measure
from tasks.monitoring.values import Performance
from tasks.packaging.reference import holdout_of
from tasks.packaging.values import BundleRef
from tasks.problems.chance import day_blocks, resamples
from tasks.problems.metrics import Metric
from tasks.problems.problem import Problem, problem_of
from tasks.training.slices import by_slice
from tasks.training.values import Slice


@task
def measure_performance(
    use_case: UseCase, window: Window, bundle: BundleRef, earlier: Sequence[Performance] = ()
) -> Performance:
    """Score the labelled rows, and estimate all where the problem has an estimate.

    With fewer labels than `monitoring.min_labels` only the estimate counts. `earlier` is what the same version did in
    windows before; it raises the floor where that was better than the holdout.
    """
    import pandas as pd

    problem, contract = problem_of(use_case.target), read_bundle(bundle.path).contract
    metric, rate = problem.metrics[use_case.promotion.metric], use_case.monitoring.false_alarm_rate * OTHER_SHARE
    rules = use_case.evaluation.slices or SliceGates(columns=[])
    rules = rules.model_copy(update={"columns": [name for name in rules.columns if name in use_case.watched]})
    features = [f"{FEATURE}{name}" for name in rules.columns]
    current = pd.read_parquet(window.path, columns=["time", "target", problem.column, *features])
    holdout = pd.read_parquet(holdout_of(bundle))
    timed = "time" in holdout
    target, output = problem.known(holdout["target"]), problem.read(holdout[problem.column])
    blocks = day_blocks(holdout["time"].to_numpy() if timed else None, len(holdout))
    now, now_blocks = (
        problem.read(current[problem.column]),
        day_blocks(current["time"].to_numpy() if timed else None, len(current)),
    )
    draws = len(np.unique(now_blocks)) if timed else len(current)

    labelled = current["target"].notna().to_numpy()
    weight = label_weights(problem.score(now), labelled)[labelled]
    known = Labelled(problem.known(current["target"])[labelled], now[labelled], weight, now_blocks[labelled])
    measured = measure(metric, known)
    enough = labelled.sum() >= use_case.monitoring.min_labels and not np.isnan(measured[0])
    days, usual = len(np.unique(blocks)), metric.value(target, output)
    promised = problem.promised(contract)
    if promised is not None:
        rate /= 2  # the other half is for the intervals
    shown = _shown(earlier)
    resampled = metric.resampled(target, output)
    realised = [resampled(rows) for rows in resamples(blocks, RESAMPLES, draws, seed=1)]
    floor = bound(metric.name, realised, rate / 2 if shown else rate, days)
    if enough and shown:
        floor, usual = higher(metric.name, (floor, usual), raised(metric.name, measured, shown, draws, rate / 2))
    if problem.enough(known.target):
        _report(use_case, window, known, (target, output))
    value, lower, upper = measured if enough else (None, None, None)
    return Performance(
        metric=metric.name,
        value=value,
        lower=lower,
        upper=upper,
        floor=_known(floor),
        expected=usual,
        labelled=int(labelled.sum()),
        rows=len(current),
        weighted=bool(weight.max(initial=1.0) > 1.5 * weight.min(initial=1.0)),
        fell=value is not None and metric.gain(value, floor) < 0,
        rose=_rose(problem, (target, output), known, current["time"][labelled], rate),
        slices=_slices(metric, problem, current[labelled], known, rules),
        coverage=watched_coverage(promised, (target, output), known, resamples(blocks, RESAMPLES, draws, seed=1), days, rate)
        if enough and promised is not None
        else None,
        answers=problem.answers(contract, now),
        answers_expected=problem.answers(contract, output),
        **_estimated(problem, metric, (target, output), blocks, draws, now, rate),
    )


def _estimated(
    problem: Problem,
    metric: Metric,
    holdout: tuple[np.ndarray, np.ndarray],
    blocks: np.ndarray,
    draws: int,
    now: np.ndarray,
    rate: float,
) -> dict[str, Any]:
    """The fields of a performance that need no label; of some answers there is no estimate."""
    if (chances := problem.chances(*holdout)) is None:
        return {"not_estimated": problem.not_estimated}
    estimator = Estimator(problem, metric, chances, holdout, blocks, draws, LEVEL)
    estimate = estimator.estimate(now)
    floor = bound(metric.name, estimator.values, rate, len(np.unique(blocks)))
    return {
        "estimate": _known(estimate.value),
        "estimate_lower": _known(estimate.lower),
        "estimate_upper": _known(estimate.upper),
        "estimate_floor": _known(floor),
        "estimate_fell": metric.gain(estimate.value, floor) < 0,
    }


def _shown(earlier: Sequence[Performance]) -> list[Interval]:
    """The metric of those windows that were measured and held their floor."""
    held = [p for p in earlier if not p.fell]
    return [(p.value, p.lower, p.upper) for p in held if p.value is not None and p.lower is not None and p.upper is not None]


def _slices(metric: Metric, problem: Problem, rows: Any, known: Labelled, rules: SliceGates) -> list[Slice]:
    statistic = metric.resampled(known.target, known.output, known.weight)
    return by_slice(logged_features(rows, rules.columns), rules, known.target, problem, known.blocks, statistic)


def _known(value: float) -> float | None:
    return None if np.isnan(value) else value


def _rose(
    problem: Problem, holdout: tuple[np.ndarray, np.ndarray], known: Labelled, times: Any, level: float
) -> dict[str, str]:
    """When the losses rose, as each detector has it."""
    before, now, wrong = problem.losses(holdout, (known.target, known.output))
    rows = errors_rose(before, now, level, wrong)
    return {name: f"{times.iloc[row]:%Y-%m-%d %H:%M}" for name, row in rows.items()}


def _report(use_case: UseCase, window: Window, known: Labelled, holdout: tuple[np.ndarray, np.ndarray]) -> None:
    """Evidently's report on the labelled rows of the window beside the champion's holdout, kept and linked."""
    from evidently import Dataset, Report

    page = problem_of(use_case.target).page(holdout[0], known.target)
    current, reference = (
        Dataset.from_pandas(page.frame(*rows), data_definition=page.definition)
        for rows in ((known.target, known.output), holdout)
    )
    path = reports(use_case.name, "monitoring") / f"{window.page}-performance.html"
    Report([*page.presets]).run(current, reference, name=f"{use_case.name} {window.page}").save_html(str(path))
    create_link_artifact(
        key=f"performance-{use_case.name}",
        link=report_address(path),
        link_text=window.page,
        description="Evidently report",
    )
