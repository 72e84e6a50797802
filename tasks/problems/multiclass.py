"""Multiclass: one of several classes, judged by the probability of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
import numpy as np

from configs.errors import InputError
from configs.schema import Target
from serving.contract.contract import Contract
from tasks.problems import metrics, pages
from tasks.problems.calibration import temperature
from tasks.problems.classes import Classes, enough_classes, few, values_of
from tasks.problems.leaks import guessed
from tasks.problems.metrics import Metric
from tasks.problems.values import Answered, Leak

MOST_CLASSES = 1000
SHOWN = 10
RARE = 10  # rows of the holdout: of fewer nobody can say how often they are answered right


class Multiclass(Classes):
    """`classes` are sorted, and a target is the place of its class among them."""

    name = "multiclass"
    metrics: Mapping[str, Metric] = metrics.MULTICLASS
    rows_needed = " of several classes"
    column = "output"

    def classes(self, target: Target, frame: Any) -> tuple[Any, ...]:
        """Every value, sorted; numbers by their size."""
        name = target.column
        found = values_of(frame[name])
        if broken := [value for value in found if isinstance(value, float)]:
            raise InputError(
                f"target.column: {name!r} has values that are no classes ({few(broken)}); 'target.problem: regression' "
                "predicts numbers"
            )
        if len(found) < 2:
            raise InputError(f"target.column: {name!r} is {found[0]!r} in every row; there is nothing to learn")
        if len(found) > MOST_CLASSES:
            raise InputError(
                f"target.column: {name!r} has {len(found):,} values ({few(found)}); at most {MOST_CLASSES:,} classes are "
                "supported, and 'target.problem: regression' predicts numbers"
            )
        enough_classes(target, len(found))
        return tuple(sorted(found, key=lambda value: (isinstance(value, str), value)))

    def targets(self, contract: Contract, frame: Any) -> np.ndarray:
        """The place of each row's class.

        Raises:
            InputError: one is no class of the contract.
        """
        places = {name: place for place, name in enumerate(contract.classes)}
        values = frame[contract.target]
        found = values.map(places)
        if found.isna().any():
            stray = values[found.isna()].iloc[0]
            raise InputError(f"target.column: {contract.target!r} has {stray!r}, which is none of {few(list(places))}")
        return np.asarray(found.to_numpy(dtype=np.int64))

    def lacking(self, target: Target, whole: Any, learn: Any, judge: Any) -> tuple[str, str] | None:
        """Every class must be learned, and some be judged."""
        if vanished := sorted(set(whole.unique()) - set(learn.unique()), key=str):
            return "training", f"has no row of class {few(vanished)} of {target.column!r}"
        if judge.nunique() < 2:
            return "holdout", f"does not hold several classes of {target.column!r}"
        return None

    def enough(self, target: np.ndarray) -> bool:
        """Two classes or more."""
        return len(np.unique(target)) > 1

    def remarks(self, contract: Contract, target: np.ndarray) -> list[str]:
        """Classes that are too rare."""
        rows = np.bincount(target.astype(np.int64), minlength=len(contract.classes))
        rare = [name for name, count in zip(contract.classes, rows, strict=True) if count < RARE]
        if not rare:
            return []
        told = f"{len(rare)} classes ({few(rare)})"
        return [f"The target is too rare in the holdout to be judged (fewer than {RARE} rows): {told}"]

    def common(self, contracts: Sequence[Contract]) -> Contract:
        """With every class that one of them knows."""
        names = tuple(dict.fromkeys(name for contract in contracts for name in contract.classes))
        return msgspec.structs.replace(contracts[-1], classes=names)

    def together(self, answers: Sequence[Answered], contracts: Sequence[Contract]) -> Answered:
        """By the names of classes: one that a version does not know has probability 0 in its answers."""
        every, targets, outputs = self.common(contracts), [], []
        for (target, judged), contract in zip(answers, contracts, strict=True):
            known, moved = ~np.isnan(target), target.copy()
            places = np.array([every.classes.index(name) for name in contract.classes], dtype=np.float64)
            moved[known] = places[target[known].astype(np.int64)]
            targets.append(moved)
            outputs.append(self.aligned(judged, contract, every))
        return np.concatenate(targets), np.concatenate(outputs)

    def judged(self, outputs: np.ndarray) -> np.ndarray:
        """The probability of every class."""
        return outputs

    def unjudged(self, judged: np.ndarray) -> np.ndarray:
        """The same."""
        return judged

    def kept(self, judged: np.ndarray) -> Any:
        """A list of k numbers a row."""
        import pyarrow as pa

        return pa.array(judged.astype(np.float64).tolist(), type=pa.list_(pa.float64()))

    def read(self, column: Any) -> np.ndarray:
        """A list of k numbers a row."""
        return np.stack(column.to_list()).astype(np.float64) if len(column) else np.zeros((0, 1))

    def leak(self, values: np.ndarray, target: np.ndarray) -> Leak:
        """By how often the class that is usual for a value is the right one, where it is not the same for most rows."""
        usual = np.bincount(target).max() / len(target)
        right = guessed(values, target)
        return Leak(told=max(0.0, (right - usual) / (1 - usual)) if usual < 1 else 0.0, by="accuracy beyond chance")

    def score(self, judged: np.ndarray) -> np.ndarray:
        """The probability of the answer."""
        return np.asarray(judged.max(axis=1))

    def scores(self, contract: Contract, judged: np.ndarray) -> dict[str, np.ndarray]:
        """The probability of each class."""
        return {str(name): judged[:, place] for place, name in enumerate(contract.classes)}

    def answers(self, contract: Contract, judged: np.ndarray) -> dict[str, float]:
        """The mean probability of the answer, the share left to a person, and the share of each of the first classes."""
        shares = np.bincount(judged.argmax(axis=1), minlength=len(contract.classes)) / len(judged)
        named = {f"share of {name}": float(share) for name, share in zip(contract.classes, shares, strict=True)}
        found = {"confidence": float(self.score(judged).mean()), **self.left(judged)}
        return {**found, **dict(list(named.items())[:SHOWN])}

    def losses(
        self, before: tuple[np.ndarray, np.ndarray], now: tuple[np.ndarray, np.ndarray]
    ) -> tuple[np.ndarray, np.ndarray, float]:
        """Squared distances of the class's probability from 1; over a quarter another class may be more probable."""
        one, other = ((1 - judged[np.arange(len(target)), target.astype(np.int64)]) ** 2 for target, judged in (before, now))
        return one, other, 0.25

    def chances(self, target: np.ndarray, judged: np.ndarray) -> Callable[[np.ndarray], np.ndarray] | None:
        """By probabilities that are calibrated together."""
        return temperature(target, judged)

    def page(self, before: np.ndarray, now: np.ndarray) -> pages.Page:
        """Evidently's."""
        return pages.multiclass()

    def told(self, target: Target, contract: Contract) -> str:
        """The classes."""
        return f"one of {len(contract.classes)} classes: {few(list(contract.classes))}{self.bound_told()}"
