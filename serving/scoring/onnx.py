"""Scoring: model input arrays to outputs, with ONNX Runtime. Knows no protocol and no transport."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime as ort

from serving.contract.contract import Contract

PROBABILITIES, VALUES = "probabilities", "values"  # a graph's output: of classes, or a number; others beside it are not read

PART_ROWS = 512  # of a model of texts, scored at a time


def graph_input(position: int) -> str:
    """What a new graph calls the column at this position of the contract; a column's own name could collide inside."""
    return f"x{position}"


class Scorer:
    """One ONNX Runtime session on one thread: many workers share a machine better than many threads share a row.

    The graph's inputs are the contract's columns in their order, whatever they are called there: `graph_input` names those
    of a new graph, and graphs made before call them like the columns.
    """

    def __init__(self, model: Path | bytes, contract: Contract) -> None:
        ort.disable_telemetry_events()
        options = ort.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        source = model if isinstance(model, bytes) else str(model)  # bytes: what was verified, with no file in between
        self._session = ort.InferenceSession(source, options, providers=["CPUExecutionProvider"])
        inputs = [each.name for each in self._session.get_inputs()]
        self._names = list(zip(inputs, contract.names, strict=True))
        kinds = zip(inputs, (column.its for column in contract.columns), strict=True)
        self._wide = {inside: kind.graph for inside, kind in kinds if kind.width > 1}
        named = [output.name for output in self._session.get_outputs()]
        self._read = [name for name in named if name in (PROBABILITIES, VALUES)]
        if len(self._read) != 1:
            raise ValueError(f"an ONNX model has one output {PROBABILITIES!r} or {VALUES!r}; this one has {named}")

    def outputs(self, arrays: dict[str, np.ndarray]) -> np.ndarray:
        """Outputs of shape (rows, k), float32, from one (rows, 1) array a column, by the column's name.

        A probability a class, or one number.
        """
        if self._wide:
            return self._in_parts(arrays)
        return self._session.run(self._read, {inside: arrays[name] for inside, name in self._names})[0]

    def _in_parts(self, arrays: dict[str, np.ndarray]) -> np.ndarray:
        """The same, where the graph takes many numbers for one value: so many rows at a time, lest they fill the memory."""
        rows, found = len(next(iter(arrays.values()))), []
        for start in range(0, max(rows, 1), PART_ROWS):
            feeds = {inside: arrays[name][start : start + PART_ROWS] for inside, name in self._names}
            feeds |= {inside: turn(feeds[inside]) for inside, turn in self._wide.items()}
            found.append(self._session.run(self._read, feeds)[0])
        return np.concatenate(found)
