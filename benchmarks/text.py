"""Questions to a bank, 77 intents: accuracy on the authors' test split, and what one question costs in the server's process.

`python -m benchmarks.text`; the split is that of Casanueva et al., "Efficient Intent Detection with Dual Sentence
Encoders" (2020). Trained by the steps of a release, on the authors' training rows alone.
"""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
from prefect.logging import disable_run_logger

from configs.load import parse_use_case
from tasks.data.derive_contract import derive_contract
from tasks.data.frames import contract_of, encode, model_input
from tasks.data.ingest import ingest
from tasks.packaging.convert import to_onnx
from tasks.training.fit import fit

FOLDER = Path(os.environ.get("SLIPWAY_DATA") or Path(__file__).resolve().parents[2] / "shared" / "data")
USE_CASE = """
name: questions
description: What does a customer of a bank want?
source: {{tables: {{rows: {path}}}}}
target: {{column: intent, problem: multiclass}}
features: {{text: [text]}}
model: {{estimator: logistic_regression, parameters: {{C: 10}}}}
evaluation: {{gates: [{{metric: accuracy, at_least: 0.8}}]}}
monitoring: {{window: 1000 rows}}
"""
CALLS = 2000


def main() -> None:
    """Train, score the test rows, and time single ones."""
    rows = pd.read_csv(FOLDER / "banking77.csv")
    with tempfile.TemporaryDirectory() as home, disable_run_logger():
        os.environ["SLIPWAY_HOME"] = home
        path = Path(home) / "train.csv"
        rows[rows["split"] == "train"].drop(columns="split").to_csv(path, index=False)
        case = parse_use_case(USE_CASE.format(path=path), "questions.yaml")
        snapshot = ingest.fn(case, None)
        digest = derive_contract.fn(case, snapshot)
        began = time.perf_counter()
        pipeline, learned = fit(snapshot, snapshot.rows, digest, case.recipe)
        trained, contract = time.perf_counter() - began, contract_of(digest)
        content = to_onnx(pipeline, contract, case.features)
        _score(rows[rows["split"] == "test"].reset_index(drop=True), contract, content, pipeline)
        print(f"{learned:,} rows learned from in {trained:.1f} s; graph {len(content) / 2**20:.1f} MiB")


def _score(test, contract, content: bytes, pipeline) -> None:  # noqa: ANN001
    from serving.scoring.onnx import Scorer

    scorer, encoded = Scorer(content, contract), encode(contract, test)
    outputs = scorer.outputs(model_input(encoded))
    right = np.asarray(contract.classes)[outputs.argmax(axis=1)] == test["intent"]
    apart = np.abs(outputs - pipeline.predict_proba(encoded)).max()
    print(f"accuracy {right.mean():.4f} on {len(test):,} test rows; ONNX at most {apart:.1e} from scikit-learn")
    taken = []
    for text in test["text"].iloc[:CALLS]:
        began = time.perf_counter()
        scorer.outputs({"text": contract.columns[0].encode([text])})
        taken.append(time.perf_counter() - began)
    p50, p99 = np.percentile(taken, [50, 99]) * 1e3
    print(f"one question: p50 {p50:.3f} ms, p99 {p99:.3f} ms (contract and graph)")


if __name__ == "__main__":
    main()
