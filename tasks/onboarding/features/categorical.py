"""Categories, in a first look."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from configs.errors import nearest
from configs.schema import ColumnRule
from tasks.onboarding.answers import Answer
from tasks.onboarding.features.kind import FOLDS
from tasks.onboarding.features.strings import Strings

PRIOR = 5.0  # rows of the usual answer that each category begins with: names that come once tell nothing


class Categorical(Strings):
    """Columns of categories."""

    contracted = "categorical"
    leaks_alone = True

    def as_graph(self, values: Any) -> np.ndarray:
        """The strings."""
        return self.encoded(values).reshape(-1, 1)

    def alone(self, values: Any, y: np.ndarray) -> np.ndarray:
        """By the mean answer of each."""
        from sklearn.model_selection import KFold

        x, predicted = self.as_numbers(values), np.empty_like(y)
        for learn, judge in KFold(FOLDS, shuffle=True, random_state=0).split(x):
            predicted[judge] = _means(x[learn], y[learn], x[judge])
        return predicted

    def sign(self, values: Any, y: np.ndarray, answer: Answer) -> str:
        """None that only categories show."""
        return ""

    def personal(self, values: Any) -> str:
        """Nothing: what many rows share is nobody's."""
        return ""

    def wrong(self, name: str, rule: ColumnRule, values: Any) -> Iterator[str]:
        """What is not allowed, and bounds of numbers."""
        where = f"features.rules.{name}"
        if rule.minimum is not None or rule.maximum is not None:
            yield f"{where}: 'minimum' and 'maximum' are for numbers, and the column is under 'categorical'; use 'allowed'"
        if rule.allowed is not None:
            found = set(self.encoded(values.drop_duplicates()).tolist())
            if strange := sorted(found - set(rule.allowed)):
                yield f"{where}: 'allowed' lacks {', '.join(map(repr, strange[:5]))}; {nearest(strange[0], rule.allowed)}"


def _means(learn: np.ndarray, y: np.ndarray, judge: np.ndarray) -> np.ndarray:
    """The mean answer of each category among the rows that are learned from, shape (rows, k)."""
    learn, judge = np.nan_to_num(learn, nan=-1).astype(int) + 1, np.nan_to_num(judge, nan=-1).astype(int) + 1
    size, usual = max(learn.max(), judge.max()) + 1, y.mean(axis=0)
    counts = np.bincount(learn, minlength=size)[:, None]
    sums = np.stack([np.bincount(learn, weights=y[:, at], minlength=size) for at in range(y.shape[1])], axis=1)
    found: np.ndarray = ((sums + PRIOR * usual) / (counts + PRIOR))[judge]
    return found
