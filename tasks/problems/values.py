"""Values of problems."""

from __future__ import annotations

from tasks.store import Value


class Leak(Value):
    """How far a feature alone tells the answer, from 0 to 1, and by which measure."""

    told: float
    by: str
