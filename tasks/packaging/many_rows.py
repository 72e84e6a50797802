"""Outputs of many rows: one session, a thread a processor."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np

from serving.scoring.onnx import Scorer
from tasks.processors import processors

PART_ROWS = 50_000


def outputs_of(scorer: Scorer, arrays: dict[str, np.ndarray]) -> np.ndarray:
    """`Scorer.outputs`, in parts of even length: a graph is computed outside Python's lock, and row by row."""
    rows = len(next(iter(arrays.values())))
    bounds = np.linspace(0, rows, max(1, -(-rows // PART_ROWS)) + 1).astype(int)
    parts = [{name: values[start:stop] for name, values in arrays.items()} for start, stop in pairwise(bounds)]
    with ThreadPoolExecutor(processors()) as pool:
        return np.concatenate(list(pool.map(scorer.outputs, parts)))
