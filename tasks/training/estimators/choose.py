"""The one place that chooses a family, by the name of the estimator."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from configs.problems import Estimator
from configs.schema import Model
from tasks.training.estimators.family import Family
from tasks.training.estimators.gradient_boosting import GradientBoosting
from tasks.training.estimators.lightgbm import LightGBM
from tasks.training.estimators.linear import LogisticRegression, Ridge
from tasks.training.estimators.random_forest import RandomForest
from tasks.training.estimators.xgboost import XGBoost

FAMILIES: dict[Estimator, Family] = {
    "hist_gradient_boosting": GradientBoosting(),
    "random_forest": RandomForest(),
    "lightgbm": LightGBM(),
    "xgboost": XGBoost(),
    "logistic_regression": LogisticRegression(),
    "ridge": Ridge(),
}


def family_of(model: Model) -> Family | None:
    """That of a model's estimator; None of an own pipeline.

    >>> family_of(Model(estimator="ridge")).linear, family_of(Model(pipeline="mine:build"))
    (True, None)
    """
    return None if model.estimator is None else FAMILIES[model.estimator]


def settle(model: Any) -> None:
    """Whatever of any family is in a fitted model, so that ONNX decides as it does (`Family.settle`)."""
    for part in _parts(model):
        for family in FAMILIES.values():
            family.settle(part)


def teach() -> None:
    """skl2onnx, what the families convert."""
    for family in FAMILIES.values():
        family.teach()


def _parts(model: Any) -> Iterator[Any]:
    """The fitted model, and those that it holds: a vote, a stack, a calibration."""
    from sklearn.base import BaseEstimator

    if isinstance(model, list | tuple):
        for part in model:
            yield from _parts(part)
    elif isinstance(model, BaseEstimator) or type(model).__module__.startswith("sklearn.calibration"):
        yield model
        for part in vars(model).values():
            yield from _parts(part)
