"""Texts: what people write. The log keeps them as they came; the graph gets their n-grams, hashed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from serving.contract.kinds import ngrams
from serving.contract.kinds.strings import Strings

if TYPE_CHECKING:
    from serving.contract.contract import Column


class Text(Strings):
    """Columns of texts: every one is allowed, and none is news by itself."""

    width = ngrams.WIDTH

    def graph(self, encoded: np.ndarray) -> np.ndarray:
        """Hashed n-grams."""
        return ngrams.hashed(encoded)

    def from_csv(self, column: Column, text: str) -> str | None:
        """As it stands; only a blank is missing, and the tokens that are named so."""
        return None if not text or text in column.missing else text

    def known(self, column: Column) -> None:
        """None: every text is new."""

    def unseen(self, column: Column, encoded: np.ndarray) -> int:
        """None."""
        return 0

    def schema(self, column: Column) -> dict[str, Any]:
        """A string, which a form gives room for."""
        return {**super().schema(column), "contentMediaType": "text/plain"}

    def example(self, column: Column) -> str:
        """No text of anybody."""
        return "a text"
