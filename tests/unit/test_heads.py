"""What is answered, logged and written for each kind of answer: two classes, a few, many, and a number."""

import asyncio
import hashlib
import json

import numpy as np
import pandas as pd
import pytest
from onnx import TensorProto, helper

from configs.schema import CsvFormat
from configs.settings import prediction_log, store
from serving.contract.contract import Column, Contract, contract_json, parse_contract
from serving.contract.heads.choose import HEADS, head_of
from serving.log.writer import PredictionLog
from serving.options import Options
from serving.scoring.bundle import read_bundle
from serving.scoring.model import Identity, ServedModel
from serving.transports import open_inference_pb2 as messages
from serving.transports.grpc import Service
from serving.transports.http import App
from tasks.gates.answers import outputs
from tasks.log.compact import compact
from tasks.log.read import open_log
from tasks.log.values import Bounds
from tasks.log.windows import read_window
from tests.conftest import small_use_case
from tests.unit.rsgi import ask

COLUMNS = (Column("a", "numeric"), Column("b", "numeric"))
ROWS = [{"a": 0.5, "b": -1.0}, {"a": 3.0, "b": 0.25}, {"a": -2.0, "b": 8.0}]
PROBLEMS = {
    "two": ("binary", ("no", "yes")),
    "few": ("multiclass", ("red", "green", "blue")),
    "many": ("multiclass", tuple(range(100, 177))),
    "number": ("regression", ()),
    "score": ("ranking", ()),
}


def graph(k, name):
    """A linear model: probabilities of k classes, or one number."""
    weights = np.random.default_rng(7).normal(size=(2, k)).astype(np.float32)
    nodes = [helper.make_node("Concat", ["a", "b"], ["rows"], axis=1)]
    if name == "values":
        nodes.append(helper.make_node("MatMul", ["rows", "w"], [name]))
    else:
        nodes += [helper.make_node("MatMul", ["rows", "w"], ["o"]), helper.make_node("Softmax", ["o"], [name], axis=1)]
    inputs = [helper.make_tensor_value_info(column.name, TensorProto.FLOAT, [None, 1]) for column in COLUMNS]
    output = helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, k])
    made = helper.make_graph(nodes, "model", inputs, [output], [helper.make_tensor("w", 1, weights.shape, weights.ravel())])
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()


def built(problem, classes, **more):
    """A bundle in the store, by its digest."""
    contract = Contract("small", COLUMNS, "y", classes, problem=problem, **more)
    name = "probabilities" if classes else "values"
    files = {"contract.json": contract_json(contract), "model.onnx": graph(len(classes) or 1, name)}
    sums = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    manifest = json.dumps({"use_case": "small", "files": sums, "lineage": {}}).encode()
    folder = store("bundles") / hashlib.sha256(manifest).hexdigest()
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in {**files, "manifest.json": manifest}.items():
        (folder / name).write_bytes(content)
    return folder


class Served:
    """A worker's application without its process, asked as clients ask it."""

    def __init__(self, kind, contract=(), rows=ROWS, **options):
        self.bundle, self.rows = built(*PROBLEMS[kind], **dict(contract)), rows
        log = PredictionLog(prediction_log("small"))
        self.model = ServedModel(read_bundle(self.bundle), Identity("1", "small-v1"), log, **options)
        self.app = App(self.model, Options(bundle=str(self.bundle), log="log"), None)

    def post(self, path, body, status=200, **headers):
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        answer = asyncio.run(ask(self.app, path, body, **headers))
        assert answer.status == status, answer.body
        return json.loads(answer.body)

    def predict(self, **more):
        return self.post("/predict", {"records": self.rows, **more})["predictions"]

    def infer(self, **more):
        inputs = [
            {"name": n, "shape": [len(self.rows), 1], "datatype": "FP64", "data": [row[n] for row in self.rows]}
            for n in ("a", "b")
        ]
        return self.post("/v2/models/small/infer", {"inputs": inputs, **more})["outputs"]

    def grpc(self, raw=False):
        """Datatype, shape and values of each output."""
        request = messages.ModelInferRequest(model_name="small")
        for name in ("a", "b"):
            values = [row[name] for row in self.rows]
            tensor = request.inputs.add(name=name, datatype="FP64", shape=[len(values)])
            if raw:
                request.raw_input_contents.append(np.array(values).tobytes())
            else:
                tensor.contents.fp64_contents.extend(values)
        service = Service(self.app, None, None)
        job, parsed = service._parse(request.SerializeToString())
        self.model.score([job])
        answer = service._write(job, parsed)
        if raw:
            return list(answer.raw_output_contents)
        return {
            output.name: (
                output.datatype,
                list(output.shape),
                [each.decode() for each in output.contents.bytes_contents]
                or list(output.contents.fp32_contents)
                or list(output.contents.bool_contents),
            )
            for output in answer.outputs
        }

    @property
    def wanted(self):
        """What the graph itself gives, shape (3, k)."""
        arrays = {name: np.float32([[row[name]] for row in self.rows]) for name in ("a", "b")}
        return self.model._scorer.outputs(arrays)


