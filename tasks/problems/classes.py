"""What two and several classes have in common: a probability a class, in the order of the contract's classes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from configs.schema import Model
from serving.contract.contract import Contract
from tasks.problems.values import Answered


class Classes:
    """Answers that are classes."""

    output = "probabilities"
    graph: Mapping[str, str] = {"label": "long", "probabilities": "float"}
    options: Mapping[str, Any] = {"zipmap": False}
    served = 1e-6

    def estimator(self, model: Model, parameters: Mapping[str, Any]) -> Any:
        """A classifier."""
        from sklearn.ensemble import HistGradientBoostingClassifier
        from sklearn.linear_model import LogisticRegression

        kinds = {"hist_gradient_boosting": HistGradientBoostingClassifier, "logistic_regression": LogisticRegression}
        return kinds[str(model.estimator)](random_state=model.seed, **parameters)

    def unfit(self, estimator: Any) -> str:
        """It is no classifier, or one without probabilities."""
        from sklearn.base import is_classifier

        name = type(getattr(estimator, "_final_estimator", estimator)).__name__
        if not is_classifier(estimator):
            return f"{name}, which is no classifier, but the target's problem is one of classes"
        if not hasattr(estimator, "predict_proba"):
            return f"{name}, which gives no probabilities (predict_proba); CalibratedClassifierCV around it does"
        return ""

    def unlearned(self, contract: Contract, pipeline: Any) -> str:
        """Classes that the rows it learned from have none of."""
        missing = [repr(name) for number, name in enumerate(contract.classes) if number not in set(pipeline.classes_)]
        return f"no row of class {', '.join(missing)} of {contract.target!r}" if missing else ""

    def outputs(self, contract: Contract, pipeline: Any, encoded: Any) -> np.ndarray:
        """A class that was not learned has probability 0."""
        found = pipeline.predict_proba(encoded)
        outputs = np.zeros((len(found), len(contract.classes)), dtype=found.dtype)
        outputs[:, pipeline.classes_] = found
        return outputs

    def aligned(self, outputs: np.ndarray, given: Contract, wanted: Contract) -> np.ndarray:
        """By class: one that the other model does not know has probability 0."""
        found = np.zeros((len(outputs), len(wanted.classes)), dtype=outputs.dtype)
        for place, name in enumerate(wanted.classes):
            if name in given.classes:
                found[:, place] = outputs[:, given.classes.index(name)]
        return found

    def together(self, answers: Sequence[Answered], contracts: Sequence[Contract]) -> Answered:
        """One below the other: every version knows the two classes."""
        targets, judged = zip(*answers, strict=True)
        return np.concatenate(targets), np.concatenate(judged)

    def difference(self, found: np.ndarray, expected: np.ndarray, usual: np.ndarray | None = None) -> np.ndarray:
        """The largest of a probability."""
        return np.abs(found - expected).max(axis=1)

    def moved(self, found: np.ndarray, expected: np.ndarray) -> np.ndarray:
        """By the probability of the last class."""
        return found[:, -1] - expected[:, -1]

    def decisions(self, outputs: np.ndarray) -> np.ndarray:
        """The most probable class."""
        return outputs.argmax(axis=1)

    def promised(self, contract: Contract) -> float | None:
        """Nothing: classes have probabilities in place of an interval."""
        return None

    def sql(self, contract: Contract) -> str:
        """The place of the class in the contract."""
        return f"cast(nullif(list_position([{', '.join(map(logged, contract.classes))}], label), 0) - 1 as integer)"


def logged(value: Any) -> str:
    """A class as DuckDB reads it from JSON, as a SQL string.

    >>> logged("d'or"), logged(True), logged(1)
    ("'d''or'", "'true'", "'1'")
    """
    text = value if isinstance(value, str) else json.dumps(value)
    return "'" + text.replace("'", "''") + "'"


def values_of(values: Any) -> list[Any]:
    """The distinct values of a pandas series as Python has them; whole numbers as such, however they were stored."""
    found = [value.item() if isinstance(value, np.generic) else value for value in values.unique().tolist()]
    return [int(value) if isinstance(value, float) and value.is_integer() else value for value in found]


def few(values: list[Any]) -> str:
    """Some of them, for a message."""
    return ", ".join(map(repr, sorted(values, key=str)[:8])) + (", ..." if len(values) > 8 else "")
