"""What is true or false, in a first look."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from configs.schema import ColumnRule
from serving.contract.contract import Column, ContractError
from tasks.data.frames import plain
from tasks.onboarding.features.numeric import Numeric

ONE = Column("values", "boolean", nullable=True)


class Boolean(Numeric):
    """Columns of booleans; what is none is missing."""

    read_as = ""
    adds_up = False

    def as_numbers(self, values: Any) -> np.ndarray:
        """Ones and zeros."""
        return np.array([_number(value) for value in plain(values)], dtype=np.float64)

    def wrong(self, name: str, rule: ColumnRule, values: Any) -> Iterator[str]:
        """What is no boolean."""
        strange = values[np.isnan(self.as_numbers(values))]
        if len(strange):
            yield f"features.boolean: {name!r} has {len(strange):,} values that are no boolean, such as {strange.iloc[0]!r}"


def _number(value: Any) -> float:
    try:
        return ONE.its.one(ONE, value, 0)
    except ContractError:
        return np.nan