@pytest.fixture
def served(home):
    made = []

    def serve(kind, **options):
        made.append(Served(kind, **options))
        return made[-1]

    yield serve
    for each in made:
        each.model.close()


def test_each_problem_has_a_head_and_a_contract_of_before_is_binary():
    assert set(HEADS) == {problem for problem, _ in PROBLEMS.values()}
    before = json.loads(contract_json(Contract("small", COLUMNS, "y", ("no", "yes"))))
    del before["problem"]
    assert parse_contract(json.dumps(before).encode()).problem == "binary"


@pytest.mark.parametrize("kind", ["two", "few"])
def test_a_few_classes_are_all_answered_by_every_protocol(served, kind):
    server, classes = served(kind), PROBLEMS[kind][1]
    best = [classes[i] for i in server.wanted.argmax(axis=1)]
    rows = server.predict()
    assert [row["prediction"] for row in rows] == best
    assert [list(row["probabilities"]) for row in rows] == [list(classes)] * 3
    assert [list(row["probabilities"].values()) for row in rows] == server.wanted.tolist()
    chosen, shares = server.infer()
    assert (chosen["datatype"], chosen["shape"], chosen["data"]) == ("BYTES", [3, 1], best)
    assert (shares["datatype"], shares["shape"]) == ("FP32", [3, len(classes)])
    assert shares["data"] == server.wanted.ravel().tolist()
    assert server.grpc() == {
        "y": ("BYTES", [3, 1], best),
        "probabilities": ("FP32", [3, len(classes)], server.wanted.ravel().tolist()),
    }
    assert server.grpc(raw=True)[1] == server.wanted.tobytes()
    assert server.post("/invocations", {"instances": ROWS})["predictions"] == best
    csv = b"a,b\n0.5,-1\n3,0.25\n-2,8\n"
    assert server.post("/invocations", csv, content_type="text/csv")["predictions"] == best
    shares = server.post("/invocations", {"instances": ROWS, "params": {"predict_fn": "predict_proba"}})["predictions"]
    assert shares == server.wanted.tolist()
    unknown = server.post("/predict", {"records": ROWS, "top": 1}, status=422)
    assert "unknown field `top`" in unknown["error"]


def test_of_many_classes_the_most_probable_are_answered_unless_more_are_asked_for(served):
    server, classes = served("many"), PROBLEMS["many"][1]
    for row, shares in zip(server.predict(), server.wanted, strict=True):
        highest = np.argsort(-shares, kind="stable")[:5]
        assert row["prediction"] == classes[highest[0]]
        assert list(row["probabilities"].items()) == [(str(classes[i]), float(shares[i])) for i in highest]
    assert [len(row["probabilities"]) for row in server.predict(top=2)] == [2] * 3
    for everything in (77, 1000):
        rows = server.predict(top=everything)
        assert [list(row["probabilities"].values()) for row in rows] == server.wanted.tolist()
    assert "top" in server.post("/predict", {"records": ROWS, "top": 0}, status=422)["error"]
    assert server.infer()[1]["data"] == server.wanted.ravel().tolist()  # a tensor is always whole
    assert server.grpc()["probabilities"][1] == [3, 77]
    label = {"labels": [{"prediction_id": "x", "label": 99}]}
    assert server.post("/feedback", label, status=422)["error"].endswith("119, ... (77 classes)")


def test_a_number_is_one_value_by_every_protocol(served):
    server = served("number")
    numbers = [float(str(each)) for each in server.wanted.ravel()]  # the shortest decimal of 32 bits
    rows = server.predict()
    assert [(set(row), row["prediction"]) for row in rows] == [({"prediction_id", "prediction"}, each) for each in numbers]
    assert np.float32(numbers).tobytes() == server.wanted.tobytes()
    (output,) = server.infer()
    assert (output["name"], output["datatype"], output["shape"]) == ("y", "FP32", [3, 1])
    assert output["data"] == numbers
    assert server.grpc() == {"y": ("FP32", [3, 1], server.wanted.ravel().tolist())}
    assert server.grpc(raw=True) == [server.wanted.tobytes()]
    for body, kind in ((json.dumps({"instances": ROWS}).encode(), "application/json"), (b"a,b\n0.5,-1\n", "text/csv")):
        answer = server.post("/invocations", body, content_type=kind)["predictions"]
        assert answer == numbers[: len(answer)]
    refused = server.post("/invocations", {"instances": ROWS, "params": {"predict_fn": "predict_proba"}}, status=400)
    assert refused["message"].endswith("'predict_proba' is not one of predict")
    refused = server.post("/v2/models/small/infer", {"inputs": [], "outputs": [{"name": "probabilities"}]}, status=400)
    assert refused["error"].endswith("no output is named 'probabilities'; known: y")


