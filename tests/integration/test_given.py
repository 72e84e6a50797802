"""An own ONNX file, from a file to a model that is released, asked, watched, kept, and beaten by another file."""

import json

import httpx
import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from tests.conftest import small_frame
from tests.integration.conftest import Home

USE_CASE = """
name: own
source: rows.csv
target: {column: y, positive: "yes"}
features: {numeric: [b, a]}
evaluation: {gates: [{metric: roc_auc, at_least: 0.6}]}
monitoring: {window: 100 rows, min_labels: 50}
model: {onnx: models/own.onnx}
"""


@pytest.fixture
def own_home(tmp_path, monkeypatch):
    home = Home(tmp_path / "home", SLIPWAY_USE_CASES=str(tmp_path / "configs"))
    monkeypatch.setenv("SLIPWAY_HOME", str(home.folder))
    monkeypatch.setenv("SLIPWAY_USE_CASES", str(tmp_path / "configs"))
    yield home
    home.run("down")


def export(path, columns, rows, options):
    from skl2onnx import convert_sklearn
    from skl2onnx.common.data_types import FloatTensorType

    fitted = LogisticRegression().fit(rows[columns].to_numpy(dtype=np.float32), rows["y"])
    inputs = [("x", FloatTensorType([None, len(columns)]))]
    path.write_bytes(convert_sklearn(fitted, inputs[0][0], inputs, options={id(fitted): options}).SerializeToString())
    return fitted


def test_a_file_is_released_asked_watched_and_takes_turns_with_another(own_home, tmp_path):
    from tasks.history import read_history
    from tasks.monitoring.findings import findings
    from tasks.routing.gateway import address

    (tmp_path / "configs" / "models").mkdir(parents=True)
    table, file = tmp_path / "configs" / "rows.csv", tmp_path / "configs" / "models" / "own.onnx"
    small_frame(1500).to_csv(table, index=False)
    (tmp_path / "configs" / "own.yaml").write_text(USE_CASE)
    worse = small_frame(300, seed=5).assign(b=small_frame(300, seed=6)["b"])  # which says nothing
    model = export(file, ["b", "a"], worse, {"zipmap": True})

    assert "Took own.onnx as it is, SHA-256" in own_home.run("release", "own")
    first = httpx.get(f"{address('own')}/readyz", timeout=5).raise_for_status().json()
    sent = {"records": [{"a": 0.5, "b": -1.25}, {"a": -2, "b": 1}]}
    answers = httpx.post(f"{address('own')}/predict", json=sent, timeout=10).raise_for_status().json()["predictions"]
    expected = model.predict_proba(np.array([[-1.25, 0.5], [1, -2]], dtype=np.float32))
    shares = [[row["probabilities"][name] for name in ("no", "yes")] for row in answers]
    assert np.abs(np.array(shares) - expected).max() < 1e-6
    refused = httpx.post(f"{address('own')}/predict", json={"records": [{"a": 1, "b": "x"}]}, timeout=10)
    assert refused.status_code in (400, 422)

    told = own_home.told("retrain", "own", status=0)
    assert f"version {first['version']} serves own.onnx, a file that is not trained here" in told
    assert read_history("own", "declined")[-1]["cause"] == "a person"
    assert "reproduced, equal ONNX bytes" in own_home.told("reproduce", "own", first["version"], status=0)

    rows = small_frame(100, seed=9)
    sent = {"records": json.loads(rows[["a", "b"]].to_json(orient="records"))}
    httpx.post(f"{address('own')}/predict", json=sent, timeout=10).raise_for_status()
    own_home.told("monitor", "own", status=0)
    (found,) = findings("own")
    assert found.window

    pd.concat([small_frame(1500), small_frame(1500, seed=2)]).to_csv(table, index=False)
    export(file, ["b", "a"], small_frame(3000, seed=7), {"zipmap": False})
    own_home.told("retrain", "own", status=0)
    verdict = read_history("own", "verdict")[-1]
    assert verdict["promoted"], verdict
    after = httpx.get(f"{address('own')}/readyz", timeout=5).raise_for_status().json()
    assert after["version"] != first["version"]
