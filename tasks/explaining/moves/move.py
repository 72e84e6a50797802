"""Move: how a column may change from the value that a record has. A member is one file, a kind of column each."""

from __future__ import annotations

from typing import Any, Protocol


class Move(Protocol):
    """Of one column. `wrong` says what of its declaration no row of the training bears out; empty where all is right.

    Values are plain, as a client sends them; what is missing stays so, and is never asked about.
    """

    wrong: str

    def values(self, was: Any) -> list[Any]:
        """What it may become, without what it was: the nearest first, of equals always in the same order."""

    def distance(self, was: Any, value: Any) -> float:
        """How far that is."""

    def said(self, value: Any) -> str:
        """As people read it."""
