"""What columns of categories and of texts have in common."""

from __future__ import annotations

from typing import Any

import numpy as np

from serving.contract.kinds.strings import MISSING


class Strings:
    """Columns of strings."""

    def boolean(self, values: Any) -> bool:
        """No: true and false are strings."""
        return False

    def missing(self, encoded: np.ndarray) -> np.ndarray:
        """The empty string."""
        return np.asarray(encoded == MISSING)