def test_what_is_no_number_is_no_answer(served, monkeypatch):
    server = served("number")
    honest = server.model._scorer.outputs
    monkeypatch.setattr(server.model._scorer, "outputs", lambda arrays: np.log(honest(arrays) - honest(arrays) - 1))
    with np.errstate(all="ignore"):
        assert "internal error" in server.post("/predict", {"records": ROWS}, status=500)["error"]
    with open_log("small") as log:
        assert log.sql("select count(*) from log where kind = 'prediction'").fetchall() == [(0,)]


@pytest.mark.parametrize(
    ("kind", "right", "wrong"),
    [
        ("two", ["no", "yes"], ["maybe", 1.0, 0, True]),
        ("few", ["red", "blue"], ["yellow", 1, None]),
        ("many", [100, 176], [99, "100", 100.0, True]),
        ("number", [12.5, -3.0, 0.0, 1e30], ["12.5", True, None]),
    ],
)
def test_feedback_is_a_class_or_a_number(served, kind, right, wrong):
    server = served(kind)
    labels = [{"prediction_id": f"p{n}", "label": label} for n, label in enumerate(right)]
    assert server.post("/feedback", {"labels": labels}) == {"accepted": len(right)}
    for label in wrong:
        told = server.post("/feedback", {"labels": [{"prediction_id": "w", "label": label}]}, status=422)["error"]
        assert "is not one of" in told or "label" in told
    server.post("/feedback", b'{"labels":[{"prediction_id":"w","label":1e999}]}', status=422)
    with open_log("small") as log:
        found = log.sql("select label from log where kind = 'feedback' order by prediction_id").fetchall()
    assert [type(each)(label) for each, (label,) in zip(right, found, strict=True)] == right


@pytest.mark.parametrize("kind", PROBLEMS)
def test_the_log_holds_the_output_whole_and_a_window_offers_it(served, tmp_path, kind):
    server = served(kind)
    answers = [row["prediction"] for row in server.predict(prediction_ids=["p0", "p1", "p2"])]
    server.post("/feedback", {"labels": [{"prediction_id": "p1", "label": answers[1]}]})
    case, bounds = small_use_case(tmp_path), Bounds(name="w", start="0", end="3")

    def look():
        with open_log("small") as log:
            rows = log.sql(
                "select prediction, output, form from log where kind = 'prediction' order by prediction_id"
            ).fetchall()
        return rows, read_window(case, bounds).table

    rows, window = look()
    assert [type(each)(found) for each, (found, *_) in zip(answers, rows, strict=True)] == answers
    assert np.array_equal(np.float32([output for _, output, _ in rows]), server.wanted)
    assert {form for *_, form in rows} == {3}
    window = window.sort_by("prediction_id")
    assert window["output"].to_pylist() == [output for _, output, _ in rows]
    assert window["prediction"].to_pylist() == [found for found, *_ in rows]
    assert [label is None for label in window["label"].to_pylist()] == [True, False, True]
    assert window["probability"].to_pylist() == ([output[1] for _, output, _ in rows] if kind == "two" else [None] * 3)
    server.model.close()
    assert compact("small").records == 4
    again, table = look()
    assert (again, table.sort_by("prediction_id").equals(window)) == (rows, True)


@pytest.mark.parametrize("kind", PROBLEMS)
def test_the_answer_to_a_body_that_was_seen_is_the_same(served, kind):
    server = served(kind, cache_size=10)
    once, again = (server.predict(prediction_ids=["p0", "p1", "p2"]) for _ in range(2))
    assert once == again
    assert 'slipway_cache_lookups_total{found="yes"} 1.0' in server.model.metrics.text().decode()


@pytest.mark.parametrize("kind", PROBLEMS)
def test_the_document_describes_the_answers_and_its_examples_are_right(served, kind):
    from jsonschema import Draft202012Validator

    server = served(kind)
    document = json.loads(asyncio.run(ask(server.app, "/openapi.json", method="GET")).body)
    for path in ("/predict", "/feedback", "/invocations", "/v2/models/small/infer"):
        operation = document["paths"][path]["post"]
        sent = operation["requestBody"]["content"]["application/json"]["example"]
        answer = server.post(path, sent)
        for value, schema in ((sent, operation["requestBody"]), (answer, operation["responses"]["200"])):
            named = schema["content"]["application/json"]["schema"]["$ref"]
            Draft202012Validator({**document, "$ref": named}).validate(value)
    assert ("top" in document["components"]["schemas"]["PredictRequest"]["properties"]) == (kind == "many")
    described = json.loads(asyncio.run(ask(server.app, "/v2/models/small", method="GET")).body)["outputs"]
    assert [(each["name"], each["shape"][1]) for each in described] == [(o["name"], o["shape"][1]) for o in server.infer()]


