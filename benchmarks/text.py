"""Questions to a bank, 77 intents: accuracy on the authors' test split, and what one question costs.

`python -m benchmarks.text`; the split is that of Casanueva et al., "Efficient Intent Detection with Dual Sentence
Encoders" (2020). Trained by the steps of a release, on the authors' training rows alone. The
server is asked over HTTP, by a bundle of the same steps.
"""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pandas as pd
from prefect.logging import disable_run_logger

from configs.load import parse_use_case
from configs.settings import PROJECT, prediction_log
from tasks.data.derive_contract import derive_contract
from tasks.data.frames import contract_of, encode, model_input
from tasks.data.ingest import ingest
from tasks.data.split import split
from tasks.deploying.platforms.ports import free_port
from tasks.log.read import open_log
from tasks.packaging.bundle import bundle
from tasks.packaging.convert import convert, to_onnx
from tasks.registry.lineage import lineage
from tasks.training.evaluate import evaluate
from tasks.training.fit import fit
from tasks.training.train import train

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
        _ask(rows[rows["split"] == "test"]["text"].tolist(), _bundle(case, snapshot, digest), Path(home))
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


def _bundle(case, snapshot, digest: str) -> Path:  # noqa: ANN001
    """By the steps of a release."""
    parts = split.fn(case, snapshot)
    fitted = train.fn(snapshot, parts.learn, digest, case.recipe)
    with patch("tasks.training.evaluate.create_table_artifact", lambda **_: None):
        evaluation = evaluate.fn(case, parts, digest, fitted)
    onnx = convert.fn(parts, digest, case.features, fitted)
    return bundle.fn(case, snapshot, digest, onnx, evaluation, lineage(case, parts, None, digest, onnx)).path


def _ask(texts: list[str], folder: Path, home: Path) -> None:
    """One question after the other over one connection that stays; beside it what the server's log says that it took."""
    port, log = free_port(), prediction_log("questions")
    command = [sys.executable, "-m", "serving", "--bundle", str(folder), "--log", str(log), "--port", str(port)]
    with (home / "server.log").open("wb") as output:
        server = subprocess.Popen(command, cwd=PROJECT, stdout=output, stderr=output)
    try:
        _wait(port, server)
        connection, taken = http.client.HTTPConnection("127.0.0.1", port), []
        for text in texts[:CALLS]:
            body = json.dumps({"records": [{"text": text}]})
            began = time.perf_counter()
            connection.request("POST", "/predict", body, {"content-type": "application/json"})
            answer = connection.getresponse()
            content = answer.read()
            taken.append(time.perf_counter() - began)
            assert answer.status == 200, content
    finally:
        server.terminate()
        server.wait()
    p50, p99 = np.percentile(taken, [50, 99]) * 1e3
    print(f"one question over HTTP, one connection, as the client sees it: p50 {p50:.3f} ms, p99 {p99:.3f} ms")
    with open_log("questions") as kept:
        query = "select quantile_cont(latency_us, [0.5, 0.99]) from log where kind = 'prediction'"
        ((inside,),) = kept.sql(query).fetchall()
    print(f"of which in the server until it was logged: p50 {inside[0] / 1e3:.3f} ms, p99 {inside[1] / 1e3:.3f} ms")


def _wait(port: int, server: subprocess.Popen[bytes]) -> None:
    for _ in range(600):
        assert server.poll() is None, "the server ended"
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", "/readyz")
            if connection.getresponse().status == 200:
                return
        except ConnectionError:
            time.sleep(0.05)
    raise AssertionError("the server did not come up")


if __name__ == "__main__":
    main()
