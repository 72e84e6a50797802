import json
import os

import pytest

from serving import native, open_inference
from serving.bundle import BundleError, read_bundle
from serving.contract import ContractError
from serving.log import PredictionLog
from serving.model import Identity, ServedModel
from tasks.bundle import bundle
from tasks.convert import convert
from tasks.evaluate import evaluate
from tasks.lineage import lineage
from tasks.prediction_log import find_prediction, open_log
from tests.conftest import small_use_case
from tests.unit.test_convert import chain


@pytest.fixture
def small_bundle(home, quiet, tmp_path):
    case = small_use_case(tmp_path)
    snapshot, contract, parts, fitted = chain(case)
    evaluation = evaluate.fn(case, parts, contract, fitted)
    onnx = convert.fn(parts, contract, case.features, fitted)
    origin = lineage(case, snapshot, None, contract, onnx)
    return bundle.fn(case, snapshot, contract, onnx, evaluation, origin)


@pytest.fixture
def model(small_bundle):
    from configs.settings import prediction_log

    return ServedModel(read_bundle(small_bundle.path), Identity("1", "small-v1"), PredictionLog(prediction_log("small")))


RECORD = {"a": 1.0, "b": 0.5, "c": "red"}


@pytest.mark.parametrize("name", ["model.onnx", "contract.json", "reference.parquet", "holdout.parquet", "card.md"])
def test_a_changed_file_is_refused_by_name(small_bundle, name):
    path = small_bundle.path / name
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(BundleError, match=f"{name} is not the file"):
        read_bundle(small_bundle.path)


def test_a_missing_and_a_stray_file_are_refused(small_bundle):
    (small_bundle.path / "extra.pkl").write_bytes(b"x")
    with pytest.raises(BundleError, match=r"extra\.pkl is not named"):
        read_bundle(small_bundle.path)
    (small_bundle.path / "extra.pkl").unlink()
    (small_bundle.path / "card.md").unlink()
    with pytest.raises(BundleError, match=r"card\.md is missing"):
        read_bundle(small_bundle.path)


def test_same_inputs_same_bundle(small_bundle, tmp_path, quiet):
    assert (small_bundle.path / "manifest.json").exists()
    assert not list(small_bundle.path.glob("*.pkl")) + list(small_bundle.path.glob("*.joblib"))


def test_both_protocols_answer_alike(model):
    answer = json.loads(native.predict(model, json.dumps({"records": [RECORD, RECORD]}).encode(), ""))
    native_probabilities = [list(row["probabilities"].values()) for row in answer["predictions"]]
    assert answer["predictions"][0]["prediction"] in ("yes", "no")
    inputs = [
        {"name": name, "shape": [2, 1], "datatype": "BYTES" if name == "c" else "FP64", "data": [value, value]}
        for name, value in RECORD.items()
    ]
    body = json.dumps({"id": "7", "inputs": inputs, "outputs": [{"name": "probabilities"}]}).encode()
    answer = json.loads(open_inference.infer(model, body, ""))
    assert answer["id"] == "7"
    assert answer["outputs"][0]["data"] == [value for row in native_probabilities for value in row]


def test_a_client_s_own_prediction_ids_are_kept(model):
    body = {"records": [RECORD], "prediction_ids": ["mine-1"]}
    answer = json.loads(native.predict(model, json.dumps(body).encode(), ""))
    assert answer["predictions"][0]["prediction_id"] == "mine-1"
    assert find_prediction("small", "mine-1") == {"prediction"}
    with pytest.raises(ContractError, match="1 prediction_ids for 2 records"):
        native.predict(model, json.dumps({**body, "records": [RECORD] * 2}).encode(), "")


@pytest.mark.parametrize(
    "change",
    [
        {"shape": [3, 1]},
        {"datatype": "COMPLEX"},
        {"name": "nope"},
        {"parameters": {"binary_data_size": 8}},
    ],
)
def test_open_inference_refuses_what_it_cannot_read(model, change):
    tensor = {"name": "a", "shape": [1, 1], "datatype": "FP32", "data": [1.0]}
    with pytest.raises(ContractError):
        open_inference.infer(model, json.dumps({"inputs": [{**tensor, **change}]}).encode(), "")


def test_a_label_that_is_no_class_is_refused_and_nothing_is_logged(model):
    with pytest.raises(ContractError, match="'maybe' is not one of 'no', 'yes'"):
        model.feedback([("id-1", "yes"), ("id-2", "maybe")], "")
    assert find_prediction("small", "id-1") == set()


def test_a_broken_log_answers_nothing(model):
    full = os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, model.log._file)
    with pytest.raises(OSError, match="No space left"):
        native.predict(model, json.dumps({"records": [RECORD]}).encode(), "")


def test_a_torn_line_is_no_record(model):
    native.predict(model, json.dumps({"records": [RECORD] * 3}).encode(), "")
    os.write(model.log._file, b'{"kind":"prediction","prediction_id":"torn')
    kinds = open_log("small").execute("select kind, count(*) from log group by kind order by kind nulls last").fetchall()
    assert kinds == [("prediction", 3), (None, 1)]
