"""The three kinds of answer, as a first look at a table needs them, and the one place where one is chosen.

Each has the answers as a matrix `y` of shape (rows, k): for classes the 0/1 of each, whose mean is a probability, so that
one regression tree or one mean serves all of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from configs.errors import InputError
from configs.schema import Target
from tasks.problems.classes import enough_classes
from tasks.problems.two_classes import roc_auc

FEW_CLASSES = 50
FEW_NUMBERS = 10  # whole numbers of so few values are classes
POSITIVE = (
    "true",
    "yes",
    "y",
    "1",
    "t",
    "positive",
    "success",
    "good",
    "approved",
    "late",
    "churned",
    "fraud",
    "bad",
    "default",
)


@dataclass(frozen=True)
class Binary:
    """Two classes; judged by the area under the ROC curve."""

    classes: tuple[Any, Any]
    why: str
    problem: ClassVar[str] = "binary"
    metric: ClassVar[str] = "roc_auc"
    needed: ClassVar[int] = 10  # held out rows of the rarer class; by fewer nobody can be judged
    adds_up: ClassVar[bool] = False
    leak: ClassVar[float] = 0.98
    strong: ClassVar[float] = 0.9

    @property
    def positive(self) -> Any:
        """The class whose probability is judged."""
        return self.classes[1]

    @property
    def told(self) -> str:
        """In words."""
        return f"two classes, {self.classes[0]!r} and {self.classes[1]!r}"

    @property
    def declared(self) -> tuple[str, Any, str]:
        """The key under `target` that says it, its value, and why."""
        return (
            "positive",
            self.positive,
            f"the class whose probability is judged: {self.why}. The other: {self.classes[0]!r}",
        )

    def question(self, target: str) -> str:
        """What is asked."""
        return f"Is {target} {self.positive}?"

    def rarest(self, values: Any) -> tuple[int, str]:
        """How many of these rows have the answer that fewest have, and which it is."""
        return _rarest(self.classes, values)

    def matrix(self, values: Any) -> np.ndarray:
        """Shape (rows, 1)."""
        return (values == self.positive).to_numpy(dtype=np.float64).reshape(-1, 1)

    def score(self, y: np.ndarray, predicted: np.ndarray) -> float:
        """The AUC; NaN where a class is lacking."""
        return roc_auc(y[:, 0], predicted[:, 0]) if 0 < y.sum() < len(y) else float("nan")

    def model(self) -> Any:
        """The estimator that a release would train."""
        from sklearn.ensemble import HistGradientBoostingClassifier

        return HistGradientBoostingClassifier(random_state=0, early_stopping=False)

    def fit(self, model: Any, x: np.ndarray, y: np.ndarray) -> Any:
        """The model, fitted to the column of answers."""
        return model.fit(x, y[:, 0])

    def predict(self, model: Any, x: np.ndarray) -> np.ndarray:
        """As `y`."""
        return model.predict_proba(x)[:, 1:]

    def dummy(self, y: np.ndarray) -> float:
        """What always the same answer reaches."""
        return 0.5

    def noise(self, score: float, y: np.ndarray, rows: int) -> float:
        """The standard error of the score on so many rows like these; Hanley & McNeil (1982)."""
        share = float(y.mean())
        positive, negative = max(share * rows, 1), max((1 - share) * rows, 1)
        q1, q2 = score / (2 - score), 2 * score**2 / (1 + score)
        spread = score * (1 - score) + (positive - 1) * (q1 - score**2) + (negative - 1) * (q2 - score**2)
        return float(np.sqrt(max(spread, 0) / (positive * negative)))


@dataclass(frozen=True)
class Multiclass:
    """Some classes; judged by the share of right answers."""

    classes: tuple[Any, ...]
    why: str
    problem: ClassVar[str] = "multiclass"
    metric: ClassVar[str] = "accuracy"
    needed: ClassVar[int] = 1
    adds_up: ClassVar[bool] = False
    leak: ClassVar[float] = 0.98
    strong: ClassVar[float] = 0.9

    @property
    def told(self) -> str:
        """In words."""
        return f"{len(self.classes)} classes"

    @property
    def declared(self) -> tuple[str, Any, str]:
        """The key under `target` that says it, its value, and why."""
        return "problem", self.problem, self.why

    def question(self, target: str) -> str:
        """What is asked."""
        return f"Which {target}?"

    def rarest(self, values: Any) -> tuple[int, str]:
        """How many of these rows have the answer that fewest have, and which it is."""
        return _rarest(self.classes, values)

    def matrix(self, values: Any) -> np.ndarray:
        """Shape (rows, classes)."""
        return np.stack([(values == name).to_numpy(dtype=np.float64) for name in self.classes], axis=1)

    def score(self, y: np.ndarray, predicted: np.ndarray) -> float:
        """The share of right answers."""
        return float((y.argmax(axis=1) == predicted.argmax(axis=1)).mean())

    def model(self) -> Any:
        """The estimator that a release would train, with fewer trees: each class has its own."""
        from sklearn.ensemble import HistGradientBoostingClassifier

        return HistGradientBoostingClassifier(random_state=0, early_stopping=False, max_iter=30)

    def fit(self, model: Any, x: np.ndarray, y: np.ndarray) -> Any:
        """The model, fitted to the numbers of the classes."""
        return model.fit(x, y.argmax(axis=1))

    def predict(self, model: Any, x: np.ndarray) -> np.ndarray:
        """As `y`; a class that no row of the training part had gets none."""
        found = np.zeros((x.shape[0], len(self.classes)))
        found[:, model.classes_] = model.predict_proba(x)
        return found

    def dummy(self, y: np.ndarray) -> float:
        """What the most frequent class as every answer reaches."""
        return float(y.mean(axis=0).max())

    def noise(self, score: float, y: np.ndarray, rows: int) -> float:
        """The standard error of the score on so many rows."""
        return float(np.sqrt(score * (1 - score) / max(rows, 1)))


@dataclass(frozen=True)
class Regression:
    """A number; judged by the share of its variance that is explained."""

    distinct: int
    why: str
    classes: ClassVar[tuple[Any, ...]] = ()
    problem: ClassVar[str] = "regression"
    metric: ClassVar[str] = "r2"
    needed: ClassVar[int] = 10
    adds_up: ClassVar[bool] = True  # two columns may make it
    leak: ClassVar[float] = 0.98
    strong: ClassVar[float] = 0.8

    @property
    def told(self) -> str:
        """In words."""
        return f"a number ({self.distinct:,} values)"

    @property
    def declared(self) -> tuple[str, Any, str]:
        """The key under `target` that says it, its value, and why."""
        return "problem", self.problem, self.why

    def question(self, target: str) -> str:
        """What is asked."""
        return f"What is {target}?"

    def rarest(self, values: Any) -> tuple[int, str]:
        """How many of these rows have an answer."""
        return len(values), "with an answer"

    def matrix(self, values: Any) -> np.ndarray:
        """Shape (rows, 1)."""
        return values.to_numpy(dtype=np.float64).reshape(-1, 1)

    def score(self, y: np.ndarray, predicted: np.ndarray) -> float:
        """R²; never below -1, where it tells nothing."""
        total = float(((y - y.mean()) ** 2).sum())
        return max(1 - float(((y - predicted) ** 2).sum()) / total, -1.0) if total else float("nan")

    def model(self) -> Any:
        """The estimator that a release would train."""
        from sklearn.ensemble import HistGradientBoostingRegressor

        return HistGradientBoostingRegressor(random_state=0, early_stopping=False)

    def fit(self, model: Any, x: np.ndarray, y: np.ndarray) -> Any:
        """The model, fitted to the numbers."""
        return model.fit(x, y[:, 0])

    def predict(self, model: Any, x: np.ndarray) -> np.ndarray:
        """As `y`."""
        return model.predict(x).reshape(-1, 1)

    def dummy(self, y: np.ndarray) -> float:
        """What always the mean reaches."""
        return 0.0

    def noise(self, score: float, y: np.ndarray, rows: int) -> float:
        """The standard error of the score on so many rows, of a normal correlation."""
        return float(2 * np.sqrt(max(score, 0)) * (1 - score) / np.sqrt(max(rows, 1)))


Answer = Binary | Multiclass | Regression


def choose_answer(name: str, values: Any) -> Answer:
    """What kind of answer a target's values ask for; `values` is a pandas series as a release would read it.

    Raises:
        InputError: it is always the same, or an id, or nothing that could be answered.

    >>> import pandas as pd
    >>> choose_answer("y", pd.Series(["no", "yes", "no"])).positive
    'yes'
    >>> choose_answer("y", pd.Series([1.5, 2.5, 4.0])).problem
    'regression'
    """
    import pandas as pd

    counts = values.value_counts()
    counts = counts[counts > 0]  # a dictionary may hold categories that no row has
    if len(counts) < 2:
        found = f"is {plain(counts.index[0])!r} in every row that has one" if len(counts) else "is empty in every row"
        raise InputError(f"target {name!r} {found}: there is nothing to learn; name a column with at least two values")
    numeric = pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values)
    whole = numeric and bool((values.dropna() % 1 == 0).all())
    if len(counts) == 2 and (whole or not numeric):
        return _binary(counts)
    if numeric:
        if not whole or len(counts) > FEW_NUMBERS:
            return Regression(len(counts), f"numbers, {len(counts):,} different ones")
    elif len(counts) > 0.9 * values.count():
        raise InputError(
            f"target {name!r} is different in nearly every row ({len(counts):,} values in {values.count():,} rows): "
            "it looks like an id or free text; name a column whose values come again"
        )
    elif len(counts) > max(FEW_CLASSES, 0.01 * values.count()):
        raise InputError(
            f"target {name!r} has {len(counts):,} different texts, which is too many classes to learn from "
            f"{values.count():,} rows; name a column with at most {FEW_CLASSES}, or group its values in a query"
        )
    kind = "whole numbers" if numeric else "texts"
    return Multiclass(tuple(sorted(map(plain, counts.index), key=str)), f"{kind}, only {len(counts)} different ones")


def declared_answer(target: Target, values: Any) -> Answer:
    """The kind of answer that a use case declares, of the values that its target has (a pandas series without gaps).

    Raises:
        InputError: these values do not fit it.
    """
    counts = values.value_counts()
    found = sorted((plain(value) for value in counts.index[counts > 0]), key=str)
    if len(found) < 2:
        raise InputError(f"target.column: {target.column!r} is {found[0]!r} in every row; there is nothing to learn")
    problem = target.problem
    if problem == Multiclass.problem:
        enough_classes(target, len(found))
        return Multiclass(tuple(found), "declared")
    if problem == Regression.problem or target.words.queries:  # a relevance is a number too
        if not all(isinstance(value, int | float) and not isinstance(value, bool) for value in found):
            raise InputError(f"target.column: {target.column!r} is no number: {_few(found)}; problem {problem!r} needs one")
        return Regression(len(found), "declared")
    if len(found) > 2:
        raise InputError(
            f"target.column: {target.column!r} has {len(found)} values ({_few(found)}), and {problem!r} has two"
        )
    if target.positive not in found:
        raise InputError(f"target.positive: {target.positive!r} is not a value of {target.column!r}; found {_few(found)}")
    return Binary((next(value for value in found if value != target.positive), target.positive), "declared")


def _rarest(classes: tuple[Any, ...], values: Any) -> tuple[int, str]:
    counts = {name: int((values == name).sum()) for name in classes}
    rarest = min(classes, key=lambda name: counts[name])
    return counts[rarest], f"with {rarest!r}"


def _few(values: list[Any]) -> str:
    return ", ".join(map(repr, values[:8])) + (", ..." if len(values) > 8 else "")


def _binary(counts: Any) -> Binary:
    """The positive class: the one that says yes, else the rarer one."""
    values = [plain(value) for value in counts.index]  # most frequent first
    yes = [value for value in values if spoken(value) in POSITIVE]
    if len(yes) == 1:
        positive, why = yes[0], "it says so"
    else:
        positive, why = values[1], "the rarer one"
    other = next(value for value in values if value != positive)
    return Binary((other, positive), why)


def spoken(value: Any) -> str:
    """A class as a word.

    >>> [spoken(each) for each in (True, 1.0, " Yes ")]
    ['true', '1', 'yes']
    """
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value).strip().lower()


def plain(value: Any) -> Any:
    """A value of a table as Python and YAML have it; a whole number that a gap made a float is whole again."""
    found = value.item() if isinstance(value, np.generic) else value
    return int(found) if isinstance(found, float) and found.is_integer() else found
