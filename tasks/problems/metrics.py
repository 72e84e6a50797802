"""The metrics that gates, promotion and monitoring share."""

from __future__ import annotations

import numpy as np

LOWER_IS_BETTER = frozenset({"log_loss", "brier"})
OF_ANSWERS = frozenset({"precision", "recall", "f1"})  # at a probability of a half


def score(metric: str, target: np.ndarray, probability: np.ndarray) -> float:
    """A metric of 0/1 targets and the positive class's probabilities, both of shape (rows,).

    NaN where it is not defined: ranking metrics need both classes, precision a positive answer, recall a positive row.

    >>> score("roc_auc", np.array([0, 1, 1]), np.array([0.2, 0.6, 0.9]))
    1.0
    >>> score("precision", np.array([0, 1, 1]), np.array([0.7, 0.6, 0.1]))
    0.5
    >>> score("brier", np.array([0, 1]), np.array([0.5, 0.5]))
    0.25
    """
    from sklearn import metrics as m

    if metric in {"roc_auc", "average_precision"} and not 0 < target.sum() < len(target):
        return float("nan")
    if metric == "roc_auc":
        return roc_auc(target, probability)
    if metric == "accuracy":
        return float(((probability >= 0.5) == target).mean())
    if metric in OF_ANSWERS:
        answered, positive = probability >= 0.5, target == 1
        return of_answers(metric, float((answered & positive).sum()), float(answered.sum()), float(positive.sum()))
    if metric == "brier":
        return float(((probability - target) ** 2).mean())
    if metric == "log_loss":
        return float(m.log_loss(target, probability.astype(np.float64), labels=[0, 1]))
    return float(m.average_precision_score(target, probability))


def of_answers(metric: str, hits: float, answered: float, positive: float) -> float:
    """Precision, recall or F1 of the positive class: rows answered so that are, rows answered so, rows that are.

    >>> of_answers("f1", 3, 4, 8), of_answers("precision", 0, 0, 8)
    (0.5, nan)
    """
    whole = {"precision": answered, "recall": positive, "f1": (answered + positive) / 2}[metric]
    return hits / whole if whole > 0 else float("nan")


def roc_auc(target: np.ndarray, probability: np.ndarray) -> float:
    """Area under the ROC curve as the Mann-Whitney statistic, ties counted half.

    Equal to scikit-learn's to rounding and many times faster, which resampling feels. Hanley & McNeil (1982).

    >>> roc_auc(np.array([0, 1, 0, 1]), np.array([0.1, 0.1, 0.2, 0.9]))
    0.625
    """
    positive = target == 1
    low, high = np.sort(probability[~positive]), np.sort(probability[positive])
    twice = np.searchsorted(low, high, "left").sum() + np.searchsorted(low, high, "right").sum()
    return float(twice / 2 / (len(low) * len(high)))


def gain(metric: str, new: float, old: float) -> float:
    """How much better `new` is than `old`; positive is better, whichever way the metric points.

    >>> round(gain("brier", 0.20, 0.25), 2)
    0.05
    """
    return old - new if metric in LOWER_IS_BETTER else new - old
