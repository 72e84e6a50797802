"""Values of the audit: what a model said when it was asked again, or built again."""

from __future__ import annotations

from typing import Any

from tasks.store import Value


class Again(Value):
    """What a model said once more: `same` is None where the record cannot be asked again, or it cannot be said.

    `apart` is how far the farthest number of the output is from the logged one; 0 is equal to the bit.
    """

    same: bool | None
    told: str
    prediction: Any = None
    output: list[float] = []
    apart: float | None = None


class Rebuilt(Value):
    """A version that was trained again: whether its ONNX bytes are `equal`, and what it answers; None where nothing came."""

    equal: bool
    told: str
    onnx: str = ""
    again: Again | None = None
