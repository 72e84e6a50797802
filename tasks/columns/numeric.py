"""Numbers: scaled and imputed for linear models, as they are for trees."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from serving.contract.contract import Column
from serving.contract.kinds.numeric import FLOAT32_MAX
from tasks.columns.bins import Bins, bins_of_numbers
from tasks.columns.put_back import put_back_numbers
from tasks.columns.scaler import scaled
from tasks.columns.units import changed_unit
from tasks.columns.values import Sign

SMALLEST = float(np.finfo(np.float32).tiny)


class Numeric:
    """Columns of numbers; NaN is a missing one."""

    shown_as: Literal["numbers", "categories"] = "numbers"
    varies: Literal["in order", "by level", "not"] = "in order"

    def boolean(self, values: Any) -> bool:
        """Whether all of them are true or false."""
        return all(value is None or isinstance(value, bool) for value in values)

    def missing(self, encoded: np.ndarray) -> np.ndarray:
        """NaN."""
        return np.asarray(np.isnan(encoded))

    def observed(self, present: np.ndarray) -> dict[str, Any]:
        """The lowest and the highest."""
        return {"low": float(present.min()), "high": float(present.max())} if len(present) else {}

    def usual(self, present: np.ndarray) -> dict[str, Any]:
        """Their quartiles, to four digits: no one row's number is needed for that."""
        if not len(present):
            return {}
        low, middle, high = (float(f"{each:.4g}") for each in np.quantile(present.astype(np.float64), (0.25, 0.5, 0.75)))
        return {"low": low, "middle": middle, "high": high}

    def transformer(self, linear: bool) -> Any:
        """A scaler in front of a tree ensemble would move float32 values across split thresholds, so trees get none."""
        from sklearn.impute import SimpleImputer
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        return make_pipeline(SimpleImputer(), StandardScaler()) if linear else "passthrough"

    def inside(self, fitted: Any) -> Any:
        """All of it."""
        return fitted

    def encoded(self, fitted: Any, place: int, linear: bool) -> dict[str, Any]:
        """As they are, or imputed and scaled."""
        return scaled(fitted, place, 1) if linear else {"how": "numbers"}

    def bins(self, values: Any) -> Bins:
        """By their size."""
        return bins_of_numbers(values)

    def fault(self, window: Any, reference: Any) -> Sign | None:
        """Another unit."""
        return changed_unit(window, reference)

    def put_back(self, window: Any, reference: Any, generator: np.random.Generator) -> np.ndarray:
        """By their rank."""
        return put_back_numbers(window, reference, generator)

    def shown(self, values: Any) -> Any:
        """In 64 bits."""
        return values.astype("float64")

    def typical(self, values: list[Any]) -> Any:
        """The middle one."""
        return float(np.median(values))

    def tried(self, column: Column, held: Any) -> np.ndarray:
        """Those that rows of the holdout have, and the ends of what training showed."""
        known = held.to_numpy(dtype=np.float32)
        bounds = [bound for bound in (column.low, column.high) if bound is not None]
        return np.unique(np.array([*known[~np.isnan(known)], *bounds], dtype=np.float32))

    def news(self, column: Column) -> list[Any]:
        """Those next to zero."""
        low = -FLOAT32_MAX if column.minimum is None else column.minimum
        high = FLOAT32_MAX if column.maximum is None else column.maximum
        near = np.array([SMALLEST, -SMALLEST, 0.0, -0.0], dtype=np.float32)
        return list(near[(near >= low) & (near <= high)])
