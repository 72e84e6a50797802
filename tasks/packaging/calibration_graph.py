"""The graph of calibrated probabilities: a converted pipeline that gives scores, and the curve behind it, in 64 bits."""

from __future__ import annotations

from typing import Any

import numpy as np

from tasks.packaging.behind import Nodes, closed, opened
from tasks.training.calibrate import LEAST, Isotonic, Sigmoid


def calibrated(scored: Any, curve: Sigmoid | Isotonic, classes: int) -> Any:
    """One model with outputs `label` and `probabilities`; `scored` has the scores of each class in the latter's place."""
    model, made, wide = opened(scored)
    if classes == 2:
        chance = _chance(made, curve, made.node("Gather", wide, made.constant([1], np.int64), axis=1))
        chances = made.node("Concat", made.node("Sub", made.constant([[1.0]]), chance), chance, axis=1)
    else:
        logs = made.node("Max", made.node("LogSoftmax", wide, axis=1), made.constant([[LEAST]]))
        each = _chance(made, curve, logs)
        chances = made.node("Div", each, made.node("ReduceSum", each, made.constant([1], np.int64), keepdims=1))
    return closed(model, made, chances, classes)


def _chance(made: Nodes, curve: Sigmoid | Isotonic, scores: str) -> str:
    if isinstance(curve, Sigmoid):
        line = made.node("Add", made.node("Mul", scores, made.constant([curve.slope])), made.constant([curve.shift]))
        one = made.constant([[1.0]])
        return made.node("Div", one, made.node("Add", one, made.node("Exp", made.node("Neg", line))))
    # What lies between two knots is as much of their step as the score has come of their distance.
    knots, values = curve.knots, curve.values
    nothing, widths = made.constant([[0.0]]), made.constant([np.diff(knots)])
    come = made.node("Min", made.node("Max", made.node("Sub", scores, made.constant([knots[:-1]])), nothing), widths)
    steps = made.node("Mul", come, made.constant([np.diff(values) / np.diff(knots)]))
    whole = made.node("ReduceSum", steps, made.constant([1], np.int64), keepdims=1)
    return made.node("Add", whole, made.constant([[values[0]]]))
