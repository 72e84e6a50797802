"""Categories: to another one that training showed more than now and then."""

from __future__ import annotations

from typing import Any

import numpy as np

from configs.counterfactuals import Moving
from serving.contract.contract import Column

RARE = 0.005  # the share of rows below which a category is not near the data


class Choices:
    """A column of categories; the arguments are those of `Numbers`."""

    def __init__(self, column: Column, moving: Moving, observed: np.ndarray) -> None:
        names, counts = np.unique(observed.astype(str), return_counts=True)
        strange = sorted(set(moving.among or ()) - set(names.tolist()))
        self.wrong = f"'among': no row has {strange[0]!r}" if strange else ""
        frequent = sorted(zip((-counts).tolist(), names.tolist(), strict=True))
        self._among = [
            name
            for count, name in frequent
            if -count >= RARE * len(observed)
            and (column.allowed is None or name in column.allowed)
            and (moving.among is None or name in moving.among)
        ]

    def values(self, was: Any) -> list[Any]:
        """All are as near; the most frequent first."""
        return [each for each in self._among if each != was]

    def distance(self, was: Any, value: Any) -> float:
        """1."""
        return 1.0

    def said(self, value: Any) -> str:
        """As it is."""
        return str(value)
