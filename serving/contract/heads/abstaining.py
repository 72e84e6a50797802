"""The head of models that choose, and leave to a person the rows of which no class is probable enough."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np

from serving.contract.contract import Contract
from serving.contract.heads.classes import Class, Classes
from serving.contract.heads.head import Answers, Outputs, Schemas, Tensor
from serving.contract.spelling import spelled

ABSTAINED = "abstained"


class AnswerOrNot(msgspec.Struct, gc=False):
    """What is said of one record: the probabilities always, the class where one is probable enough."""

    prediction_id: str
    prediction: Class | None
    abstained: bool
    probabilities: Any


class Abstaining(Classes):
    """The most probable class, or None where its probability lies below the contract's `confidence`.

    >>> head = Abstaining(Contract("demo", (), "colour", ("red", "green", "blue"), confidence=0.5))
    >>> head.answer(np.array([[0.25, 0.5, 0.25], [0.25, 0.375, 0.375]], dtype=np.float32))
    (['green', None], [[0.25, 0.5, 0.25], [0.25, 0.375, 0.375]])
    """

    def __init__(self, contract: Contract) -> None:
        super().__init__(contract)
        self._confidence = confidence = float(contract.confidence)  # type: ignore[arg-type]
        (chosen, *others), target = self.tensors, contract.target
        name = f"{target}_{ABSTAINED}" if target == ABSTAINED else ABSTAINED
        self.tensors = (chosen._replace(datatype="BYTES", data=_texts), *others, Tensor(name, "BOOL", 1, _abstained))
        label, (_, answer, request) = self.schemas.label, self.schemas
        told = f"whether no class has a probability of {confidence:g} or more; then `prediction` is null"
        said = {"prediction": {"enum": [*label["enum"], None]}, ABSTAINED: {"type": "boolean", "description": told}}
        self.schemas = Schemas(label, {**answer, **said}, request)

    def answer(self, outputs: np.ndarray) -> tuple[Answers, Outputs]:
        """Classes, None of the rows that are left to a person; and probabilities."""
        answers, shares = super().answer(outputs)
        for row in np.flatnonzero(unsure(outputs, self._confidence)).tolist():
            answers[row] = None
        return answers, shares

    def columns(self, outputs: np.ndarray) -> dict[str, Any]:
        """`prediction`, masked where there is none; `abstained`; probabilities as ever."""
        without = unsure(outputs, self._confidence)
        answers = np.ma.MaskedArray(self._chosen(outputs), mask=without)
        return {"prediction": answers, ABSTAINED: without, **self._probabilities(outputs)}

    def _row(self, name: str, answer: Class | None, shares: Any) -> AnswerOrNot:
        return AnswerOrNot(name, answer, answer is None, shares)


def unsure(outputs: np.ndarray, confidence: float) -> np.ndarray:
    """Which rows have no class that is probable enough, shape (rows,), of probabilities of shape (rows, k).

    Probabilities are numbers of 32 bits, and so is the bound: 0.7 is enough for 0.7.

    >>> unsure(np.array([[0.3, 0.7], [0.6, 0.4]], dtype=np.float32), 0.7)
    array([False,  True])
    """
    return np.asarray(outputs.max(axis=1).astype(np.float32) < np.float32(confidence))


def _texts(answers: Sequence[Any], _: Outputs) -> list[str]:
    """Classes as strings, booleans too. Tensors have no null: an empty string stands there, and `abstained` says so."""
    return ["" if each is None else each if isinstance(each, str) else spelled(each) for each in answers]


def _abstained(answers: Sequence[Any], _: Outputs) -> list[bool]:
    return [each is None for each in answers]
