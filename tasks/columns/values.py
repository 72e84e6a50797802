"""Values of columns: the sign of a fault."""

from __future__ import annotations

from typing import NamedTuple


class Sign(NamedTuple):
    """What a fault looks like: its kind, how it is told, and how much of it there is, where it comes in all sizes."""

    kind: str
    told: str
    size: float = 0.0
