"""Column kinds: what a use case may say of a feature; what they do is `serving/contract/kinds/` and `tasks/columns/`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, get_args

from configs.problems import WORDS, Estimator

ColumnKind = Literal["categorical", "numeric", "text", "datetime", "boolean"]
COLUMN_KINDS: tuple[ColumnKind, ...] = get_args(ColumnKind)  # in the order that the model sees them
# What takes features of a kind, where not every estimator does: trees would look at thousands of columns of n-grams.
TAKEN_BY: dict[ColumnKind, tuple[Estimator, ...]] = {"text": ("logistic_regression", "ridge")}
# The rules of kinds that have no bounds and no list of what is allowed.
UNBOUNDED = ("nullable", "sensitive")
RULES_OF: dict[ColumnKind, tuple[str, ...]] = {"text": UNBOUNDED, "datetime": UNBOUNDED, "boolean": UNBOUNDED}
# What a reason in words may name: the value, and what is usual in training: between `low` and `high` lies the middle half.
NUMBER, CHOICE = ("value", "usual", "low", "middle", "high"), ("value", "usual")
TOLD_OF: dict[ColumnKind, tuple[str, ...]] = {
    "numeric": NUMBER,
    "categorical": CHOICE,
    "boolean": CHOICE,
    "text": ("value",),
    "datetime": ("value",),
}


def first_estimator(problem: str, kinds: Iterable[ColumnKind]) -> Estimator:
    """The first estimator of a problem that takes features of all these kinds.

    >>> first_estimator("regression", ["numeric"]), first_estimator("regression", ["numeric", "text"])
    ('hist_gradient_boosting', 'ridge')
    """
    known, asked = WORDS[problem].estimators, set(kinds)
    return next(each for each in known if all(each in TAKEN_BY.get(kind, known) for kind in asked))
