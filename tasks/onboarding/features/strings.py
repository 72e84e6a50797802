"""What categories and texts have in common in a first look."""

from __future__ import annotations

from typing import Any

import numpy as np

from serving.contract.contract import Column as Contracted
from serving.contract.kinds.choose import KindName
from tasks.data.frames import plain


class Strings:
    """Columns of strings."""

    read_as = ""
    anybody = False
    costly = False
    adds_up = False
    contracted: KindName

    def encoded(self, values: Any) -> np.ndarray:
        """Spelled as the contract does."""
        return Contracted("values", self.contracted, nullable=True).encode(plain(values)).ravel()

    def as_numbers(self, values: Any) -> np.ndarray:
        """A number for each string, in the order in which they come first."""
        import pandas as pd

        codes = pd.factorize(values)[0].astype(np.float64)
        return np.where(codes < 0, np.nan, codes)
