"""Reasons: what each column added to an answer, exactly, from a file of the bundle that holds no row of data.

The file is numpy's `.npz`: `about` is a `Described` in JSON, the other arrays are those of `Paths`, or `weights` (width, k)
and `means` (width,), and `intercept` (k,).
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

import msgspec
import numpy as np

from serving.contract.contract import Contract
from serving.reasons import codes
from serving.reasons.codes import Codes, Coding
from serving.reasons.encoding import Encoded, Encoding
from serving.reasons.scale import Scale
from serving.reasons.trees import Paths, Trees
from serving.reasons.weights import Weights


class Described(msgspec.Struct, frozen=True):
    """What the arrays of the file mean."""

    scale: Scale
    columns: list[Encoded]


class Additive(NamedTuple):
    """The file's content; `paths` of trees, or `weights` and `means` of a linear model, and what is added to each output."""

    described: Described
    intercept: np.ndarray
    paths: Paths | None = None
    weights: np.ndarray | None = None
    means: np.ndarray | None = None


class Explained(NamedTuple):
    """Of some rows which output is explained (rows,), its base (rows,), and what each column added (rows, columns)."""

    outputs: np.ndarray
    base: np.ndarray
    contributions: np.ndarray


def written(additive: Additive) -> bytes:
    """The file: equal bytes for equal content."""
    about = np.frombuffer(msgspec.json.encode(additive.described), dtype=np.uint8)
    arrays = {"about": about, "intercept": additive.intercept}
    if additive.paths is not None:
        arrays |= additive.paths._asdict()
    if additive.weights is not None and additive.means is not None:
        arrays |= {"weights": additive.weights, "means": additive.means}
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


def read(content: bytes) -> Additive:
    """What `written` wrote. No pickle is ever read."""
    with np.load(io.BytesIO(content), allow_pickle=False) as file:
        arrays = dict(file)
    described = msgspec.json.decode(arrays["about"].tobytes(), type=Described)
    if "starts" in arrays:
        return Additive(described, arrays["intercept"], Paths(*(arrays[name] for name in Paths._fields)))
    return Additive(described, arrays["intercept"], None, arrays["weights"], arrays["means"])


class Reasons:
    """Explains the answers of one model; what an output takes is made ready when it is first asked for."""

    def __init__(self, additive: Additive, contract: Contract, coding: Coding | None = None) -> None:
        self._additive, self._classes = additive, contract.classes
        self.scale = additive.described.scale
        self._encoding = Encoding(contract, additive.described.columns)
        self.columns, self.outputs = self._encoding.names, len(additive.intercept)
        self._output = cache(self._made)
        self._codes = None if coding is None else Codes(coding, contract, self.columns)

    def _made(self, output: int) -> Trees | Weights:
        additive, owners = self._additive, self._encoding.owners
        if additive.paths is not None:
            return Trees(additive.paths, output, owners)
        assert additive.weights is not None
        assert additive.means is not None
        return Weights(additive.weights[:, output], additive.means, owners)

    def explain(self, arrays: Mapping[str, np.ndarray], answered: np.ndarray) -> Explained:
        """Explain rows.

        Args:
            arrays: One (rows, 1) array a column, as the contract encodes it.
            answered: What the model gave for them, shape (rows, k): of several classes the most probable is explained.
        """
        intercept, encoded = self._additive.intercept, self._encoding.matrix(arrays)
        if self.outputs == 1:
            only, count = self._output(0), len(encoded)
            base = np.full(count, intercept[0] + only.base)
            return Explained(np.zeros(count, dtype=np.int64), base, only.contributions(encoded))
        outputs = answered.argmax(axis=1)
        base, found = np.zeros(len(encoded)), np.zeros((len(encoded), len(self.columns)))
        for output in np.unique(outputs).tolist():
            rows, made = outputs == output, self._output(output)
            base[rows] = intercept[output] + made.base
            found[rows] = made.contributions(encoded[rows])
        return Explained(outputs, base, found)

    def told(
        self, arrays: Mapping[str, np.ndarray], answered: Sequence[Sequence[float]] | np.ndarray
    ) -> list[dict[str, Any]]:
        """The same as a native answer has it, a row each: the columns that added most first; and the codes, if any."""
        found = self.explain(arrays, np.asarray(answered))
        words: list[dict[str, Any]] = [{}] * len(found.base)
        if self._codes is not None:
            words = [{"codes": each} for each in self._codes.told(arrays, found)]
        order = np.argsort(-np.abs(found.contributions), axis=1, kind="stable")
        ordered = found.contributions[np.arange(len(order))[:, None], order].tolist()
        rows = zip(found.outputs.tolist(), found.base.tolist(), order.tolist(), ordered, words, strict=True)
        return [
            {
                **self._of(output),
                "scale": self.scale,
                "base": base,
                "contributions": {self.columns[place]: value for place, value in zip(places, values, strict=True)},
                **said,
            }
            for output, base, places, values, said in rows
        ]

    def _of(self, output: int) -> dict[str, Any]:
        """Of which class: of two the second, whatever is answered."""
        if not self._classes:
            return {}
        return {"class": self._classes[output if self.outputs > 1 else 1]}


def reasons_of(content: bytes, coding: bytes, contract: Contract) -> Reasons:
    """What gives the reasons of a bundle: the content of its files, the second empty where nothing is told in words."""
    return Reasons(read(content), contract, codes.read(coding) if coding else None)
