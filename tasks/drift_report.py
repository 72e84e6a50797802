"""The drift report: Evidently on a window against the reference, with the calibrated thresholds as its own."""

from __future__ import annotations

from typing import Any

import numpy as np
from prefect import task
from prefect.artifacts import create_link_artifact

from configs.schema import UseCase
from configs.settings import report_address, reports
from tasks.values import BundleRef, Drift, DriftReport, Thresholds, Window


@task
def drift_report(use_case: UseCase, window: Window, bundle: BundleRef, thresholds: Thresholds) -> DriftReport:
    """Compare the window with the reference, keep the HTML, and take the decision that the report shows."""
    from evidently import Report
    from evidently.presets import DataDriftPreset

    columns = use_case.watched
    reference, current = _datasets(use_case, window, bundle, thresholds)
    drift = DataDriftPreset(columns=columns, method="jensenshannon", per_column_threshold=thresholds.columns)
    run = Report([drift]).run(current, reference, name=f"{use_case.name} {window.name}")
    path = reports(use_case.name, "monitoring") / f"{window.name}-drift.html"
    run.save_html(str(path))
    address = report_address(path)
    create_link_artifact(
        key=f"drift-{use_case.name}", link=address, link_text=f"{window.name}", description="Evidently report"
    )
    found = {
        metric["config"]["column"]: float(metric["value"])
        for metric in run.dict()["metrics"]
        if metric["config"]["type"].endswith(":ValueDrift")
    }
    table = {name: (found[name], thresholds.columns[name]) for name in columns}
    detected = any(value > bound for value, bound in table.values())
    return DriftReport(
        drift=Drift(detected=detected, columns=table, false_alarm_rate=thresholds.false_alarm_rate), address=address
    )


def _datasets(use_case: UseCase, window: Window, bundle: BundleRef, thresholds: Thresholds) -> tuple[Any, Any]:
    """Reference and window as Evidently datasets; the window thinned to the density that was calibrated."""
    import pandas as pd
    from evidently import DataDefinition, Dataset

    current = pd.read_parquet(window.path)
    keep = np.random.default_rng(0).permutation(len(current))[: thresholds.window_rows]
    current = current.iloc[np.sort(keep)]
    reference = pd.read_parquet(bundle.path / "reference.parquet")
    numeric = [name for name in use_case.features.numeric if name in use_case.watched]
    categorical = [name for name in use_case.features.categorical if name in use_case.watched]
    definition = DataDefinition(numerical_columns=numeric, categorical_columns=categorical)

    def dataset(frame: Any) -> Any:
        frame = frame[use_case.watched].copy()
        for name in categorical:
            frame[name] = frame[name].astype("string").fillna("").astype(object)
        for name in numeric:
            frame[name] = frame[name].astype("float64")
        return Dataset.from_pandas(frame, data_definition=definition)

    return dataset(reference), dataset(current)
