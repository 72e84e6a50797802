"""Calibrate the joint test: which AUC of a domain classifier is no drift, for a version and windows of some length."""

from __future__ import annotations

from configs.schema import UseCase
from serving.scoring.bundle import read_bundle
from tasks.columns.choose import kinds_of
from tasks.data.frames import as_served
from tasks.log.values import Window
from tasks.monitoring.drift.joint import LEAST_ROWS, bound, null_of
from tasks.monitoring.drift.layout import make_layout
from tasks.monitoring.drift.null import OTHER_SHARE
from tasks.monitoring.drift.season import same_season, seasons
from tasks.packaging.reference import comparable, reference_of
from tasks.packaging.values import BundleRef
from tasks.step import step


@step
def calibrate_joint(use_case: UseCase, bundle: BundleRef, rows: int, in_seasons: list[int]) -> float:
    """The bound for windows of about that many rows, of these seasons. It takes seconds, so it is kept."""
    import pandas as pd

    if rows < LEAST_ROWS or not use_case.watched:
        return 1.0  # no AUC is over it
    use_case = comparable(use_case, bundle)
    reference, time = pd.read_parquet(reference_of(bundle)), use_case.source.time_column
    times = reference[time].to_numpy() if time else None
    reference, times, _ = same_season(reference, times, use_case.monitoring.season, in_seasons)
    served = as_served(read_bundle(bundle.path).contract, reference, use_case.watched)
    layout = make_layout(served, kinds_of(use_case.features))
    null = null_of(layout.codes(served), times, rows)
    return bound(*null, use_case.monitoring.false_alarm_rate * OTHER_SHARE)


def seasons_of(use_case: UseCase, window: Window) -> list[int]:
    """The seasons that a window's rows are of (`monitoring.season`)."""
    import pandas as pd

    return seasons(pd.read_parquet(window.path, columns=["time"])["time"].to_numpy(), use_case.monitoring.season)


def size_class(rows: int) -> int:
    """The power of two below, so that windows of nearly the same length share a bound.

    >>> size_class(300), size_class(512)
    (256, 512)
    """
    return 1 << (max(rows, 1).bit_length() - 1)
