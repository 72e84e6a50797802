"""Calibrate: the thresholds of an alarm from the reference alone, so that its false alarm rate is stated, not hoped for.

The reference is cut into blocks of consecutive days, because the rows of one day (one weather front, one campaign) come
together. Again and again the blocks are dealt into two halves; one half plays the reference, the other a window of the
real length without any drift. What distances arise is what chance does, and the thresholds stand so high that only a
share `false_alarm_rate` of these windows has any column over its threshold (max-T, Westfall & Young, 1993).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from configs.schema import UseCase
from tasks.metrics import LOWER_IS_BETTER, day_blocks, resamples, score
from tasks.step import step
from tasks.values import BundleRef, Thresholds

BLOCK_DAYS = 5
DRAWS = 200
MANY_VALUES = 20  # as Evidently: a numeric column with more distinct values is binned


@step
def calibrate(use_case: UseCase, bundle: BundleRef, days: float, rows: int) -> Thresholds:
    """Thresholds for windows of that length against the bundle's reference and holdout.

    Args:
        use_case: For the columns, the metric and the false alarm rate.
        bundle: The champion's.
        days: Length of a window, where rows have a time.
        rows: Length of a window in rows, where they have none.
    """
    import pandas as pd

    rate = use_case.monitoring.false_alarm_rate
    reference = pd.read_parquet(bundle.path / "reference.parquet")
    time = use_case.source.time_column
    blocks = day_blocks(reference[time].to_numpy() if time else None, len(reference)) // (BLOCK_DAYS if time else 1)
    draws = max(1, round(days / BLOCK_DAYS)) if time else min(rows, len(reference))
    columns = {name: encoded_column(reference[name], name in use_case.features.categorical) for name in use_case.watched}
    thresholds = drift_thresholds(columns, blocks, draws, rate)
    density = len(reference) / len(np.unique(blocks))
    expected, floor = performance_floor(use_case, bundle, days, rows)
    return Thresholds(
        columns=thresholds,
        window_rows=max(1, round(draws * density)),
        expected=expected,
        floor=floor,
        false_alarm_rate=rate,
    )


def drift_thresholds(columns: dict[str, np.ndarray], blocks: np.ndarray, draws: int, rate: float) -> dict[str, float]:
    """A bound a column, such that a window of `draws` blocks without drift has any column over its bound at that rate.

    `columns` holds arrays of shape (rows,): numbers as float with NaN for missing, anything else as codes.
    """
    names, unique = list(columns), np.unique(blocks)
    prepared = [discrete(columns[name]) for name in names]
    distances = np.empty((DRAWS, len(names)))
    generator = np.random.default_rng(0)
    for draw in range(DRAWS):
        dealt = generator.permutation(unique)
        half = len(dealt) // 2 or 1
        ours = np.isin(blocks, dealt[:half])
        theirs = ~ours if len(dealt) > 1 else ours
        reference = _resample(np.flatnonzero(ours), blocks, len(unique), draw)
        window = _resample(np.flatnonzero(theirs), blocks, draws, DRAWS + draw)
        distances[draw] = [jensen_shannon(column[reference], column[window]) for column in prepared]
    mean, spread = distances.mean(axis=0), distances.std(axis=0) + 1e-9
    highest = ((distances - mean) / spread).max(axis=1)
    bound = float(np.quantile(highest, 1 - rate, method="higher"))
    return {name: float(mean[i] + bound * spread[i]) for i, name in enumerate(names)}


def _resample(rows: np.ndarray, blocks: np.ndarray, draws: int, seed: int) -> np.ndarray:
    return rows[next(resamples(blocks[rows], 1, draws, seed))]


def discrete(values: np.ndarray) -> np.ndarray:
    """Floats with few distinct values as codes (missing is -1), anything else as it is."""
    if values.dtype.kind != "f":
        return values
    known = values[~np.isnan(values)]
    distinct = np.unique(known)
    if len(distinct) > MANY_VALUES:
        return values
    return np.where(np.isnan(values), -1, np.searchsorted(distinct, values)).astype(np.int64)


def jensen_shannon(reference: np.ndarray, window: np.ndarray) -> float:
    """Jensen-Shannon distance (natural logarithm) of two samples, binned as Evidently bins them.

    Floats are binned by Sturges' rule over both samples (pass numbers with few distinct values through `discrete`
    first); codes are compared one by one. NaN and code -1 are missing and left out.
    Lin, "Divergence measures based on the Shannon entropy" (1991).

    >>> round(jensen_shannon(np.array([1, 1, 2, 2]), np.array([1, 2, 2, 2])), 4)
    0.1839
    """
    numbers = reference.dtype.kind == "f"
    reference, window = (x[~np.isnan(x)] if numbers else x[x >= 0] for x in (reference, window))
    if not len(reference) or not len(window):
        return 0.0 if len(reference) == len(window) else float(np.sqrt(np.log(2)))
    if numbers:
        both = np.concatenate([reference, window])
        edges = np.histogram_bin_edges(both, bins="sturges")
        bounds = (float(edges[0]), float(edges[-1]))
        p, q = (np.histogram(x, len(edges) - 1, bounds)[0] for x in (reference, window))
    else:
        size = int(max(reference.max(), window.max())) + 1
        p, q = np.bincount(reference, minlength=size), np.bincount(window, minlength=size)
    p, q = p / p.sum(), q / q.sum()
    middle = (p + q) / 2
    divergence = (_entropy_to(p, middle) + _entropy_to(q, middle)) / 2
    return float(np.sqrt(max(divergence, 0.0)))


def _entropy_to(p: np.ndarray, q: np.ndarray) -> float:
    some = p > 0
    return float((p[some] * np.log(p[some] / q[some])).sum())


def encoded_column(series: Any, categorical: bool) -> np.ndarray:
    """Codes of a category (missing is a code of its own), or float32 numbers."""
    if categorical:
        codes, _ = series.astype("string").fillna("").factorize(sort=True)
        return codes.astype(np.int64)
    return series.to_numpy(dtype=np.float32, na_value=np.nan)


def performance_floor(use_case: UseCase, bundle: BundleRef, days: float, rows: int) -> tuple[float, float]:
    """The metric on the champion's own holdout, and the bound under which windows of that length fall by chance."""
    import pandas as pd

    holdout = pd.read_parquet(bundle.path / "holdout.parquet")
    target, probability = holdout["target"].to_numpy(), holdout["probability"].to_numpy()
    timed = "time" in holdout
    blocks = day_blocks(holdout["time"].to_numpy() if timed else None, len(holdout))
    draws = max(1, round(days)) if timed else rows
    metric = use_case.promotion.metric
    values = [score(metric, target[r], probability[r]) for r in resamples(blocks, DRAWS, draws, seed=1)]
    rate = use_case.monitoring.false_alarm_rate
    quantile = 1 - rate if metric in LOWER_IS_BETTER else rate
    return score(metric, target, probability), float(np.nanquantile(values, quantile))
