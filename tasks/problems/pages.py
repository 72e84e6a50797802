"""What Evidently shows of labelled rows: the frame that it takes, what its columns are, and the page."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from tasks.problems.numbers import answered


class Page(NamedTuple):
    """`frame` makes a pandas frame of targets and what was judged, `definition` and `preset` are Evidently's."""

    frame: Callable[[np.ndarray, np.ndarray], Any]
    definition: Any
    preset: Any


def binary() -> Page:
    """The classification of two classes, by the probability of one."""
    from evidently import BinaryClassification, DataDefinition
    from evidently.presets import ClassificationPreset

    definition = DataDefinition(
        numerical_columns=["probability"],
        categorical_columns=["target"],
        classification=[BinaryClassification(target="target", prediction_probas="probability", pos_label=1)],
    )
    return Page(
        lambda target, output: _frame(target=target.astype(int), probability=output), definition, ClassificationPreset()
    )


def multiclass() -> Page:
    """The classification of several classes, by the answers."""
    from evidently import DataDefinition, MulticlassClassification
    from evidently.presets import ClassificationPreset

    definition = DataDefinition(
        categorical_columns=["target", "answer"],
        classification=[MulticlassClassification(target="target", prediction_labels="answer")],
    )
    return Page(
        lambda target, output: _frame(target=target.astype(int), answer=output.argmax(axis=1)),
        definition,
        ClassificationPreset(),
    )


def regression() -> Page:
    """Numbers and their errors."""
    from evidently import DataDefinition, Regression
    from evidently.presets import RegressionPreset

    definition = DataDefinition(
        numerical_columns=["target", "answer"], regression=[Regression(target="target", prediction="answer")]
    )
    return Page(lambda target, output: _frame(target=target, answer=answered(output)), definition, RegressionPreset())


def _frame(**columns: Any) -> Any:
    import pandas as pd

    return pd.DataFrame(columns)
