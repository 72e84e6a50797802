"""The head: the part of the server that turns a model's outputs, of shape (rows, k), into what is answered and logged.

A member is one file: `classes.py` for models that choose, `number.py` for those that measure. `choose.py` takes the
contract's, once; nothing else in the server asks what kind of answer there is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

Answers = list[Any]  # of each row the answer: a class, or a number; None where it is left to a person
Outputs = list[list[float]]  # of each row the k numbers that the answer was made of
Say = Callable[[Answers, Outputs], list[Any]]


class Tensor(NamedTuple):
    """An output of the Open Inference Protocol: its datatype, its values a row, and its data, flat and in row order."""

    name: str
    datatype: str
    width: int
    data: Say


class Schemas(NamedTuple):
    """JSON schemas (draft 2020-12): of a label, of an answer's fields beside `prediction_id`, of a request's own fields."""

    label: dict[str, Any]
    answer: dict[str, Any]
    request: dict[str, Any]


class Head(Protocol):
    """What each kind of answer must say of itself.

    Attributes:
        label: The type that the label of a feedback is decoded as.
        example: A label that is right.
        top: The type of a request's `top`, or None where a request has none.
        everything: What a native request says beside its records, so that answers hold whole outputs.
        tensors: The outputs of the Open Inference Protocol.
        whole: The names of those that are, side by side, the model's output as it is.
        functions: What MLflow's `predict_fn` may ask for; `predict` is always there.
        schemas: For the OpenAPI document.
    """

    label: Any
    example: Any
    top: Any
    everything: dict[str, Any]
    tensors: tuple[Tensor, ...]
    whole: tuple[str, ...]
    functions: Mapping[str, Say]
    schemas: Schemas

    def answer(self, outputs: np.ndarray) -> tuple[Answers, Outputs]:
        """The answers to outputs of shape (rows, k), and the outputs as the log has them."""

    def wrong(self, label: Any) -> str | None:
        """Why that cannot be what turned out to be true, or None where it can."""

    def output_of(self, label: Any) -> list[float]:
        """The output, k numbers, of a model that is certain of that label."""

    def label_of(self, value: Any) -> Any:
        """A value of the target's column, of any table, as the label that a client sends.

        Raises:
            ValueError: it can be none.
        """

    def native(self, ids: Sequence[str], answers: Answers, outputs: Outputs, top: int | None) -> list[Any]:
        """The rows of a native answer."""

    def read_native(self, row: Mapping[str, Any]) -> list[float]:
        """The output that a row of a native answer, with `everything` in it, was made of."""

    def possible(self, outputs: np.ndarray) -> bool:
        """Whether outputs of shape (rows, k) are such as a model of the kind can mean."""

    def columns(self, outputs: np.ndarray) -> dict[str, Any]:
        """Columns of a scored file by name, for outputs of shape (rows, k); a masked array where rows may have none."""
