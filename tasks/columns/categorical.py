"""Categories: one column each for linear models, a number each for trees."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from tasks.columns.bins import Bins, bins_of_categories
from tasks.columns.names import renamed
from tasks.columns.put_back import put_back_categories
from tasks.columns.strings import Strings
from tasks.columns.values import Sign


class Categorical(Strings):
    """Columns of categories."""

    shown_as: Literal["numbers", "categories"] = "categories"
    varies: Literal["in order", "by level", "not"] = "by level"

    def observed(self, present: np.ndarray) -> dict[str, Any]:
        """Every one."""
        return {"categories": tuple(sorted(set(present.tolist())))}

    def usual(self, present: np.ndarray) -> dict[str, Any]:
        """The most frequent one, of equals the first by name."""
        names, counts = np.unique(present.astype(str), return_counts=True)
        return {"most": str(names[counts.argmax()])} if len(names) else {}

    def transformer(self, linear: bool) -> Any:
        """What training did not have is no category of a linear model, and -1 for trees."""
        from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder

        if linear:
            return OneHotEncoder(handle_unknown="ignore", sparse_output=False, dtype=np.float32)
        return OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, dtype=np.float32)

    def inside(self, fitted: Any) -> Any:
        """All of it."""
        return fitted

    def encoded(self, fitted: Any, place: int, linear: bool) -> dict[str, Any]:
        """By the categories of training."""
        return {"how": "one_hot" if linear else "codes", "categories": fitted.categories_[place].tolist()}

    def bins(self, values: Any) -> Bins:
        """By their frequency."""
        return bins_of_categories(values)

    def fault(self, window: Any, reference: Any) -> Sign | None:
        """Another spelling."""
        return renamed(window, reference)

    def put_back(self, window: Any, reference: Any, generator: np.random.Generator) -> np.ndarray:
        """By their shares."""
        return put_back_categories(window, reference, generator)

    def shown(self, values: Any) -> Any:
        """As text; a missing one is empty."""
        return values.astype("string").fillna("").astype(object)
