"""Scoring: model input arrays to probabilities, with ONNX Runtime. Knows no protocol and no transport."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime as ort

PROBABILITIES = "probabilities"


class Scorer:
    """One ONNX Runtime session on one thread: many workers share a machine better than many threads share a row."""

    def __init__(self, model: Path | bytes) -> None:
        ort.disable_telemetry_events()
        options = ort.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        source = model if isinstance(model, bytes) else str(model)  # bytes: what was verified, with no file in between
        self._session = ort.InferenceSession(source, options, providers=["CPUExecutionProvider"])

    def probabilities(self, arrays: dict[str, np.ndarray]) -> np.ndarray:
        """Probabilities of shape (rows, classes), float32, from one (rows, 1) array a column."""
        return self._session.run([PROBABILITIES], arrays)[0]
