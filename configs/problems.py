"""Problems: what a use case may ask for, and the words that fit each; what they do is `tasks/problems/`.

`binary`: one of two classes, judged by the probability of one of them. `multiclass`: one of several classes. `regression`: a
number. `ranking`: a score, by which the rows of one query are ordered.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

Problem = Literal["binary", "multiclass", "regression", "ranking"]
Estimator = Literal["hist_gradient_boosting", "random_forest", "lightgbm", "xgboost", "logistic_regression", "ridge"]
_TREES: tuple[Estimator, ...] = ("hist_gradient_boosting", "random_forest", "lightgbm", "xgboost")
Metric = Literal[
    "roc_auc",
    "average_precision",
    "accuracy",
    "precision",
    "recall",
    "f1",
    "log_loss",
    "brier",
    "balanced_accuracy",
    "f1_macro",
    "roc_auc_ovr",
    "top_3_accuracy",
    "r2",
    "mae",
    "rmse",
    "median_absolute_error",
    "coverage",
    "ndcg",
    "ndcg_10",
    "ndcg_3",
    "mean_reciprocal_rank",
    "abstention",
    "selective_accuracy",
]

# Metrics of what `target.KEY` asks for, and why they alone decide nothing.
PROMISED: dict[Metric, tuple[str, str]] = {
    "coverage": ("interval", "an interval that is wide enough holds every row"),
    "abstention": ("confidence", "who answers everything abstains from nothing"),
    "selective_accuracy": ("confidence", "who hardly ever answers is hardly ever wrong"),
}

# Estimators that have scores which a curve makes probabilities of.
CALIBRATED: tuple[Estimator, ...] = ("hist_gradient_boosting", "logistic_regression")


class Words(NamedTuple):
    """What fits a problem: metrics (the first decides promotions where none is named), estimators, behaviour tests.

    `positive` is the class that is judged where none is named; None where no class is. `moves` is what a direction test
    follows, `answers` what a minimum test gives. `interval` is the share of rows that an interval holds where none is named;
    None where answers have none. `confidence` is what no answer's probability lies under (of several classes their number
    says more); None where answers have none. `promises` are metrics that can be bounded, and decide nothing.
    `calibrations` are the curves that probabilities can have. `queries`: rows belong together as `target.query` says.
    """

    metrics: tuple[Metric, ...]
    estimators: tuple[Estimator, ...]
    positive: int | None = None
    moves: str | None = None
    answers: str = "label"
    interval: float | None = None
    confidence: float | None = None
    promises: tuple[Metric, ...] = ()
    calibrations: tuple[str, ...] = ()
    queries: bool = False


WORDS: dict[str, Words] = {
    "binary": Words(
        metrics=("roc_auc", "average_precision", "accuracy", "precision", "recall", "f1", "log_loss", "brier"),
        estimators=(*_TREES, "logistic_regression"),
        positive=1,
        moves="probability",
        confidence=0.5,
        promises=("abstention", "selective_accuracy"),
        calibrations=("sigmoid", "isotonic"),
    ),
    "multiclass": Words(
        metrics=("log_loss", "accuracy", "balanced_accuracy", "f1_macro", "roc_auc_ovr", "top_3_accuracy"),
        estimators=(*_TREES, "logistic_regression"),
        confidence=0.0,
        promises=("abstention", "selective_accuracy"),
        calibrations=("sigmoid",),
    ),
    "regression": Words(
        metrics=("r2", "mae", "rmse", "median_absolute_error", "coverage"),
        estimators=(*_TREES, "ridge"),
        moves="prediction",
        answers="at_least or at_most",
        interval=0.9,
        promises=("coverage",),
    ),
    "ranking": Words(
        metrics=("ndcg", "ndcg_10", "ndcg_3", "mean_reciprocal_rank"),
        estimators=(*_TREES, "ridge"),
        moves="prediction",
        answers="at_least or at_most",
        queries=True,
    ),
}
