"""Numbers, in a first look."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from configs.schema import ColumnRule
from tasks.onboarding.answers import Answer
from tasks.onboarding.features.kind import FOLDS

LEAVES = 64


class Numeric:
    """Columns of numbers; a text among them is missing."""

    read_as = "double"
    anybody = False
    costly = False
    adds_up = True
    leaks_alone = True

    def encoded(self, values: Any) -> np.ndarray:
        """In 32 bits; NaN for what is missing."""
        return self.as_numbers(values).astype(np.float32)

    def as_numbers(self, values: Any) -> np.ndarray:
        """As they are."""
        import pandas as pd

        return np.asarray(pd.to_numeric(values, errors="coerce").astype("float64"))

    def as_graph(self, values: Any) -> np.ndarray:
        """Without what has no bound."""
        found = self.encoded(values).reshape(-1, 1)
        return np.where(np.isinf(found), np.float32(np.nan), found)

    def alone(self, values: Any, y: np.ndarray) -> np.ndarray:
        """By a tree."""
        return by_a_tree(self.as_graph(values), y)

    def sign(self, values: Any, y: np.ndarray, answer: Answer) -> str:
        """None that only numbers show."""
        return ""

    def personal(self, values: Any) -> str:
        """Nothing that could be seen."""
        return ""

    def wrong(self, name: str, rule: ColumnRule, values: Any) -> Iterator[str]:
        """What is no number, or out of bounds."""
        import pandas as pd

        where, numbers = f"features.rules.{name}", pd.to_numeric(values, errors="coerce")
        if values.dtype == bool or numbers.isna().any():
            strange = values if values.dtype == bool else values[numbers.isna()]
            yield f"features.numeric: {name!r} has {len(strange):,} values that are no number, such as {strange.iloc[0]!r}"
            return
        for bound, outside in (("minimum", numbers < (rule.minimum or 0)), ("maximum", numbers > (rule.maximum or 0))):
            limit = getattr(rule, bound)
            if limit is not None and outside.any():
                worst = numbers[outside].min() if bound == "minimum" else numbers[outside].max()
                yield f"{where}: {outside.sum():,} rows are outside '{bound}' {limit:g}, the farthest {worst:g}"
        if rule.allowed is not None:
            yield f"{where}: 'allowed' is for categories, and the column is under 'numeric'; use 'minimum'"


def by_a_tree(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The answers of a tree to these numbers, shape (rows, width), alone; each from rows that it is not one of."""
    from sklearn.model_selection import KFold
    from sklearn.tree import DecisionTreeRegressor

    predicted = np.empty_like(y)
    for learn, judge in KFold(FOLDS, shuffle=True, random_state=0).split(x):
        tree = DecisionTreeRegressor(max_leaf_nodes=LEAVES, min_samples_leaf=max(5, len(x) // 500), random_state=0)
        predicted[judge] = tree.fit(x[learn], y[learn]).predict(x[judge]).reshape(len(judge), -1)
    return predicted
