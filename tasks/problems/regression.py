"""Regression: a number, and the interval that holds it where one is answered."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from msgspec import UNSET

from configs.errors import InputError
from configs.schema import Target
from serving.contract.contract import Contract
from serving.contract.kinds.numeric import FLOAT32_MAX
from tasks.problems import metrics, numbers, pages
from tasks.problems.calibration import spread
from tasks.problems.changes import Changes, distribution
from tasks.problems.leaks import rank
from tasks.problems.metrics import Metric
from tasks.problems.values import Answered, Leak, Learner, Lesson


class Regression:
    """There are no `classes`, and a target is the number itself."""

    name = "regression"
    metrics: Mapping[str, Metric] = metrics.REGRESSION
    rows_needed = " rows"
    learner: Learner = "regressor"
    output = "values"
    graph: Mapping[str, str] = {"values": "float"}
    options: Mapping[str, Any] = {}
    served = 1e-5  # as at the conversion: sums of 32 bits
    column = "output"
    not_estimated = "not estimated without intervals ('target.interval')"

    def classes(self, target: Target, frame: Any) -> tuple[Any, ...]:
        """None; and every value is a number that fits in 32 bits."""
        import pandas as pd

        name, values = target.column, frame[target.column]
        if not pd.api.types.is_numeric_dtype(values) or pd.api.types.is_bool_dtype(values):
            wrong = next((row for row, value in enumerate(values) if not _is_number(value)), 0)
            raise InputError(
                f"target.column: {name!r}, row {wrong}: {values.iloc[wrong]!r} is no number; a {self.name} learns numbers, "
                "'target.problem: multiclass' predicts classes"
            )
        found = values.to_numpy(dtype=np.float64)
        wide = np.flatnonzero(~(np.abs(found) <= FLOAT32_MAX))
        if len(wide):
            raise InputError(f"target.column: {name!r}, row {wide[0]}: {found[wide[0]]:g} does not fit in 32 bits")
        if (found == found[0]).all():
            raise InputError(f"target.column: {name!r} is {found[0]:g} in every row; there is nothing to learn")
        return ()

    def targets(self, contract: Contract, frame: Any) -> np.ndarray:
        """The numbers."""
        return np.asarray(frame[contract.target].to_numpy(dtype=np.float64))

    def known(self, column: Any) -> np.ndarray:
        """The numbers."""
        return np.asarray(column.to_numpy(dtype=np.float64, na_value=np.nan))

    def lesson(self, target: np.ndarray, estimator: Any) -> Lesson:
        """Every row's number."""
        return Lesson(np.arange(len(target)), target, {})

    def lacking(self, target: Target, whole: Any, learn: Any, judge: Any) -> tuple[str, str] | None:
        """Numbers that differ."""
        for name, part in (("training", learn), ("holdout", judge)):
            if part.nunique() < 2:
                return name, f"does not hold two different values of {target.column!r}"
        return None

    def enough(self, target: np.ndarray) -> bool:
        """Two rows or more that differ."""
        return bool(len(target) > 1 and target.min() < target.max())

    def remarks(self, contract: Contract, target: np.ndarray) -> list[str]:
        """Nothing."""
        return []

    def unfit(self, estimator: Any) -> str:
        """It is no regressor."""
        from sklearn.base import is_regressor

        name = type(getattr(estimator, "_final_estimator", estimator)).__name__
        return "" if is_regressor(estimator) else f"{name}, which is no regressor, but target.problem is {self.name!r}"

    def unlearned(self, contract: Contract, pipeline: Any) -> str:
        """Nothing: any rows give a number."""
        return ""

    def outputs(self, contract: Contract, pipeline: Any, encoded: Any) -> np.ndarray:
        """The number, and its interval."""
        return np.asarray(pipeline.predict(encoded)).reshape(len(encoded), -1)

    def judged(self, outputs: np.ndarray) -> np.ndarray:
        """The number, or with an interval all three."""
        return outputs[:, 0] if outputs.shape[1] == 1 else outputs

    def unjudged(self, judged: np.ndarray) -> np.ndarray:
        """A column for the number, or three with its interval."""
        return judged.reshape(len(judged), -1)

    def kept(self, judged: np.ndarray) -> Any:
        """A list of the numbers of a row, as the prediction log has it."""
        import pyarrow as pa

        return pa.array(judged.astype(np.float64).reshape(len(judged), -1).tolist(), type=pa.list_(pa.float64()))

    def read(self, column: Any) -> np.ndarray:
        """A list of one number a row, or of three."""
        return self.judged(np.stack(column.to_list()).astype(np.float64)) if len(column) else np.zeros(0)

    def aligned(self, outputs: np.ndarray, given: Contract, wanted: Contract) -> np.ndarray:
        """An interval that is not wanted is left out; of one that is not there the ends are not known (NaN)."""
        if wanted.interval is UNSET:
            return outputs[:, :1]
        unknown = np.full((len(outputs), 2), np.nan, dtype=outputs.dtype)
        return np.concatenate([outputs, unknown], axis=1) if given.interval is UNSET else outputs

    def common(self, contracts: Sequence[Contract]) -> Contract:
        """One with an interval, where there is one."""
        return next((contract for contract in contracts if contract.interval is not UNSET), contracts[-1])

    def said(self, contract: Contract, outputs: np.ndarray) -> np.ndarray:
        """The number."""
        return np.asarray(outputs[:, 0].astype(np.float64))

    def changes(self, contract: Contract, before: np.ndarray, after: np.ndarray) -> Changes:
        """By how far the number moved; what rounding does to 32 bits is no difference."""
        differ = self.difference(after.reshape(-1, 1), before.reshape(-1, 1)) > self.served
        return Changes(differ, distribution(after - before))

    def together(self, answers: Sequence[Answered], contracts: Sequence[Contract]) -> Answered:
        """One below the other; where only some have an interval, the ends of the others are not known (NaN)."""
        with_one = self.common(contracts)
        targets, judged = zip(*answers, strict=True)
        rows = [
            self.aligned(self.unjudged(each), contract, with_one) for each, contract in zip(judged, contracts, strict=True)
        ]
        return np.concatenate(targets), self.judged(np.concatenate(rows))

    def difference(self, found: np.ndarray, expected: np.ndarray, usual: np.ndarray | None = None) -> np.ndarray:
        """Relative to the number, or to the spread of all where that is larger; of a number and its interval the largest.

        A graph adds float32s, with 24 bits each: of a sum of thousands the units are exact and the thousandths are not, and
        a sum near 0 of large parts is as far off as these are. Probabilities, which lie in 0 to 1, need no such scale.
        """
        return np.asarray((np.abs(found - expected) / _scale(expected, usual)).max(axis=1))

    def moved(self, found: np.ndarray, expected: np.ndarray) -> np.ndarray:
        """By the number, whatever its interval does."""
        return np.asarray(((found - expected) / _scale(expected))[:, 0])

    def decisions(self, outputs: np.ndarray) -> np.ndarray:
        """None: a number that is nearly the same is the same answer."""
        return np.zeros(len(outputs))

    def leak(self, values: np.ndarray, target: np.ndarray) -> Leak:
        """By the correlation of ranks, in either direction."""
        import pandas as pd

        ranks = rank(values, target)
        constant = ranks.min() == ranks.max() or target.min() == target.max()
        found = 0.0 if constant else abs(float(pd.Series(ranks).corr(pd.Series(target), method="spearman")))
        return Leak(told=found, by="rank correlation")

    def sql(self, contract: Contract) -> str:
        """The number."""
        return "try_cast(label as double)"

    def score(self, judged: np.ndarray) -> np.ndarray:
        """The number."""
        return numbers.answered(judged)

    def scores(self, contract: Contract, judged: np.ndarray) -> dict[str, np.ndarray]:
        """The number."""
        return {"value": self.score(judged)}

    def answers(self, contract: Contract, judged: np.ndarray) -> dict[str, float]:
        """Their mean and spread, and how wide intervals are."""
        value = self.score(judged)
        found = {"mean": float(value.mean()), "standard deviation": float(value.std())}
        return found if judged.ndim == 1 else {**found, "width": float((judged[:, 2] - judged[:, 1]).mean())}

    def losses(
        self, before: tuple[np.ndarray, np.ndarray], now: tuple[np.ndarray, np.ndarray]
    ) -> tuple[np.ndarray, np.ndarray, float]:
        """Absolute errors, as shares of one that only a hundredth of the holdout has; the largest tenth is wrong."""
        one, other = (np.abs(self.score(judged) - target) for target, judged in (before, now))
        whole = max(float(np.quantile(one, 0.99)), 1e-30)
        one, other = np.minimum(one / whole, 1), np.minimum(other / whole, 1)
        return one, other, float(np.quantile(one, 0.9))

    def chances(self, target: np.ndarray, judged: np.ndarray) -> Callable[[np.ndarray], np.ndarray] | None:
        """By errors that grow with the interval; a number alone says nothing about how far off it is."""
        return spread(target, judged) if judged.ndim == 2 else None

    def promised(self, contract: Contract) -> float | None:
        """What the contract says of its interval."""
        return None if contract.interval is UNSET else contract.interval

    def page(self, before: np.ndarray, now: np.ndarray) -> pages.Page:
        """Evidently's."""
        return pages.regression()

    def told(self, target: Target, contract: Contract) -> str:
        """That it is one, and what its interval promises."""
        if contract.interval is UNSET:
            return "a number"
        return f"a number, from `low` to `high` in {contract.interval:.4g} of the rows"


def _scale(outputs: np.ndarray, usual: np.ndarray | None = None) -> np.ndarray:
    """How large a number is, shape (rows, 1), and not less than the spread of all, or of those that are usual."""
    spread = (outputs if usual is None else usual)[:, 0].std()
    return np.asarray(np.maximum(np.abs(outputs[:, :1]), max(float(spread), 1e-30)))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | np.number) and not isinstance(value, bool | np.bool_)
