"""The head of models that measure: k is 1, and an output is the answer."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np

from serving.contract.contract import Contract
from serving.contract.faults import shown
from serving.contract.heads.head import Answers, Outputs, Say, Schemas, Tensor
from serving.contract.spelling import doubles


class Answer(msgspec.Struct, gc=False):
    """What is said of one record."""

    prediction_id: str
    prediction: float


class Number:
    """One number a row, by its shortest decimal of 32 bits: the same in the answer, in the log and in a file.

    >>> head = Number(Contract("demo", (), "minutes", (), problem="regression"))
    >>> head.answer(np.array([[12.3], [4]], dtype=np.float32))
    ([12.3, 4.0], [[12.3], [4.0]])
    >>> head.wrong("late")
    "must be a finite number, found 'late'"
    """

    label: Any = float
    example: Any = 1.5
    top: Any = None

    def __init__(self, contract: Contract) -> None:
        self.everything: dict[str, Any] = {}
        self.tensors: tuple[Tensor, ...] = (Tensor(contract.target, "FP32", 1, _numbers),)
        self.whole: tuple[str, ...] = (contract.target,)
        self.functions: Mapping[str, Say] = {"predict": _numbers}
        self.schemas = Schemas({"type": "number"}, {"prediction": {"type": "number"}}, {})

    def answer(self, outputs: np.ndarray) -> tuple[Answers, Outputs]:
        """Numbers, and the same as lists of one.

        Raises:
            ArithmeticError: the model gave something that is no number, which is no answer.
        """
        if not self.possible(outputs):
            raise ArithmeticError("the model's output is not finite")
        numbers = doubles(outputs[:, 0])
        return numbers, [[number] for number in numbers]

    def wrong(self, label: Any) -> str | None:
        """It must be a finite number."""
        if isinstance(label, int | float | np.number) and not isinstance(label, bool) and math.isfinite(label):
            return None
        return f"must be a finite number, found {shown(label)}"

    def output_of(self, label: Any) -> list[float]:
        """The number."""
        return [float(label)]

    def label_of(self, value: Any) -> float:
        """The number; a CSV has it as text."""
        number = value
        if isinstance(value, str):
            with contextlib.suppress(ValueError):  # what is wrong with it is told below
                number = float(value)
        if (problem := self.wrong(number)) is not None:
            raise ValueError(problem)
        return float(number)

    def native(self, ids: Sequence[str], answers: Answers, outputs: Outputs, top: int | None) -> list[Any]:
        """The numbers."""
        return [Answer(name, answer) for name, answer in zip(ids, answers, strict=True)]

    def read_native(self, row: Mapping[str, Any]) -> list[float]:
        """Its number."""
        return [row["prediction"]]

    def possible(self, outputs: np.ndarray) -> bool:
        """Whether all are finite."""
        return bool(np.isfinite(outputs).all())

    def columns(self, outputs: np.ndarray) -> dict[str, Any]:
        """`prediction`."""
        return {"prediction": self.answer(outputs)[0]}


def _numbers(answers: Answers, outputs: Outputs) -> list[Any]:
    return answers
