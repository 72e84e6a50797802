"""How fast graphs answer single rows, in turn, so that whatever else the machine does slows all of them."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np

from serving.scoring.onnx import Scorer

ROUNDS, CALLS = 9, 200


def speed(plain: Scorer, variant: Scorer, arrays: dict[str, np.ndarray]) -> tuple[float, float]:
    """How many times as fast the variant is on single rows: the median over rounds, and the lower quartile."""
    before, after = rounds([plain, variant], [arrays, arrays]).T
    ratios = before / after
    return float(np.median(ratios)), float(np.percentile(ratios, 25))


def rounds(scorers: Sequence[Scorer], inputs: Sequence[dict[str, np.ndarray]]) -> np.ndarray:
    """Seconds a row, shape (rounds, scorers); `inputs` has the same rows as each scorer takes them."""
    return np.array([[_seconds(*pair) for pair in zip(scorers, inputs, strict=True)] for _ in range(ROUNDS)])


def _seconds(scorer: Scorer, arrays: dict[str, np.ndarray]) -> float:
    count = min(len(next(iter(arrays.values()))), CALLS)
    rows = [{name: values[i : i + 1] for name, values in arrays.items()} for i in range(count)]
    began = time.perf_counter()
    for row in rows:
        scorer.outputs(row)
    return (time.perf_counter() - began) / count
