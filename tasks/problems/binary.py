"""Binary: one of two classes, judged by the probability of the positive one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from configs.errors import InputError
from configs.schema import Target
from serving.contract.contract import Contract
from tasks.problems import metrics, pages
from tasks.problems.calibration import calibrator
from tasks.problems.classes import Classes, few, logged, values_of
from tasks.problems.leaks import rank
from tasks.problems.metrics import Metric
from tasks.problems.values import Leak


class Binary(Classes):
    """`classes` are the negative and the positive one, and 1 in a target is the positive one."""

    name = "binary"
    metrics: Mapping[str, Metric] = metrics.BINARY
    rows_needed = " of both classes"
    column = "probability"

    def classes(self, target: Target, frame: Any) -> tuple[Any, ...]:
        """The negative and the positive class, as the API answers them."""
        name, positive, found = target.column, target.positive, values_of(frame[target.column])
        if positive not in found:
            raise InputError(f"target.positive: {positive!r} is not a value of {name!r}; found {few(found)}")
        if len(found) < 2:
            raise InputError(f"target.column: {name!r} is {positive!r} in every row; there is nothing to learn")
        if len(found) > 2:
            raise InputError(
                f"target.column: {name!r} has {len(found)} values ({few(found)}); two classes are binary, more are "
                "'target.problem: multiclass'"
            )
        return tuple(sorted(found, key=lambda value: value == positive))  # as the rows have them: 1 may be true

    def targets(self, contract: Contract, frame: Any) -> np.ndarray:
        """1 where it is the positive class, else 0."""
        return np.asarray((frame[contract.target] == contract.classes[1]).to_numpy(dtype=np.int64))

    def lacking(self, target: Target, whole: Any, learn: Any, judge: Any) -> tuple[str, str] | None:
        """Each part needs both classes."""
        for name, part in (("training", learn), ("holdout", judge)):
            if not 0 < (part == target.positive).sum() < len(part):
                return name, f"does not hold both classes of {target.column!r}"
        return None

    def enough(self, target: np.ndarray) -> bool:
        """Both classes."""
        return bool(0 < target.sum() < len(target))

    def remarks(self, contract: Contract, target: np.ndarray) -> list[str]:
        """Nothing: a holdout has both classes."""
        return []

    def judged(self, outputs: np.ndarray) -> np.ndarray:
        """The probability of the positive class."""
        return outputs[:, 1]

    def unjudged(self, judged: np.ndarray) -> np.ndarray:
        """Both probabilities."""
        return np.column_stack([1 - judged, judged])

    def common(self, contracts: Sequence[Contract]) -> Contract | None:
        """The last one, where all know the same two classes."""
        return contracts[-1] if len({frozenset(contract.classes) for contract in contracts}) == 1 else None

    def kept(self, judged: np.ndarray) -> Any:
        """A number a row."""
        import pyarrow as pa

        return pa.array(judged)

    def read(self, column: Any) -> np.ndarray:
        """A number a row."""
        return np.asarray(column.to_numpy())

    def leak(self, values: np.ndarray, target: np.ndarray) -> Leak:
        """By AUC, in either direction."""
        auc = metrics.BINARY["roc_auc"].value(target, rank(values, target)) if self.enough(target) else 0.5
        return Leak(told=max(auc, 1 - auc), by="AUC")

    def sql(self, contract: Contract) -> str:
        """Whether it is the positive class."""
        return f"cast(label = {logged(contract.classes[1])} as integer)"

    def score(self, judged: np.ndarray) -> np.ndarray:
        """The probability of the positive class."""
        return judged

    def scores(self, contract: Contract, judged: np.ndarray) -> dict[str, np.ndarray]:
        """The probability of the positive class."""
        return {"probability": judged}

    def answers(self, contract: Contract, judged: np.ndarray) -> dict[str, float]:
        """The share of positive answers, the mean probability of the answer, and the share that is left to a person."""
        confidence = np.maximum(judged, 1 - judged)
        found = {"positives": float((judged >= 0.5).mean()), "confidence": float(confidence.mean())}
        return {**found, **self.left(judged)}

    def losses(
        self, before: tuple[np.ndarray, np.ndarray], now: tuple[np.ndarray, np.ndarray]
    ) -> tuple[np.ndarray, np.ndarray, float]:
        """Squared errors of the probability; of one on the other side of a half it is over a quarter."""
        one, other = ((judged - target) ** 2 for target, judged in (before, now))
        return one, other, 0.25

    def chances(self, target: np.ndarray, judged: np.ndarray) -> Callable[[np.ndarray], np.ndarray] | None:
        """By a calibrator of the score."""
        return calibrator(target, judged)

    def page(self, before: np.ndarray, now: np.ndarray) -> pages.Page:
        """Evidently's."""
        return pages.binary()

    def told(self, target: Target, contract: Contract) -> str:
        """The positive class."""
        return f"the positive class is `{target.positive}`{self.bound_told()}"
