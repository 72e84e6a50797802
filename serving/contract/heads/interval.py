"""The head of models that measure and say how far off they may be: k is 3, an output is the number, `low` and `high`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
import numpy as np

from serving.contract.contract import Contract
from serving.contract.heads.head import Answers, Outputs, Say, Schemas, Tensor
from serving.contract.heads.number import Number
from serving.contract.spelling import doubles

LOW, HIGH = "low", "high"


class AnswerWithin(msgspec.Struct, gc=False):
    """What is said of one record."""

    prediction_id: str
    prediction: float
    low: float
    high: float


class NumberWithin(Number):
    """A number and the interval that holds what turns out to be true in the contract's share of rows.

    >>> head = NumberWithin(Contract("demo", (), "minutes", (), problem="regression", interval=0.9))
    >>> head.answer(np.array([[12.3, 10, 14.5]], dtype=np.float32))
    ([12.3], [[12.3, 10.0, 14.5]])
    """

    def __init__(self, contract: Contract) -> None:
        super().__init__(contract)
        low, high = (f"{contract.target}_{end}" if contract.target == end else end for end in (LOW, HIGH))
        self.tensors = (*self.tensors, Tensor(low, "FP32", 1, _place(1)), Tensor(high, "FP32", 1, _place(2)))
        self.whole = (contract.target, low, high)
        self.functions: Mapping[str, Say] = {**self.functions, "predict_interval": _ends}
        told = f"what turns out to be true lies from low to high in {contract.interval:.4g} of the rows"
        number, ends = {"type": "number"}, {"type": "number", "description": told}
        self.schemas = Schemas(number, {"prediction": number, LOW: ends, HIGH: ends}, {})

    def answer(self, outputs: np.ndarray) -> tuple[Answers, Outputs]:
        """Numbers, and each with its interval; raises as one without it does."""
        if not self.possible(outputs):
            raise ArithmeticError("the model's output is not finite, or an interval ends before it begins")
        numbers, low, high = (doubles(outputs[:, place]) for place in range(3))
        return numbers, list(map(list, zip(numbers, low, high, strict=True)))

    def output_of(self, label: Any) -> list[float]:
        """The number, and an interval of no length."""
        return [float(label)] * 3

    def native(self, ids: Sequence[str], answers: Answers, outputs: Outputs, top: int | None) -> list[Any]:
        """The numbers with their intervals."""
        return [AnswerWithin(name, *output) for name, output in zip(ids, outputs, strict=True)]

    def read_native(self, row: Mapping[str, Any]) -> list[float]:
        """Its number and its interval."""
        return [row["prediction"], row[LOW], row[HIGH]]

    def possible(self, outputs: np.ndarray) -> bool:
        """Whether all are finite, and each lies within its interval."""
        return super().possible(outputs) and bool(
            ((outputs[:, 1] <= outputs[:, 0]) & (outputs[:, 0] <= outputs[:, 2])).all()
        )

    def columns(self, outputs: np.ndarray) -> dict[str, Any]:
        """`prediction` and the ends, named so that a table of prices keeps its own `low` and `high`."""
        _, rows = self.answer(outputs)
        names = ("prediction", f"prediction_{LOW}", f"prediction_{HIGH}")
        return {name: [row[place] for row in rows] for place, name in enumerate(names)}


def _place(place: int) -> Callable[[Answers, Outputs], list[Any]]:
    return lambda _, outputs: [output[place] for output in outputs]


def _ends(answers: Answers, outputs: Outputs) -> list[Any]:
    return [output[1:] for output in outputs]
