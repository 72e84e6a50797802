"""The drift report: Evidently's page on a window against the reference, showing the calibrated scores and decisions."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import numpy as np
from prefect import task
from prefect.artifacts import create_link_artifact

from configs.files import write_atomically
from configs.schema import UseCase
from configs.settings import report_address
from serving.scoring.bundle import read_bundle
from tasks.columns.choose import kinds_of
from tasks.data.frames import as_served, logged_features
from tasks.log.values import Window
from tasks.monitoring.findings import drift_page
from tasks.monitoring.values import Drift
from tasks.monitoring.workspace import keep_run
from tasks.packaging.reference import comparable, reference_of
from tasks.packaging.values import BundleRef

ROWS = 10_000  # what a page shows; the decision was taken on every row


@task
def drift_report(use_case: UseCase, window: Window, bundle: BundleRef, drift: Drift) -> str:
    """Keep Evidently's HTML, and its run in the workspace; returns the page's address.

    The decision is taken already and does not wait for it.
    """
    from evidently import DataDefinition, Dataset, Report
    from evidently.presets import DataDriftPreset

    use_case = comparable(use_case, bundle)
    frames = _frames(use_case, window, bundle)
    shown = [
        name for name in use_case.watched if all(frame[name].notna().any() for frame in frames)
    ]  # it takes no empty ones
    path = drift_page(use_case.name, window.page)
    if not shown:
        write_atomically(path, _nothing_shown(use_case).encode())
        return report_address(path)
    kinds = kinds_of(use_case.features)
    definition = DataDefinition(
        numerical_columns=[name for name in shown if kinds[name].shown_as == "numbers"],
        categorical_columns=[name for name in shown if kinds[name].shown_as == "categories"],
    )
    current, reference = (Dataset.from_pandas(frame[shown], data_definition=definition) for frame in frames)
    method = _calibrated(drift)
    preset = DataDriftPreset(columns=shown, num_method=method, cat_method=method, threshold=1.0)
    ended = None if window.end.isdigit() else datetime.fromisoformat(window.end).replace(tzinfo=None)
    run = Report([preset]).run(current, reference, timestamp=ended, metadata={"window": window.page}, name=window.page)
    run.save_html(str(path))
    keep_run(use_case.name, use_case.description, window.page, run)
    address = report_address(path)
    create_link_artifact(key=f"drift-{use_case.name}", link=address, link_text=window.page, description="Evidently report")
    return address


def _nothing_shown(use_case: UseCase) -> str:
    """The page where no column can be compared."""
    why = (
        "no column has values in the window and in the reference"
        if use_case.watched
        else "every feature is sensitive, so the log holds a hash of each and no value"
    )
    return (
        f"<!doctype html><meta charset=utf-8><title>{use_case.name}</title><p>There is no drift of columns to show: {why}. "
        "The answers are compared, and the finding tells of them."
    )


def _calibrated(drift: Drift) -> Any:
    """A statistical test of Evidently's that says what was decided: the score of the column, drift over 1."""
    from evidently.legacy.calculations.stattests import StatTest, register_stattest
    from evidently.legacy.core import ColumnType

    test = StatTest(
        name="slipway_calibrated",
        display_name="distance over its calibrated bound",
        allowed_feature_types=[ColumnType.Numerical, ColumnType.Categorical],
        default_threshold=1.0,
    )

    def decided(reference: Any, current: Any, kind: ColumnType, threshold: float) -> tuple[float, bool]:
        score = drift.columns[str(current.name)].score
        return score, score > threshold

    register_stattest(test, decided)
    return test.name


def _frames(use_case: UseCase, window: Window, bundle: BundleRef) -> list[Any]:
    """The window's and the reference's rows as Evidently takes them."""
    import pandas as pd

    frames, kinds = [], kinds_of(use_case.features)
    contract = read_bundle(bundle.path).contract
    rows = logged_features(pd.read_parquet(window.path), use_case.watched)
    for whole in (rows, pd.read_parquet(reference_of(bundle), columns=use_case.watched)):
        drawn = whole.iloc[np.sort(np.random.default_rng(0).permutation(len(whole))[:ROWS])]
        frame = as_served(contract, drawn, use_case.watched)
        for name in use_case.watched:
            frame[name] = kinds[name].shown(frame[name])
        frames.append(frame)
    return frames
