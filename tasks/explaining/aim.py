"""Aim: which answers are wanted, and how far outputs of the model are from one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from msgspec import UNSET

from configs.counterfactuals import Counterfactuals, Reached
from configs.errors import InputError
from configs.schema import UseCase
from serving.contract.contract import Contract
from serving.contract.heads.abstaining import unsure
from tasks.data.unfavourable import unfavourable_classes
from tasks.problems.classes import few

LEAST = 1e-9  # of a probability, in a logarithm


class Aim(Protocol):
    """What is wanted."""

    told: str  # in words, after "would have been"

    def holds(self, answer: Any) -> bool:
        """Whether an answer, as the server gives it, is one of them."""

    def reached(self, outputs: np.ndarray) -> np.ndarray:
        """Of outputs of shape (rows, k) which are answered so, shape (rows,)."""

    def score(self, outputs: np.ndarray) -> np.ndarray:
        """How near they are, the larger the nearer, shape (rows,)."""


class OfClasses:
    """Some of the classes, probable enough where the contract asks for that."""

    def __init__(self, contract: Contract, wanted: Sequence[Any]) -> None:
        self._wanted = wanted
        self._among = np.array([each in wanted for each in contract.classes])
        self._confidence = 0.0 if contract.confidence is UNSET else float(contract.confidence)
        self.told = f"answered {' or '.join(map(str, wanted))}"

    def holds(self, answer: Any) -> bool:
        """None is no answer."""
        return answer is not None and answer in self._wanted

    def reached(self, outputs: np.ndarray) -> np.ndarray:
        """As `Classes.answer` and `Abstaining.answer` have it."""
        return self._among[outputs.argmax(axis=1)] & ~unsure(outputs, self._confidence)

    def score(self, outputs: np.ndarray) -> np.ndarray:
        """Log odds against the best of the others, or against the confidence that is asked for."""
        shares = np.log(np.maximum(outputs.astype(np.float64), LEAST))
        best, others = shares[:, self._among].max(axis=1), shares[:, ~self._among].max(axis=1)
        return best - np.maximum(others, np.log(max(self._confidence, LEAST)))


class OfNumber:
    """A number from a bound on."""

    def __init__(self, bound: Reached) -> None:
        up = bound.at_least is not None
        self._sign, self._bound = (1.0, float(bound.at_least or 0)) if up else (-1.0, float(bound.at_most or 0))
        self.told = f"answered {'at least' if up else 'at most'} {self._bound:g}"

    def holds(self, answer: Any) -> bool:
        """As the server rounds it: by the shortest decimal of 32 bits."""
        return bool(self._sign * (float(answer) - self._bound) >= 0)

    def reached(self, outputs: np.ndarray) -> np.ndarray:
        """The first number of an output is the answer."""
        return np.array([self.holds(str(number)) for number in outputs[:, 0]], dtype=bool)

    def score(self, outputs: np.ndarray) -> np.ndarray:
        """How far beyond the bound."""
        return self._sign * (outputs[:, 0].astype(np.float64) - self._bound)


def aim_of(use_case: UseCase, contract: Contract) -> Aim:
    """What its `counterfactuals` name, or of classes all but the unfavourable ones.

    Raises:
        InputError: a class is none, or every one is wanted.
    """
    rules = use_case.counterfactuals or Counterfactuals()
    where = f"use case {use_case.name!r}: counterfactuals.wanted"
    if isinstance(rules.wanted, Reached):
        if contract.classes:
            raise InputError(
                f"{where}: a bound is that of a number, and {contract.target!r} is one of {few(list(contract.classes))}"
            )
        return OfNumber(rules.wanted)
    wanted = rules.classes or _favourable(use_case, contract)
    if strange := [each for each in wanted if each not in contract.classes]:
        known = few(list(contract.classes)) if contract.classes else "numbers"
        raise InputError(f"{where}: {strange[0]!r} is no value of {contract.target!r}; found {known}")
    if len(set(wanted)) == len(contract.classes):
        raise InputError(f"{where} lists every class, so nothing would ever have to change")
    return OfClasses(contract, wanted)


def _favourable(use_case: UseCase, contract: Contract) -> list[Any]:
    if use_case.reasons is not None:
        against = unfavourable_classes(use_case, contract.classes)
        return [each for each in contract.classes if each not in against]
    fairness = use_case.fairness
    return [fairness.favourable if fairness and fairness.favourable is not None else use_case.target.positive]
