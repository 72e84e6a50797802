"""`slipway feedback`: labels and numbers from a file reach the prediction log, and a wrong row changes nothing."""

import json

import httpx
import pandas as pd
import pytest

from tasks.deploying.keys import internal_headers
from tasks.log.read import TEST_CALLER, open_log
from tasks.routing.gateway import address

IDS = ["told-1", "told-2", "told-3"]


@pytest.fixture(scope="module")
def asked(served):
    """Three predictions that are no traffic."""
    body = {"records": [served.record] * 3, "prediction_ids": IDS}
    httpx.post(f"{address('loans')}/predict", json=body, headers=internal_headers("loans", TEST_CALLER)).raise_for_status()


def told():
    with open_log("loans") as log:
        query = "select prediction_id, label, kpis from log where kind = 'feedback' and caller = 'feedback' order by all"
        return [(name, json.loads(label), kpis) for name, label, kpis in log.sql(query).fetchall()]


def test_a_wrong_row_is_named_and_nothing_is_told(served, asked, tmp_path):
    path = tmp_path / "wrong.csv"
    path.write_text("prediction_id,label\ntold-1,1\ntold-2,perhaps\n")
    output = served.run("feedback", "loans", str(path), status=2)
    assert "row 1: label: 'perhaps' is not one of 0, 1" in output
    path.write_text("prediction_id,cost\ntold-1,inf\n")
    assert "row 0: column 'cost': 'inf' is no finite number" in served.run("feedback", "loans", str(path), status=2)
    path.write_text("predicton_id,label\ntold-1,1\n")
    assert "did you mean 'predicton_id'" in served.run("feedback", "loans", str(path), status=2)
    assert told() == []


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".jsonl"])
def test_labels_and_numbers_of_a_file_are_logged(served, asked, tmp_path, suffix):
    frame = pd.DataFrame({"prediction_id": IDS, "label": [1, 0, None], "cost": [2.5, None, None]}).astype({"label": "Int64"})
    path = tmp_path / f"labels{suffix}"
    write = {".csv": frame.to_csv, ".parquet": frame.to_parquet}.get(suffix)
    write(path, index=False) if write else frame.to_json(path, orient="records", lines=True)
    before = len(told())
    assert "2 labels and 1 numbers told; 1 rows said nothing" in served.run("feedback", "loans", str(path))
    new = told()
    assert len(new) == before + 2
    assert {(name, label) for name, label, _ in new} == {("told-1", 1), ("told-2", 0)}
