"""What two and several classes have in common: a probability a class, in the order of the contract's classes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from configs.errors import InputError
from configs.schema import Target
from serving.contract.contract import Contract
from serving.contract.heads.abstaining import unsure
from tasks.problems.changes import Changes, matrix
from tasks.problems.metrics import Metric, abstaining
from tasks.problems.values import Answered, Learner, Lesson

PERSON = "(a person)"  # answers where no class is probable enough


class Classes:
    """Answers that are classes."""

    learner: Learner = "classifier"
    output = "probabilities"
    graph: Mapping[str, str] = {"label": "long", "probabilities": "float"}
    options: Mapping[str, Any] = {"zipmap": False}
    served = 1e-5  # as at the conversion
    not_estimated = ""
    metrics: Mapping[str, Metric]

    def __init__(self, confidence: float | None = None) -> None:
        """With a `confidence`, rows whose most probable class lies below it are left to a person."""
        self._confidence = confidence
        if confidence is not None:
            self.metrics = abstaining(self.metrics, confidence)

    def known(self, column: Any) -> np.ndarray:
        """The numbers of the classes."""
        return np.asarray(column.to_numpy(dtype=np.float64, na_value=np.nan))

    def lesson(self, target: np.ndarray, estimator: Any) -> Lesson:
        """Every row's class."""
        return Lesson(np.arange(len(target)), target, {})

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

    def said(self, contract: Contract, outputs: np.ndarray) -> np.ndarray:
        """The name of the class; of -1, the last."""
        return np.array([*map(str, contract.classes), PERSON], dtype=object)[self.decisions(outputs)]

    def changes(self, contract: Contract, before: np.ndarray, after: np.ndarray) -> Changes:
        """From class to class."""
        return Changes(before != after, matrix([*map(str, contract.classes), PERSON], before, after))

    def difference(self, found: np.ndarray, expected: np.ndarray, usual: np.ndarray | None = None) -> np.ndarray:
        """The largest of a probability."""
        return np.abs(found - expected).max(axis=1)

    def moved(self, found: np.ndarray, expected: np.ndarray) -> np.ndarray:
        """By the probability of the last class."""
        return found[:, -1] - expected[:, -1]

    def decisions(self, outputs: np.ndarray) -> np.ndarray:
        """The most probable class; -1 where that is not probable enough."""
        best = outputs.argmax(axis=1)
        return best if self._confidence is None else np.where(unsure(outputs, self._confidence), -1, best)

    def left(self, judged: np.ndarray) -> dict[str, float]:
        """The share of rows that are left to a person, where any can be."""
        shown = ("abstention",) if self._confidence is not None else ()
        return {name: self.metrics[name].value(np.zeros(len(judged), dtype=np.int64), judged) for name in shown}

    def bound_told(self) -> str:
        """What is left to a person, for the model card; empty where nothing is."""
        return "" if self._confidence is None else f"; below a probability of {self._confidence:g} none: a person takes over"

    def promised(self, contract: Contract) -> float | None:
        """Nothing: classes have probabilities in place of an interval."""
        return None

    def sql(self, contract: Contract) -> str:
        """The place of the class in the contract."""
        return f"cast(nullif(list_position([{', '.join(map(logged, contract.classes))}], label), 0) - 1 as integer)"


def enough_classes(target: Target, classes: int) -> None:
    """Raise where the bound is one that the most probable of so many classes always keeps.

    Raises:
        InputError: with what would be right.
    """
    if target.confidence is not None and target.confidence <= 1 / classes:
        raise InputError(
            f"target.confidence: {target.confidence:g} leaves nothing to a person: of {classes} classes the most probable "
            f"always has {1 / classes:.4g} or more; give a number between that and 1"
        )


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
