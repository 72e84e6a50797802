"""What goes into a model: what every kind of column does. How a value is read, `serving/contract/kinds/` says."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal, Protocol

import numpy as np

from serving.contract.contract import Column
from tasks.columns.bins import Bins
from tasks.columns.values import Sign


class ColumnKind(Protocol):
    """A kind of column. `values`, `window` and `reference` are pandas series as the contract encodes them."""

    shown_as: Literal["numbers", "categories"]  # in Evidently's report
    varies: Literal["in order", "by level", "not"]  # how one value follows another where its effect is looked at

    def boolean(self, values: Iterable[Any]) -> bool:
        """Whether plain values are numbers that are true and false where they come from."""

    def missing(self, encoded: np.ndarray) -> np.ndarray:
        """Which encoded values stand for nothing, shape (rows,)."""

    def observed(self, present: np.ndarray) -> dict[str, Any]:
        """What the contract says that training showed, of encoded values without those that are missing."""

    def usual(self, present: np.ndarray) -> dict[str, Any]:
        """What reasons call usual, of encoded values without those that are missing: fields of `Usual`."""

    def transformer(self, linear: bool) -> Any:
        """scikit-learn's, unfitted, in front of a linear model or of trees."""

    def inside(self, fitted: Any) -> Any:
        """Of the fitted transformer what happens inside the graph; the rest the contract does (`Kind.graph`)."""

    def encoded(self, fitted: Any, place: int, linear: bool) -> dict[str, Any]:
        """What the fitted transformer does to the column at a place among those that it takes: fields of `Encoded`."""

    def bins(self, values: Any) -> Bins:
        """How windows are counted against these values of the reference."""

    def fault(self, window: Any, reference: Any) -> Sign | None:
        """The likely cause of drift, where it is a fault upstream that only this kind has."""

    def put_back(self, window: Any, reference: Any, generator: np.random.Generator) -> np.ndarray:
        """The window's values as they were in the reference, so that what their drift costs can be estimated."""

    def shown(self, values: Any) -> Any:
        """The values as Evidently takes them."""

    def typical(self, values: list[Any]) -> Any:
        """Of some plain values, none of them missing, one that stands for all."""

    def tried(self, column: Column, held: Any) -> np.ndarray:
        """Values that generated rows may have, shape (n,), none of them missing; `held` is the holdout's column."""

    def news(self, column: Column) -> list[Any]:
        """Encoded values that the contract lets in and training hardly had."""
