"""Performance: the champion's metric on the labels of a window that have arrived, against its calibrated floor."""

from __future__ import annotations

from typing import Any

from prefect import task
from prefect.artifacts import create_link_artifact

from configs.schema import UseCase
from configs.settings import report_address, reports
from tasks.metrics import gain, score
from tasks.values import BundleRef, Performance, Thresholds, Window


@task
def measure_performance(use_case: UseCase, window: Window, bundle: BundleRef, thresholds: Thresholds) -> Performance:
    """Score the labelled rows. With fewer labels than `monitoring.min_labels` nothing is claimed."""
    import pandas as pd

    metric = use_case.promotion.metric
    labelled = pd.read_parquet(window.path, columns=["target", "probability"]).dropna()
    value = score(metric, labelled["target"].to_numpy(dtype=int), labelled["probability"].to_numpy())
    if 0 < labelled["target"].sum() < len(labelled):
        _report(use_case, window, labelled, pd.read_parquet(bundle.path / "holdout.parquet"))
    enough = len(labelled) >= use_case.monitoring.min_labels and value == value
    return Performance(
        metric=metric,
        value=value if enough else None,
        floor=thresholds.floor,
        expected=thresholds.expected,
        labelled=len(labelled),
        fell=enough and gain(metric, value, thresholds.floor) < 0,
    )


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
    path = reports(use_case.name, "monitoring") / f"{window.name}-performance.html"
    Report([ClassificationPreset()]).run(current, reference, name=f"{use_case.name} {window.name}").save_html(str(path))
    create_link_artifact(
        key=f"performance-{use_case.name}",
        link=report_address(path),
        link_text=window.name,
        description="Evidently report",
    )
