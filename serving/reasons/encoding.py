"""Encoding: a model's columns as the numbers that its trees or weights take, just as its encoder does in training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec
import numpy as np

from serving.contract.contract import Contract


class Encoded(msgspec.Struct, frozen=True, omit_defaults=True):
    """How one column becomes numbers.

    `numbers` stay; `codes` are a category's place among `categories`, -1 for another; `one_hot` a column for each; `words`
    are hashed n-grams, all of a row scaled to length 1. Each number x then is (x - center) / scale, and `fill` where it is
    missing; lists that are empty change nothing.
    """

    column: str
    how: Literal["numbers", "codes", "one_hot", "words"]
    categories: list[str] = []
    fill: list[float] = []
    center: list[float] = []
    scale: list[float] = []


class Encoding:
    """How all columns do, side by side in this order.

    >>> encoding = Encoding(Contract("demo", (), "y", (0, 1)), [Encoded("colour", "one_hot", ["green", "red"])])
    >>> encoding.matrix({"colour": np.array([["red"], ["blue"]], dtype=object)}).tolist()
    [[0.0, 1.0], [0.0, 0.0]]
    """

    def __init__(self, contract: Contract, columns: Sequence[Encoded]) -> None:
        kinds = {column.name: column.its for column in contract.columns}
        self._columns = [(each, kinds.get(each.column)) for each in columns]
        self._codes = [{name: code for code, name in enumerate(each.categories)} for each in columns]
        self.names = tuple(each.column for each in columns)
        widths = [
            len(each.categories) if each.how == "one_hot" else 1 if each.how == "codes" or kind is None else kind.width
            for each, kind in self._columns
        ]
        self.owners = np.repeat(np.arange(len(columns)), widths)  # of each number the place of its column
        self._words = np.repeat([each.how == "words" for each in columns], widths)

    def matrix(self, arrays: Mapping[str, np.ndarray]) -> np.ndarray:
        """Numbers of shape (rows, width), in 64 bits, of one (rows, 1) array a column as the contract encodes it."""
        parts = [self._part(place, arrays[each.column]) for place, (each, _) in enumerate(self._columns)]
        found = np.hstack(parts)
        if self._words.any():
            words = found[:, self._words]
            length = np.sqrt((words * words).sum(axis=1, keepdims=True))
            found[:, self._words] = words / np.where(length, length, 1.0)
        return found

    def _part(self, place: int, array: np.ndarray) -> np.ndarray:
        (each, kind), codes = self._columns[place], self._codes[place]
        if each.how in ("codes", "one_hot"):
            known = np.array([codes.get(text, -1) for text in array.ravel().tolist()])
            if each.how == "codes":
                return known[:, None].astype(np.float64)
            return (known[:, None] == np.arange(len(codes))).astype(np.float64)
        numbers = (kind.graph(array) if kind is not None else array).astype(np.float64)
        if each.fill:
            numbers = np.where(np.isnan(numbers), np.array(each.fill), numbers)
        if each.center:
            numbers -= np.array(each.center)
        return numbers / np.array(each.scale) if each.scale else numbers
