"""Fitting: the pipeline of a recipe, on the rows of a snapshot that its history takes."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from configs.errors import InputError
from configs.forms import length_of
from configs.schema import HALF_LIFE, Features, Model, Recipe
from serving.contract.contract import Contract
from tasks.data.frames import contract_of, encode, read_rows
from tasks.data.groups import groups_of
from tasks.data.values import Snapshot
from tasks.problems.problem import Problem, problem_of
from tasks.training.constrain import Lesson, constrained
from tasks.training.estimators.choose import family_of, settle
from tasks.training.given import given_model
from tasks.training.own import own_pipeline, same_source, told
from tasks.training.reweigh import reweighed


class Counts(NamedTuple):
    """How much each row counts, shape (rows,); the key that asks for it, and what would do without."""

    weights: np.ndarray
    key: str
    instead: str


def fit(snapshot: Snapshot, rows: int, contract: str, recipe: Recipe, share: float = 1.0) -> tuple[Any, int]:
    """A pipeline fitted on rows [0, rows), and how many of them it learned from; with a share, on evenly spaced ones.

    Raises:
        InputError: the estimator does not know one of `model.parameters`, or not this value of it; an own pipeline fails.
    """
    same_source(recipe)
    frame, weights = taken_rows(snapshot, rows, recipe, share)
    return learned(contract_of(contract), recipe, frame, weights), len(frame)


def taken_rows(snapshot: Snapshot, rows: int, recipe: Recipe, share: float = 1.0) -> tuple[Any, np.ndarray]:
    """Those of rows [0, rows) that the recipe's history takes, as a frame, and how much each counts."""
    frame = read_rows(snapshot, 0, rows)
    weights = np.ones(rows) if recipe.time_column is None else history_weights(frame[recipe.time_column], recipe.history)
    taken = np.flatnonzero(weights)
    taken = taken[np.linspace(0, len(taken) - 1, max(2, round(share * len(taken)))).round().astype(int)]
    return (frame if len(taken) == rows else frame.iloc[taken]), weights[taken]


def learned(columns: Contract, recipe: Recipe, frame: Any, weights: np.ndarray, target: np.ndarray | None = None) -> Any:
    """A pipeline fitted on these rows, to another target (rows,) than the recipe's where one is given; raises as `fit`.

    An own file is what it is, whatever the rows.
    """
    if recipe.model.onnx is not None:
        return given_model(columns, recipe)
    problem = problem_of(recipe.target)
    wanted = problem.targets(columns, frame) if target is None else target
    if recipe.constrained is not None:
        return _constrained(columns, recipe, frame, wanted)
    if recipe.reweighing:
        counts = reweighed(frame[recipe.reweighing], problem.targets(columns, frame), weights)
        return _fitted(columns, recipe, frame, wanted, Counts(counts, "fairness.mitigation", "leave 'reweighing' out"))
    if recipe.history.startswith(HALF_LIFE):
        halved = Counts(weights, "training.history", "take 'all' or a length, such as '90 days'")
        return _fitted(columns, recipe, frame, wanted, halved)
    return _fitted(columns, recipe, frame, wanted)


def _constrained(columns: Contract, recipe: Recipe, frame: Any, target: np.ndarray) -> Any:
    """A pipeline fitted on the rows as costs of the constraints, whose multipliers are found by fitting others."""
    rules = recipe.constrained
    assert rules is not None
    groups = groups_of({name: frame[name] for name in rules.protected}, rules.intersections)
    favourable = recipe.target.positive if rules.favourable is None else rules.favourable
    place = columns.classes.index(favourable)

    def learn(rows: slice, lesson: Lesson) -> Any:
        counts = Counts(lesson.weights, "fairness.mitigation", "leave 'constrained' out")
        labels = lesson.favourable if place == 1 else 1 - lesson.favourable
        return _fitted(columns, recipe, frame.iloc[rows], labels, counts)

    def answered(pipeline: Any, rows: slice) -> np.ndarray:
        found = pipeline.predict_proba(encode(columns, frame.iloc[rows])[recipe.features.all])
        return np.asarray(found.argmax(axis=1) == place)

    return constrained(rules, (target == place).astype(np.int64), groups, learn, answered)


def _fitted(columns: Contract, recipe: Recipe, frame: Any, target: np.ndarray, counts: Counts | None = None) -> Any:
    from sklearn.utils._param_validation import InvalidParameterError

    problem = problem_of(recipe.target)
    pipeline = build_pipeline(recipe.features, recipe.model, problem)
    lesson = problem.lesson(target, pipeline[-1])
    weighted = {} if counts is None else _weighted(pipeline, counts.weights[lesson.rows], counts.key, counts.instead)
    others = {f"{pipeline.steps[-1][0]}__{name}": value for name, value in lesson.arguments.items()}
    rows = _with_values(encode(columns, frame)[recipe.features.all]).iloc[lesson.rows]
    try:
        pipeline.fit(rows, lesson.target, **weighted, **others)
    except InvalidParameterError as error:
        raise InputError(f"model.parameters: {' '.join(str(error).split())}") from None
    except Exception as error:
        if family := family_of(recipe.model):
            if isinstance(error, family.refusals()):
                raise InputError(f"model.parameters: {recipe.model.named}: {' '.join(str(error).split())}") from error
            raise
        raise InputError(f"model.pipeline: {recipe.model.pipeline} cannot be fitted: {told(error)}") from error
    settle(pipeline[-1])
    return pipeline


def _with_values(encoded: Any) -> Any:
    """The rows, with 0 in a column of numbers that has no value in any: trees need one to bin, and learn nothing from it."""
    silent = [name for name in encoded.select_dtypes("number") if encoded[name].isna().all()]
    return encoded.assign(**dict.fromkeys(silent, np.float32(0))) if silent else encoded


def _weighted(pipeline: Any, weights: np.ndarray, key: str, instead: str) -> dict[str, Any]:
    """The weights of rows as an argument of the pipeline's `fit`; `key` asks for them, and `instead` does without."""
    from sklearn.utils.validation import has_fit_parameter

    name, estimator = pipeline.steps[-1]
    if not has_fit_parameter(estimator, "sample_weight"):
        kind = type(estimator).__name__
        raise InputError(f"{key}: {kind} takes no weights of rows; {instead}")
    return {f"{name}__sample_weight": weights}


def history_weights(times: Any, history: str) -> np.ndarray:
    """How much each row counts, shape (rows,), 0 where it is too old; `times` is a pandas series, ascending.

    >>> import pandas as pd
    >>> times = pd.Series(pd.to_datetime(["2026-01-01", "2026-01-20", "2026-01-21"]))
    >>> history_weights(times, "2 days").tolist(), history_weights(times, "half-life 1 day").tolist()[1:]
    ([0.0, 1.0, 1.0], [0.5, 1.0])
    """
    if history == "all":
        return np.ones(len(times))
    length = np.timedelta64(length_of(history.removeprefix(HALF_LIFE)))
    age = times.to_numpy()[-1] - times.to_numpy()
    return 0.5 ** (age / length) if history.startswith(HALF_LIFE) else (age <= length).astype(np.float64)


def build_pipeline(features: Features, model: Model, problem: Problem) -> Any:
    """The unfitted pipeline: columns encoded as the family takes them, then the estimator."""
    from sklearn.pipeline import Pipeline

    family = family_of(model)
    if family is None:
        return own_pipeline(features, model, problem)
    estimator = family.unfitted(problem.learner, features, model)
    return Pipeline([("encode", family.encoder(features)), ("model", estimator)])
