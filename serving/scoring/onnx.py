"""Scoring: model input arrays to outputs, with ONNX Runtime. Knows no protocol and no transport."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime as ort

PROBABILITIES, VALUES = "probabilities", "values"  # a graph's output: of classes, or a number; others beside it are not read


class Scorer:
    """One ONNX Runtime session on one thread: many workers share a machine better than many threads share a row."""

    def __init__(self, model: Path | bytes) -> None:
        ort.disable_telemetry_events()
        options = ort.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        source = model if isinstance(model, bytes) else str(model)  # bytes: what was verified, with no file in between
        self._session = ort.InferenceSession(source, options, providers=["CPUExecutionProvider"])
        named = [output.name for output in self._session.get_outputs()]
        self._read = [name for name in named if name in (PROBABILITIES, VALUES)]
        if len(self._read) != 1:
            raise ValueError(f"an ONNX model has one output {PROBABILITIES!r} or {VALUES!r}; this one has {named}")

    def outputs(self, arrays: dict[str, np.ndarray]) -> np.ndarray:
        """Outputs of shape (rows, k), float32, from one (rows, 1) array a column: a probability a class, or one number."""
        return self._session.run(self._read, arrays)[0]
