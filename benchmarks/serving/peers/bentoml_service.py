"""BentoML with ONNX Runtime: the bundle's ONNX file, on one thread, as BentoML's documentation does it."""

import os

import bentoml
import numpy as np
import onnxruntime as ort

TEXT = set(os.environ["TEXT_COLUMNS"].split(","))


@bentoml.service(workers=1, logging={"access": {"enabled": False}})
class Flights:
    def __init__(self) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self.session = ort.InferenceSession(os.environ["MODEL"], options, providers=["CPUExecutionProvider"])

    @bentoml.api
    def predict(self, records: list[dict]) -> list[list[float]]:
        feeds = {
            name: np.array([[record[name]] for record in records], dtype=object if name in TEXT else np.float32)
            for name in records[0]
        }
        return self.session.run(["probabilities"], feeds)[0].tolist()