@pytest.mark.parametrize("kind", PROBLEMS)
def test_a_gate_reads_the_output_out_of_answers(served, kind):
    import httpx

    server = served(kind)

    def answer(request):
        return httpx.Response(200, json=server.post(request.url.path, request.content))

    with httpx.Client(base_url="http://release", transport=httpx.MockTransport(answer)) as http:
        found = outputs(http, server.model.head, ROWS)
    assert np.array_equal(np.float32(found), server.wanted)
    assert server.model.head.possible(found)
    assert not server.model.head.possible(found * np.nan)


@pytest.mark.parametrize(
    ("kind", "columns"),
    [
        ("two", ["prediction", "probability"]),
        ("few", ["prediction", "probabilities"]),
        ("many", ["prediction", "probabilities"]),
        ("number", ["prediction"]),
    ],
)
def test_a_scored_file_says_what_a_request_is_answered(served, quiet, monkeypatch, tmp_path, kind, columns):
    import tasks.scoring.files
    from tasks.packaging.values import BundleRef
    from tasks.registry.values import Version

    monkeypatch.setattr(tasks.scoring.files, "create_progress_artifact", lambda **_: None)
    monkeypatch.setattr(tasks.scoring.files, "update_progress_artifact", lambda *_, **__: None)
    server = served(kind)
    pd.DataFrame(ROWS).to_csv(tmp_path / "rows.csv", index=False)
    bundle = BundleRef(digest=server.bundle.name)
    version = Version(use_case="small", version="7", run_id="r", bundle=bundle, golden="g")
    assert (
        tasks.scoring.files.score_file.fn("small", version, str(tmp_path / "rows.csv"), str(tmp_path / "out"), CsvFormat())
        == 3
    )
    scored = pd.read_parquet(tmp_path / "out" / "part-00000.parquet")
    assert list(scored) == ["a", "b", *columns, "model_version"]
    assert scored["prediction"].tolist() == [row["prediction"] for row in server.predict()]
    if kind == "two":
        assert scored["probability"].tolist() == server.wanted[:, 1].tolist()
    if "probabilities" in columns:
        assert np.stack(scored["probabilities"]).tolist() == server.wanted.tolist()


@pytest.mark.parametrize(
    ("kind", "values", "labels", "strange"),
    [
        ("two", ["yes", "no"], ["yes", "no"], "perhaps"),
        ("many", [100.0, np.int64(176)], [100, 176], 99),
        ("number", [np.float32(0.5), np.int64(3), 2.25], [0.5, 3.0, 2.25], "x"),
    ],
)
def test_a_value_of_the_target_is_sent_as_a_label(kind, values, labels, strange):
    problem, classes = PROBLEMS[kind]
    head = head_of(Contract("small", COLUMNS, "y", classes, problem=problem))
    found = [head.label_of(value) for value in values]
    assert found == labels
    assert [head.wrong(label) for label in found] == [None] * len(found)
    certain = np.array([head.output_of(label) for label in found], dtype=np.float32)
    assert head.possible(certain)
    assert head.answer(certain)[0] == found
    with pytest.raises(ValueError, match=r"not one of|finite number"):
        head.label_of(strange)


@pytest.mark.parametrize(
    ("kind", "column", "labels"),
    [
        ("two", ["yes", "no", None], ["yes", "no", None]),
        ("many", [100.0, 176.0, np.nan], [100, 176, None]),
        ("number", [0.5, -3.0, np.nan], [0.5, -3.0, None]),
    ],
)
def test_a_replay_sends_the_target_as_labels_and_refuses_one_that_cannot_be(tmp_path, kind, column, labels):
    import pyarrow as pa

    from configs.errors import InputError
    from console.commands.replay import _rows

    problem, classes = PROBLEMS[kind]
    contract, case = Contract("small", COLUMNS, "y", classes, problem=problem), small_use_case(tmp_path)
    frame = pd.DataFrame(ROWS).assign(y=column)
    assert [row.label for row in _rows(case, contract, pa.Table.from_pandas(frame))] == labels
    if classes:
        strange = frame.assign(y=[*column[:2], "perhaps" if kind == "two" else 99])
        with pytest.raises(InputError, match=r"replay: row 2, column 'y': '(perhaps|99.0)' is not one of"):
            list(_rows(case, contract, pa.Table.from_pandas(strange)))
