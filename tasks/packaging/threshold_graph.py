"""The graph of a moved threshold: a converted pipeline of two classes, and what is told of its probabilities, in 64 bits."""

from __future__ import annotations

from typing import Any

import numpy as np

from tasks.packaging.behind import closed, opened


def with_threshold(converted: Any, threshold: float) -> Any:
    """One model with outputs `label` and `probabilities`, as `Moved` gives them."""
    model, made, chances = opened(converted)
    weighed = made.node("Mul", chances, made.constant([[threshold, 1 - threshold]]))
    whole = made.node("ReduceSum", weighed, made.constant([1], np.int64), keepdims=1)
    return closed(model, made, made.node("Div", weighed, whole), 2)
