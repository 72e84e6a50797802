"""Numbers: within what is usual and what is declared, in steps or to values like those that training showed."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np

from configs.counterfactuals import Moving
from serving.contract.contract import Column
from serving.contract.spelling import spelled

USUAL = (0.01, 0.99)  # quantiles between which a value is near the data
LEVELS = np.linspace(*USUAL, 99)
MOST_STEPS = 500  # to one side; beyond, every second is left out, and so on


class Numbers:
    """A column of numbers.

    Args:
        column: As the contract has it.
        moving: What is declared.
        observed: What training showed, none of it missing.
    """

    def __init__(self, column: Column, moving: Moving, observed: np.ndarray) -> None:
        numbers = observed.astype(np.float64)
        low, high = (_short(each) for each in np.quantile(numbers, USUAL).tolist())
        self._low = max(each for each in (low, moving.minimum, column.minimum) if each is not None)
        self._high = min(each for each in (high, moving.maximum, column.maximum) if each is not None)
        self.wrong = (
            "" if self._low <= self._high else f"nearly all rows lie from {low:g} to {high:g}, outside of what may be"
        )
        self._only, self._step = moving.only, moving.step
        self._whole = bool((numbers == np.rint(numbers)).all())
        levels = np.quantile(numbers, LEVELS, method="inverted_cdf")
        self._seen = sorted({_short(each) for each in levels.tolist()})
        self._spread = _spread(numbers)

    def values(self, was: Any) -> list[Any]:
        """Whole ones where all were; what cannot be told from it in 32 bits is what it was."""
        number = float(was)
        among = self._seen if self._step is None else self._steps(number)
        fitting = [each for each in among if self._fits(each, number)]
        return sorted(fitting, key=lambda each: (abs(each - number), each))

    def _fits(self, value: float, was: float) -> bool:
        if not self._low <= value <= self._high or np.float32(value) == np.float32(was):
            return False
        if self._whole and was.is_integer() and not value.is_integer():
            return False
        return self._only is None or (value > was) == (self._only == "up")

    def _steps(self, was: float) -> list[float]:
        """A whole number of steps away, in decimals, so that 0.1 and 0.2 make 0.3."""
        start, step = Decimal(str(was)), Decimal(str(self._step))
        first, last = (int((Decimal(str(end)) - start) / step) for end in (self._low, self._high))
        by = max(1, -(-(last - first) // (2 * MOST_STEPS)))
        return [float(start + step * count) for count in range(first - first % by, last + 1, by)]

    def distance(self, was: Any, value: Any) -> float:
        """In median absolute deviations (Wachter, Mittelstadt & Russell, "Counterfactual explanations", 2017)."""
        return abs(float(value) - float(was)) / self._spread

    def said(self, value: Any) -> str:
        """By the shortest decimal of the 32 bits that the model gets."""
        return spelled(np.float32(value))


def _short(number: float) -> float:
    """To four digits, like what reasons call usual: no one row's number is told."""
    return float(f"{number:.4g}")


def _spread(numbers: np.ndarray) -> float:
    """The median absolute deviation; where more than half are equal the standard deviation, and 1 where all are."""
    median = float(np.median(np.abs(numbers - np.median(numbers))))
    return median or float(numbers.std()) or 1.0
