"""The head of models that choose one of some classes: k is their number, an output the probability of each."""

from __future__ import annotations

import heapq
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any

import msgspec
import numpy as np

from serving.contract.contract import Contract
from serving.contract.heads.head import Answers, Outputs, Say, Schemas, Tensor
from serving.contract.spelling import spelled

FEW = 10  # classes; an answer names the probability of each. Of more it names the `TOP` most probable
TOP = 5
NAMED = 20  # classes, in an error

Class = str | int | bool


class Answer(msgspec.Struct, gc=False):
    """What is said of one record; the probabilities by class, of all in the contract's order, of some the highest first."""

    prediction_id: str
    prediction: Class
    probabilities: Any


class Classes:
    """Two classes or many; the answer is the most probable one, of equals the first.

    >>> head = Classes(Contract("demo", (), "colour", ("red", "green", "blue")))
    >>> head.answer(np.array([[0.25, 0.5, 0.25]], dtype=np.float32))
    (['green'], [[0.25, 0.5, 0.25]])
    >>> head.wrong("yellow")
    "'yellow' is not one of 'red', 'green', 'blue'"
    """

    label: Any = Class
    _row: Callable[..., Any] = Answer  # of a native answer

    def __init__(self, contract: Contract) -> None:
        self._classes = classes = contract.classes
        self._names = names = [str(value) for value in classes]
        self._known = set(map(repr, classes))
        spellings = {value if isinstance(value, str) else spelled(value): value for value in classes}
        self._values: dict[Any, Class] = {**spellings, **{value: value for value in classes}}
        few = len(classes) <= FEW
        self._shown = len(classes) if few else TOP
        self._shares = _shares(names)
        self.example: Any = classes[-1]
        self.top: Any = None if few else Annotated[int, msgspec.Meta(ge=1)]
        self.everything: dict[str, Any] = {} if few else {"top": len(classes)}
        self.tensors: tuple[Tensor, ...] = (
            Tensor(contract.target, "BOOL", 1, lambda answers, _: answers)
            if all(isinstance(each, bool) for each in classes)
            else Tensor(contract.target, "BYTES", 1, lambda answers, _: [str(each) for each in answers]),
            Tensor("probabilities", "FP32", len(classes), lambda _, outputs: [share for row in outputs for share in row]),
        )
        self.whole: tuple[str, ...] = ("probabilities",)
        self.functions: Mapping[str, Say] = {
            "predict": lambda answers, _: answers,
            "predict_proba": lambda _, outputs: outputs,
        }
        self.schemas = _schemas(classes, names, few)

    def answer(self, outputs: np.ndarray) -> tuple[Answers, Outputs]:
        """Classes, and probabilities."""
        classes = self._classes
        return [classes[best] for best in outputs.argmax(axis=1).tolist()], outputs.tolist()

    def wrong(self, label: Any) -> str | None:
        """It must be a class, of its type: 1 is not true."""
        if repr(label) in self._known:
            return None
        more = "" if len(self._classes) <= NAMED else f", ... ({len(self._classes)} classes)"
        return f"{str(label)[:40]!r} is not one of {', '.join(map(repr, self._classes[:NAMED]))}{more}"

    def output_of(self, label: Any) -> list[float]:
        """1 for the class, 0 for all others."""
        return [float(repr(each) == repr(label)) for each in self._classes]

    def label_of(self, value: Any) -> Any:
        """The class that equals it, or is spelled so: a table may hold numbers as floats, and a CSV has only text."""
        if value not in self._values:
            raise ValueError(self.wrong(value))
        return self._values[value]

    def native(self, ids: Sequence[str], answers: Answers, outputs: Outputs, top: int | None) -> list[Any]:
        """The class, and the probabilities of all classes or of the `top` most probable."""
        rows, top = zip(ids, answers, outputs, strict=True), top or self._shown
        if top < len(self._classes):
            return [self._row(name, answer, self._highest(shares, top)) for name, answer, shares in rows]
        by_class = self._shares
        return [self._row(name, answer, by_class(*shares)) for name, answer, shares in rows]

    def _highest(self, shares: Sequence[float], top: int) -> dict[str, float]:
        names = self._names
        return {names[i]: shares[i] for i in heapq.nlargest(top, range(len(shares)), key=shares.__getitem__)}

    def read_native(self, row: Mapping[str, Any]) -> list[float]:
        """Its probabilities."""
        return [row["probabilities"][name] for name in self._names]

    def possible(self, outputs: np.ndarray) -> bool:
        """Whether all are from 0 to 1."""
        return bool(((outputs >= 0) & (outputs <= 1)).all())

    def columns(self, outputs: np.ndarray) -> dict[str, Any]:
        """`prediction`; of two classes `probability`, the second's, which says both; of more `probabilities`, a list."""
        return {"prediction": self._chosen(outputs), **self._probabilities(outputs)}

    def _chosen(self, outputs: np.ndarray) -> np.ndarray:
        """The most probable class of each row, without a Python object a row: files have millions."""
        kinds = {type(value) for value in self._classes}
        classes = np.array(self._classes, dtype=kinds.pop() if len(kinds) == 1 else object)
        return np.asarray(classes[outputs.argmax(axis=1)])

    def _probabilities(self, outputs: np.ndarray) -> dict[str, Any]:
        return {"probability": outputs[:, 1]} if len(self._classes) == 2 else {"probabilities": list(outputs)}


def _shares(names: list[str]) -> Callable[..., Any]:
    """Makes probabilities by class, of one float a class; a struct, which is fast, has no name that JSON must escape.

    >>> _shares(["no", 'a "b"'])(0.25, 0.75)
    {'no': 0.25, 'a "b"': 0.75}
    """
    if any(json.dumps(name, ensure_ascii=False) != f'"{name}"' for name in names):
        return lambda *shares: dict(zip(names, shares, strict=True))
    fields = [(f"p{i}", float) for i in range(len(names))]
    return msgspec.defstruct("Probabilities", fields, rename={f"p{i}": name for i, name in enumerate(names)}, gc=False)


def _schemas(classes: tuple[Class, ...], names: list[str], few: bool) -> Schemas:
    label, share = {"enum": list(classes)}, {"type": "number", "minimum": 0, "maximum": 1}
    top = f"how many classes' probabilities an answer holds, the highest first; {TOP} unless said, {len(classes)} are all"
    shares = {"type": "object", "properties": dict.fromkeys(names, share), "required": names if few else []}
    request = {} if few else {"top": {"type": ["integer", "null"], "minimum": 1, "description": top}}
    return Schemas(label, {"prediction": label, "probabilities": shares}, request)
