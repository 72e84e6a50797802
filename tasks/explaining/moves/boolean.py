"""Booleans: the other one, where training showed it and the declared direction allows it."""

from __future__ import annotations

from typing import Any

import numpy as np

from configs.counterfactuals import Moving
from serving.contract.contract import Column
from serving.contract.spelling import spelled


class Flags:
    """A column of booleans; the arguments are those of `Numbers`. Up is true."""

    wrong = ""

    def __init__(self, column: Column, moving: Moving, observed: np.ndarray) -> None:
        self._seen = set(observed.astype(float).tolist())
        self._only = moving.only

    def values(self, was: Any) -> list[Any]:
        """One or none, as the log has it: true and false, or 1 and 0."""
        other = not was
        if float(other) not in self._seen or (self._only is not None and other != (self._only == "up")):
            return []
        return [other if isinstance(was, bool) else float(other)]

    def distance(self, was: Any, value: Any) -> float:
        """1."""
        return 1.0

    def said(self, value: Any) -> str:
        """True or false."""
        return spelled(bool(value))
