"""What Evidently shows of labelled rows: the frame that it takes, what its columns are, and the page."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from tasks.problems.numbers import answered


class Page(NamedTuple):
    """`frame` makes a pandas frame of targets and what was judged, `definition` and `presets` are Evidently's."""

    frame: Callable[[np.ndarray, np.ndarray], Any]
    definition: Any
    presets: list[Any]


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
        lambda target, output: _frame(target=target.astype(int), probability=output), definition, [ClassificationPreset()]
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
        [ClassificationPreset()],
    )


def regression() -> Page:
    """Numbers and their errors."""
    from evidently import DataDefinition, Regression
    from evidently.presets import RegressionPreset

    definition = DataDefinition(
        numerical_columns=["target", "answer"], regression=[Regression(target="target", prediction="answer")]
    )
    return Page(lambda target, output: _frame(target=target, answer=answered(output)), definition, [RegressionPreset()])


def ranking(first: int) -> Page:
    """How far up the rows of each query stand that matter, among the first so many."""
    from evidently import DataDefinition, Recsys
    from evidently.metrics import MAP, MRR, NDCG

    definition = DataDefinition(
        numerical_columns=["target", "answer"],
        categorical_columns=["query", "row"],
        ranking=[Recsys(user_id="query", item_id="row", target="target", prediction="answer")],
    )
    return Page(
        lambda target, output: _frame(
            target=target[:, 0], query=target[:, 1].astype(str), row=np.arange(len(target)).astype(str), answer=output
        ),
        definition,
        [NDCG(k=first), MAP(k=first), MRR(k=first)],
    )


def _frame(**columns: Any) -> Any:
    import pandas as pd

    return pd.DataFrame(columns)
