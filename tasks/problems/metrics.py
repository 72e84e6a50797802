"""Metrics: what each is called, which way is better, and its value on rows; gates, promotion and monitoring share them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from serving.contract.heads.abstaining import unsure
from tasks.problems import many_classes, numbers, ranks, two_classes
from tasks.problems.numbers import weighted_mean

Statistic = Callable[[np.ndarray], float]  # of row numbers
Weighted = Callable[[np.ndarray, np.ndarray, np.ndarray], float]


def by_row(weighted: Weighted) -> Callable[[np.ndarray, np.ndarray, np.ndarray], Statistic]:
    """A metric for which there is nothing to prepare: each choice of rows is measured on its own."""
    return lambda target, output, weight: lambda rows: weighted(target[rows], output[rows], weight[rows])


def averaged(
    loss: Callable[[np.ndarray, np.ndarray], np.ndarray],
) -> Callable[[np.ndarray, np.ndarray, np.ndarray], Statistic]:
    """A metric that is the mean of something that each row has, shape (rows,): it is looked at once."""

    def prepare(target: np.ndarray, output: np.ndarray, weight: np.ndarray) -> Statistic:
        values = loss(target, output)
        return lambda rows: weighted_mean(values[rows], weight[rows])

    return prepare


def bounded(value: float) -> float:
    """The scale of a metric that has none: 1."""
    return 1.0


@dataclass(frozen=True)
class Metric:
    """A number that says how good outputs are, where the answers are known.

    `prepare` takes targets as the problem has them, what it judges of the outputs (rows,) or (rows, k), and weights (rows,),
    and gives the metric of any choice of these rows: rows resampled a thousand times are ranked once. Where nothing is
    weighted `plain` takes its place, if there is one: scikit-learn's own, or a faster one. In place of targets that nobody
    knows yet stands what they may be (`Problem.chances`). Such an estimate is off in units of `scale`: a metric with a unit
    by more where it is larger.
    """

    name: str
    greater_is_better: bool
    prepare: Callable[[np.ndarray, np.ndarray, np.ndarray], Statistic]
    plain: Callable[[np.ndarray, np.ndarray], float] | None = None
    scale: Callable[[float], float] = bounded

    def value(self, target: np.ndarray, output: np.ndarray, weight: np.ndarray | None = None) -> float:
        """Of these rows; NaN where it is not defined. With weights the targets of two classes may be chances.

        >>> BINARY["precision"].value(np.array([0, 1, 1]), np.array([0.7, 0.6, 0.1]))
        0.5
        >>> BINARY["brier"].value(np.array([0.5, 0.5]), np.array([0.5, 0.5]), np.ones(2))
        0.25
        """
        if weight is None and self.plain is not None:
            return self.plain(target, output)
        return self.resampled(target, output, weight)(np.arange(len(target)))

    def resampled(self, target: np.ndarray, output: np.ndarray, weight: np.ndarray | None = None) -> Statistic:
        """The metric of any choice of these rows, as a function of row numbers, equal to the bit to that of them alone.

        >>> BINARY["roc_auc"].resampled(np.array([0, 1, 1]), np.array([0.2, 0.2, 0.9]))(np.array([2, 0, 1, 1]))
        0.6666666666666666
        """
        return self.prepare(target, output, np.ones(len(target)) if weight is None else weight)

    def gain(self, new: float, old: float) -> float:
        """How much better `new` is than `old`; positive is better, whichever way the metric points.

        >>> round(BINARY["brier"].gain(0.20, 0.25), 2)
        0.05
        """
        return new - old if self.greater_is_better else old - new


def _named(*metrics: Metric) -> dict[str, Metric]:
    return {metric.name: metric for metric in metrics}


BINARY = _named(
    Metric("roc_auc", True, two_classes.ranked(two_classes.auc_of_places), two_classes.roc_auc),
    Metric("average_precision", True, two_classes.ranked(two_classes.precision_of_places), two_classes.average_precision),
    Metric("accuracy", True, by_row(two_classes.accuracy)),
    Metric("precision", True, by_row(two_classes.precision)),
    Metric("recall", True, by_row(two_classes.recall)),
    Metric("f1", True, by_row(two_classes.f1)),
    Metric("log_loss", False, by_row(two_classes.log_loss), two_classes.plain_log_loss),
    Metric("brier", False, by_row(two_classes.brier)),
)
MULTICLASS = _named(
    Metric("log_loss", False, averaged(many_classes.surprise)),
    Metric("accuracy", True, averaged(many_classes.right)),
    Metric("balanced_accuracy", True, by_row(many_classes.balanced_accuracy)),
    Metric("f1_macro", True, by_row(many_classes.f1_macro)),
    Metric("roc_auc_ovr", True, by_row(many_classes.roc_auc_ovr)),
    Metric("top_3_accuracy", True, averaged(many_classes.among_three)),
)
REGRESSION = _named(
    Metric("r2", True, by_row(numbers.r2), scale=lambda value: 1 - value),
    Metric("mae", False, averaged(numbers.absolute_error), scale=abs),
    Metric("rmse", False, by_row(numbers.rmse), scale=abs),
    Metric("median_absolute_error", False, by_row(numbers.median_absolute_error), scale=abs),
    Metric("coverage", True, by_row(numbers.coverage)),
)
RANKING = _named(
    Metric("ndcg", True, ranks.by_query(ranks.ndcg())),
    Metric("ndcg_10", True, ranks.by_query(ranks.ndcg(10))),
    Metric("ndcg_3", True, ranks.by_query(ranks.ndcg(3))),
    Metric("mean_reciprocal_rank", True, ranks.by_query(ranks.reciprocal_rank)),
)


def abstaining(metrics: Mapping[str, Metric], confidence: float) -> dict[str, Metric]:
    """The metrics of classes, and what a bound of their probability does.

    `abstention` is the share of rows that are left to a person, `selective_accuracy` the accuracy among the others (Geifman
    & El-Yaniv, "Selective Classification for Deep Neural Networks", 2017, whose coverage is what `abstention` leaves).

    >>> found = abstaining(BINARY, 0.8)
    >>> rows = np.array([1, 1, 0, 0]), np.array([0.9, 0.6, 0.1, 0.9])
    >>> found["abstention"].value(*rows), round(found["selective_accuracy"].value(*rows), 2)
    (0.25, 0.67)
    """

    def left(target: np.ndarray, output: np.ndarray) -> np.ndarray:
        return unsure(_each_class(output), confidence).astype(np.float64)

    def accuracy(target: np.ndarray, output: np.ndarray, weight: np.ndarray) -> float:
        answered = ~unsure(_each_class(output), confidence)
        if not answered.any():
            return float("nan")
        return metrics["accuracy"].value(target[answered], output[answered], weight[answered])

    return {
        **metrics,
        **_named(Metric("abstention", False, averaged(left)), Metric("selective_accuracy", True, by_row(accuracy))),
    }


def _each_class(output: np.ndarray) -> np.ndarray:
    """The probability of each class, shape (rows, k); of two what is judged is the second's."""
    return np.column_stack([1 - output, output]) if output.ndim == 1 else output


_ALL = {**REGRESSION, **RANKING, **MULTICLASS, **abstaining(BINARY, 0.5)}  # a name points the same way whatever the problem


def greater_is_better(metric: str) -> bool:
    """Which way a metric points, by its name."""
    return _ALL[metric].greater_is_better


def gain(metric: str, new: float, old: float) -> float:
    """`Metric.gain` by name.

    >>> round(gain("brier", 0.20, 0.25), 2)
    0.05
    """
    return _ALL[metric].gain(new, old)
