"""Performance: the champion's metric on the labels of a window that have arrived, and estimated without them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from prefect import task
from prefect.artifacts import create_link_artifact

from configs.schema import SliceGates, UseCase
from configs.settings import report_address, reports
from tasks.data.frames import logged_features
from tasks.log.values import FEATURE, Window
from tasks.monitoring.drift.null import OTHER_SHARE
from tasks.monitoring.errors import errors_rose
from tasks.monitoring.estimate import Estimator, expected_score, resampled_score
from tasks.monitoring.floor import Interval, higher, raised
from tasks.monitoring.labels import label_weights
from tasks.monitoring.values import Answers, Performance
from tasks.packaging.reference import holdout_of
from tasks.packaging.values import BundleRef
from tasks.problems.chance import day_blocks, resamples, widening
from tasks.problems.metrics import LOWER_IS_BETTER, gain, score
from tasks.training.slices import by_slice
from tasks.training.values import Slice

RESAMPLES, LEVEL = 400, 0.95


@task
def measure_performance(
    use_case: UseCase, window: Window, bundle: BundleRef, earlier: Sequence[Performance] = ()
) -> Performance:
    """Score the labelled rows, and estimate all. With fewer labels than `monitoring.min_labels` only the estimate counts.

    `earlier` is what the same version did in windows before; it raises the floor where that was better than the holdout.
    """
    import pandas as pd

    metric, rate = use_case.promotion.metric, use_case.monitoring.false_alarm_rate * OTHER_SHARE
    rules = use_case.evaluation.slices or SliceGates(columns=[])
    rules = rules.model_copy(update={"columns": [name for name in rules.columns if name in use_case.watched]})
    features = [f"{FEATURE}{name}" for name in rules.columns]
    current = pd.read_parquet(window.path, columns=["time", "target", "probability", *features])
    holdout = pd.read_parquet(holdout_of(bundle))
    timed = "time" in holdout
    target, probability = holdout["target"].to_numpy(), holdout["probability"].to_numpy()
    blocks = day_blocks(holdout["time"].to_numpy() if timed else None, len(holdout))
    now_blocks = day_blocks(current["time"].to_numpy() if timed else None, len(current))
    draws = len(np.unique(now_blocks)) if timed else len(current)

    labelled = current["target"].notna().to_numpy()
    weight = label_weights(current["probability"].to_numpy(), labelled)
    measured = measure(metric, current, labelled, weight, now_blocks)
    enough = labelled.sum() >= use_case.monitoring.min_labels and not np.isnan(measured[0])
    days, usual = len(np.unique(blocks)), score(metric, target, probability)
    shown = _shown(earlier)
    resampled = resampled_score(metric, target.astype(np.float64), probability)
    realised = [resampled(rows) for rows in resamples(blocks, RESAMPLES, draws, seed=1)]
    floor = bound(metric, realised, rate / 2 if shown else rate, days)
    if enough and shown:
        floor, usual = higher(metric, (floor, usual), raised(metric, measured, shown, draws, rate / 2))
    estimator = Estimator(metric, target, probability, blocks, draws, LEVEL)
    estimate = estimator.estimate(current["probability"].to_numpy())
    estimate_floor = bound(metric, estimator.values, rate, len(np.unique(blocks)))
    known = current[labelled]
    if 0 < known["target"].sum() < len(known):
        _report(use_case, window, known, holdout)
    value, lower, upper = measured if enough else (None, None, None)
    return Performance(
        metric=metric,
        value=value,
        lower=lower,
        upper=upper,
        floor=_known(floor),
        expected=usual,
        labelled=int(labelled.sum()),
        rows=len(current),
        weighted=bool(weight[labelled].max(initial=1.0) > 1.5 * weight[labelled].min(initial=1.0)),
        fell=value is not None and gain(metric, value, floor) < 0,
        rose=_rose(current[labelled], target, probability, rate),
        estimate=_known(estimate.value),
        estimate_lower=_known(estimate.lower),
        estimate_upper=_known(estimate.upper),
        estimate_floor=_known(estimate_floor),
        estimate_fell=gain(metric, estimate.value, estimate_floor) < 0,
        slices=_slices(metric, known, weight[labelled], now_blocks[labelled], rules),
        answers=_answers(current["probability"].to_numpy()),
        answers_expected=_answers(probability),
    )


def _shown(earlier: Sequence[Performance]) -> list[Interval]:
    """The metric of those windows that were measured and held their floor."""
    held = [p for p in earlier if not p.fell]
    return [(p.value, p.lower, p.upper) for p in held if p.value is not None and p.lower is not None and p.upper is not None]


def _slices(metric: str, known: Any, weight: np.ndarray, blocks: np.ndarray, rules: SliceGates) -> list[Slice]:
    target, probability = known["target"].to_numpy(dtype=np.float64), known["probability"].to_numpy()
    columns = logged_features(known, rules.columns)
    return by_slice(columns, rules, target, blocks, resampled_score(metric, target, probability, weight))


def _answers(probability: np.ndarray) -> Answers:
    confidence = np.maximum(probability, 1 - probability)
    return Answers(positives=float((probability >= 0.5).mean()), confidence=float(confidence.mean()))


def _known(value: float) -> float | None:
    return None if np.isnan(value) else value


def measure(
    metric: str, current: Any, labelled: np.ndarray, weight: np.ndarray, blocks: np.ndarray
) -> tuple[float, float, float]:
    """The metric of the labelled rows, weighted, and its interval of 95 % by resampling whole blocks."""
    target = current["target"].to_numpy(dtype=np.float64)[labelled]
    probability, weight = current["probability"].to_numpy()[labelled], weight[labelled]
    if not len(target):
        return float("nan"), float("nan"), float("nan")
    value = expected_score(metric, target, probability, weight)
    blocks = blocks[labelled]
    draws = len(np.unique(blocks))
    resampled = resampled_score(metric, target, probability, weight)
    drawn = [resampled(rows) for rows in resamples(blocks, RESAMPLES // 2, draws, seed=3)]
    low, high = np.nanquantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return value, float(low), float(high)


def _rose(known: Any, target: np.ndarray, probability: np.ndarray, level: float) -> dict[str, str]:
    """When the squared errors rose, as each detector has it."""
    now = (known["probability"] - known["target"].astype(float)).to_numpy() ** 2
    rows = errors_rose((probability - target) ** 2, now, level)
    return {name: f"{known['time'].iloc[row]:%Y-%m-%d %H:%M}" for name, row in rows.items()}


def bound(metric: str, values: Any, rate: float, observations: int) -> float:
    """What a share `rate` of windows as good as these falls below; farther out the fewer days it rests on."""
    values = np.asarray(values)
    if np.isnan(values).all():
        return float("nan")
    quantile = 1 - rate if metric in LOWER_IS_BETTER else rate
    middle = float(np.nanmedian(values))
    return middle + (float(np.nanquantile(values, quantile)) - middle) * widening(observations, rate)


def _report(use_case: UseCase, window: Window, labelled: Any, holdout: Any) -> None:
    """Evidently's classification report on the window beside the champion's holdout, kept and linked."""
    from evidently import BinaryClassification, DataDefinition, Dataset, Report
    from evidently.presets import ClassificationPreset

    definition = DataDefinition(
        numerical_columns=["probability"],
        categorical_columns=["target"],
        classification=[BinaryClassification(target="target", prediction_probas="probability", pos_label=1)],
    )
    current, reference = (
        Dataset.from_pandas(frame[["target", "probability"]].astype({"target": int}), data_definition=definition)
        for frame in (labelled, holdout)
    )
    path = reports(use_case.name, "monitoring") / f"{window.page}-performance.html"
    Report([ClassificationPreset()]).run(current, reference, name=f"{use_case.name} {window.page}").save_html(str(path))
    create_link_artifact(
        key=f"performance-{use_case.name}",
        link=report_address(path),
        link_text=window.page,
        description="Evidently report",
    )
