"""The first model of a table: which estimator takes its features, and what it answers for rows that it has not seen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from configs.kinds import COLUMN_KINDS, TAKEN_BY, ColumnKind, first_estimator
from configs.problems import Estimator
from configs.schema import Features, Model, Target
from tasks.columns.choose import KINDS
from tasks.onboarding.answers import Answer
from tasks.onboarding.features.choose import feature_of
from tasks.onboarding.values import Column
from tasks.problems.problem import problem_of
from tasks.training.estimators.choose import FAMILIES

FOLDS = 3
RESAMPLES = 400
SURE = 0.95  # of resamples, in which trees without texts must be better before texts are left out
PARAMETERS: dict[Estimator, dict[str, Any]] = {"logistic_regression": {"C": 10}}  # where it takes texts: docs/text.md

Fold = tuple[np.ndarray, np.ndarray]  # answers, and what the model says of rows that it has not seen, both as `y`


@dataclass(frozen=True)
class First:
    """The columns, of which some may have been left out for it, the model, and the folds in which it can be scored."""

    columns: list[Column]
    model: Model
    folds: list[Fold]


def first_model(
    columns: list[Column], sample: Any, target: Any, answer: Answer, timed: bool, say: Callable[[str], None]
) -> First:
    """Trees, where they take every feature. Texts they do not: then linear, unless trees without the texts are better.

    Better is beyond chance: in 95 % of resamples of the same rows. `sample` is a pandas frame, in time order where `timed`.
    """
    y, usual = answer.matrix(target), _model(columns, answer)
    picky = [column.name for column in columns if column.is_feature and column.kind in TAKEN_BY]
    whole = First(columns, usual, _folds(columns, usual, sample, y, answer, timed, say))
    if not picky or not any(column.is_feature and column.name not in picky for column in columns):
        return whole
    others = [_left_out(column, "") if column.name in picky else column for column in columns]
    model = _model(others, answer)
    rest = First(others, model, _folds(others, model, sample, y, answer, timed, say))
    if not _better(rest.folds, whole.folds, answer):
        return whole
    scores = [answer.score(*_pooled(each.folds)) for each in (rest, whole)]
    why = (
        f"trees, which take no text, reach {answer.metric} {scores[0]:.3f} without it, and {usual.estimator} with it "
        f"{scores[1]:.3f}"
    )
    return First([_left_out(column, why) if column.name in picky else column for column in columns], model, rest.folds)


def _model(columns: list[Column], answer: Answer) -> Model:
    """The first estimator of the problem that takes every feature."""
    found = first_estimator(answer.problem, [cast(ColumnKind, column.kind) for column in columns if column.is_feature])
    return Model(estimator=found, parameters=PARAMETERS.get(found, {}))


def _left_out(column: Column, why: str) -> Column:
    return column.model_copy(update={"why_out": why or "not taken by trees"})


def _better(one: list[Fold], other: list[Fold], answer: Answer) -> bool:
    """Whether the first answers the same rows better, beyond chance."""
    if not one or not other:
        return False
    (truth, said), (_, said_too) = _pooled(one), _pooled(other)
    generator, gains = np.random.default_rng(0), []
    for _ in range(RESAMPLES):
        rows = generator.integers(0, len(truth), len(truth))
        gains.append(answer.score(truth[rows], said[rows]) - answer.score(truth[rows], said_too[rows]))
    return bool(np.nanquantile(gains, 1 - SURE) > 0)


def _pooled(folds: list[Fold]) -> Fold:
    return np.concatenate([truth for truth, _ in folds]), np.concatenate([said for _, said in folds])


def _folds(
    columns: list[Column], model: Model, sample: Any, y: np.ndarray, answer: Answer, timed: bool, say: Callable[[str], None]
) -> list[Fold]:
    """Of each fold in which the metric can be said."""
    from sklearn.model_selection import KFold, TimeSeriesSplit

    features = [column for column in columns if column.is_feature]
    make = _Linear if FAMILIES[cast(Estimator, model.estimator)].linear else _Trees
    learner = make(features, sample, model, answer)
    splits = TimeSeriesSplit(FOLDS) if timed else KFold(FOLDS, shuffle=True, random_state=0)
    folds = []
    for at, (learn, judge) in enumerate(splits.split(y)):
        say(f"a first model ({model.estimator}): fold {at + 1} of {FOLDS}")
        if len(np.unique(y[learn], axis=0)) > 1:
            folds.append((y[judge], learner.answers(learn, judge, y)))
    return [fold for fold in folds if not np.isnan(answer.score(*fold))]


class _Trees:
    """Every feature as one number."""

    def __init__(self, features: list[Column], sample: Any, model: Model, answer: Answer) -> None:
        self._answer = answer
        self._x = np.column_stack([feature_of(column).as_numbers(sample[column.name]) for column in features])
        self._x[np.isinf(self._x)] = np.nan

    def answers(self, learn: np.ndarray, judge: np.ndarray, y: np.ndarray) -> np.ndarray:
        """What rows `learn` say of rows `judge`, as `y`."""
        from threadpoolctl import threadpool_limits

        with threadpool_limits(1, user_api="openmp"):  # for so few rows, threads that wait for each other cost more
            model = self._answer.fit(self._answer.model(), self._x[learn], y[learn])
        return self._answer.predict(model, self._x[judge])


class _Linear:
    """The pipeline of a release; texts are hashed once for all folds, since that learns nothing."""

    def __init__(self, features: list[Column], sample: Any, model: Model, answer: Answer) -> None:
        self._model, self._answer, self._family = model, answer, FAMILIES[cast(Estimator, model.estimator)]
        self._features = Features(**{kind: [each.name for each in features if each.kind == kind] for kind in COLUMN_KINDS})
        self._blocks = [(column.kind, feature_of(column).as_graph(sample[column.name])) for column in features]

    def answers(self, learn: np.ndarray, judge: np.ndarray, y: np.ndarray) -> np.ndarray:
        """What rows `learn` say of rows `judge`, as `y`."""
        from scipy.sparse import csr_matrix, hstack

        known, asked = [], []
        for kind, block in self._blocks:
            its = KINDS[cast(ColumnKind, kind)]
            encoder = its.inside(its.transformer(linear=True)).fit(block[learn])
            known.append(csr_matrix(encoder.transform(block[learn])))
            asked.append(csr_matrix(encoder.transform(block[judge])))
        problem = problem_of(Target(column="answer", problem=self._answer.problem))
        estimator = self._family.unfitted(problem.learner, self._features, self._model)
        fitted = self._answer.fit(estimator, hstack(known, format="csr"), y[learn])
        return self._answer.predict(fitted, hstack(asked, format="csr"))
