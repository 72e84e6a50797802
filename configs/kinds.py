"""Column kinds: what a use case may say of a feature; what they do is `serving/contract/kinds/` and `tasks/columns/`."""

from __future__ import annotations

from typing import Literal, get_args

from configs.problems import Estimator

ColumnKind = Literal["categorical", "numeric", "text"]
COLUMN_KINDS: tuple[ColumnKind, ...] = get_args(ColumnKind)  # in the order that the model sees them
# What takes features of a kind, where not every estimator does: trees would look at thousands of columns of n-grams.
TAKEN_BY: dict[ColumnKind, tuple[Estimator, ...]] = {"text": ("logistic_regression", "ridge")}
RULES_OF_TEXT = ("nullable", "sensitive")
