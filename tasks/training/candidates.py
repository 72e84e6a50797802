"""Candidates of a search: parameters drawn from the space of a use case."""

from __future__ import annotations

from typing import Any

import numpy as np

from configs.schema import Model, Range, Search
from tasks.problems.metrics import greater_is_better


def draw_candidates(search: Search, usual: Model) -> list[Model]:
    """The usual model first, then `search.candidates` minus one others; the same for the same seed.

    >>> search = Search(space={"max_iter": Range(low=50, high=200), "l2": [0, 1]}, candidates=3)
    >>> [model.parameters for model in draw_candidates(search, Model())]
    [{}, {'max_iter': 146, 'l2': 1}, {'max_iter': 56, 'l2': 0}]
    """
    generator = np.random.default_rng(usual.seed)
    drawn = [{name: _draw(values, generator) for name, values in search.space.items()} for _ in range(search.candidates - 1)]
    return [usual, *(usual.model_copy(update={"parameters": {**usual.parameters, **one}}) for one in drawn)]


def better_third(models: list[Model], scores: np.ndarray, metric: str) -> list[Model]:
    """The usual model, which is the first, and the better third of the others; `scores` has shape (models, folds).

    >>> models = [Model(seed=number) for number in range(5)]
    >>> scores = np.array([[0.1], [0.5], [0.9], [0.6], [0.7]])
    >>> [model.seed for model in better_third(models, scores, "roc_auc")]
    [0, 2]
    """
    means = scores[1:].mean(axis=1)
    order = np.argsort(-means if greater_is_better(metric) else means, kind="stable")
    return [models[0], *(models[1 + place] for place in order[: max(1, len(order) // 3)])]


def _draw(values: Range | list[Any], generator: np.random.Generator) -> Any:
    if isinstance(values, list):
        return values[generator.integers(len(values))]
    whole = isinstance(values.low, int) and isinstance(values.high, int)
    if values.log:
        number = float(np.exp(generator.uniform(np.log(values.low), np.log(values.high))))
    else:
        number = float(generator.uniform(values.low, values.high))
    return round(number) if whole else number
