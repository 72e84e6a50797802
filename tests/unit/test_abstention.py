"""Below a declared confidence a person takes over: protocols, log, files, metrics and gates say the same of a row."""

import asyncio
import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from configs.errors import InputError
from configs.load import parse_use_case
from configs.schema import CsvFormat, Target
from serving.contract.contract import Contract, contract_json, parse_contract
from serving.contract.heads.abstaining import unsure
from serving.contract.heads.choose import UNLESS_UNSURE, head_of
from serving.protocols.open_inference import OpenInference
from tasks.gates.behaviour import Model, _minimum
from tasks.log.compact import compact
from tasks.log.read import open_log
from tasks.log.values import Bounds
from tasks.log.windows import decoded, read_window
from tasks.onboarding.answers import declared_answer
from tasks.packaging.bundle import bundle
from tasks.packaging.convert import convert
from tasks.problems.metrics import BINARY, MULTICLASS, abstaining
from tasks.problems.problem import problem_of
from tasks.registry.lineage import lineage
from tasks.training.evaluate import evaluate
from tasks.training.failed import GateFailed
from tests.conftest import SMALL, chain, small_use_case
from tests.unit.rsgi import ask
from tests.unit.test_heads import COLUMNS, PROBLEMS, ROWS, Served
from tests.unit.test_real_data import ADULT

NUMBERS = st.floats(-8, 8, width=32)
RECORDS = st.lists(st.fixed_dictionaries({"a": NUMBERS, "b": NUMBERS}), min_size=1, max_size=8)
BOUNDS = [("two", 0.75), ("few", 0.6), ("many", 0.4)]
UNSURE = [*ROWS[:2], {"a": 0.0, "b": 0.0}]  # of the last all classes are equally probable


@pytest.fixture
def served(home):
    made = []

    def serve(kind, bound, rows=UNSURE):
        made.append(Served(kind, {"confidence": bound}, rows))
        return made[-1]

    yield serve
    for each in made:
        each.model.close()


def binary_answer(server):
    """Of the protocol's binary form: classes, and whether there is none, a row."""
    inputs = [
        {"name": n, "shape": [len(server.rows), 1], "datatype": "FP64", "data": [row[n] for row in server.rows]}
        for n in ("a", "b")
    ]
    body = json.dumps({"inputs": inputs, "parameters": {"binary_data_output": True}}).encode()
    protocol = OpenInference(server.model)
    job, request = protocol.read(body, None)
    server.model.score([job])
    headers, answer = protocol.write(job, request)
    at = int(dict(headers)["inference-header-content-length"])
    head, rest, found = json.loads(answer[:at]), answer[at:], {}
    for output in head["outputs"]:
        size = output["parameters"]["binary_data_size"]
        found[output["name"]], rest = rest[:size], rest[size:]
    return found


@pytest.mark.parametrize(("kind", "bound"), BOUNDS)
def test_every_protocol_says_the_same_of_every_row(served, kind, bound):
    server, classes = served(kind, bound), PROBLEMS[kind][1]

    @settings(max_examples=25)
    @given(RECORDS)
    def same(rows):
        server.rows = rows
        wanted = server.wanted
        left = wanted.max(axis=1) < np.float32(bound)
        best = [classes[i] for i in wanted.argmax(axis=1)]
        answers = [None if none else label for none, label in zip(left, best, strict=True)]
        texts = ["" if answer is None else str(answer) for answer in answers]
        native = server.predict(**server.model.head.everything)
        assert [row["prediction"] for row in native] == answers
        assert [row["abstained"] for row in native] == left.tolist()
        assert [list(row["probabilities"].values()) for row in native] == wanted.tolist()
        chosen, shares, abstained = server.infer()
        assert (chosen["data"], abstained["data"]) == (texts, left.tolist())
        assert (abstained["datatype"], abstained["shape"]) == ("BOOL", [len(rows), 1])
        assert shares["data"] == wanted.ravel().tolist()
        size = [len(rows), 1]
        assert server.grpc() == {
            "y": ("BYTES", size, texts),
            "probabilities": ("FP32", [len(rows), len(classes)], wanted.ravel().tolist()),
            "abstained": ("BOOL", size, left.tolist()),
        }
        raw, binary = server.grpc(raw=True), binary_answer(server)
        assert raw == [binary[name] for name in ("y", "probabilities", "abstained")]
        assert raw[2] == left.tobytes()
        assert server.post("/invocations", {"instances": rows})["predictions"] == answers
        columns = server.model.head.columns(wanted)
        assert columns["prediction"].tolist() == answers
        assert columns["abstained"].tolist() == left.tolist()
        assert (problem_of(server.model.contract).decisions(wanted) == -1).tolist() == left.tolist()

    same()


@pytest.mark.parametrize(("kind", "bound"), BOUNDS)
def test_the_document_describes_it_and_a_label_is_still_a_class(served, kind, bound):
    from jsonschema import Draft202012Validator, ValidationError

    server = served(kind, bound)
    document = json.loads(asyncio.run(ask(server.app, "/openapi.json", method="GET")).body)
    answer = server.post("/predict", {"records": UNSURE})
    assert [row["abstained"] for row in answer["predictions"]][2] is True
    Draft202012Validator({**document, "$ref": "#/components/schemas/PredictResponse"}).validate(answer)
    described = json.loads(asyncio.run(ask(server.app, "/v2/models/small", method="GET")).body)["outputs"]
    assert described[2] == {"name": "abstained", "datatype": "BOOL", "shape": [-1, 1]}
    feedback = Draft202012Validator({**document, "$ref": "#/components/schemas/FeedbackRequest"})
    feedback.validate({"labels": [{"prediction_id": "p", "label": PROBLEMS[kind][1][0]}]})
    with pytest.raises(ValidationError):
        feedback.validate({"labels": [{"prediction_id": "p", "label": None}]})
    assert "slipway_abstained_total" in server.model.metrics.text().decode()
    assert server.post("/feedback", {"labels": [{"prediction_id": "p", "kpis": {"abstention": 1}}]}, status=422)


def test_the_log_keeps_a_null_and_its_label_counts_for_the_model(served, tmp_path):
    server = served("two", 0.75)
    ids = ["p0", "p1", "p2"]
    answers = [row["prediction"] for row in server.predict(prediction_ids=ids)]
    assert answers[2] is None
    server.post("/feedback", {"labels": [{"prediction_id": each, "label": "yes"} for each in ids]})

    def look():
        with open_log("small") as log:
            logged = log.sql(
                "select prediction, output from log where kind = 'prediction' order by prediction_id"
            ).fetchall()
        table = read_window(small_use_case(tmp_path), Bounds(name="w", start="0", end="3")).table
        return logged, decoded(table, server.model.contract).sort_by("prediction_id").to_pydict()

    logged, window = look()
    assert [found for found, _ in logged] == window["prediction"] == answers
    assert [output for _, output in logged] == server.wanted.tolist()
    assert (window["target"], window["probability"]) == ([1, 1, 1], server.wanted[:, 1].tolist())
    server.model.close()
    compact("small")
    assert look() == (logged, window)


def test_a_scored_file_has_nulls_of_the_type_of_the_classes_in_every_part(served, quiet, monkeypatch, tmp_path):
    import pyarrow.parquet as pq

    import tasks.scoring.files
    import tasks.scoring.rows
    from tasks.packaging.values import BundleRef
    from tasks.registry.values import Version

    monkeypatch.setattr(tasks.scoring.files, "create_progress_artifact", lambda **_: None)
    monkeypatch.setattr(tasks.scoring.files, "update_progress_artifact", lambda *_, **__: None)
    monkeypatch.setattr(tasks.scoring.rows, "CHUNK_ROWS", 3)
    for kind, bound, stored, more in (("two", 0.75, "string", "probability"), ("many", 0.4, "int64", "probabilities")):
        server = served(kind, bound, [*UNSURE, *[UNSURE[2]] * 3])
        pd.DataFrame(server.rows).to_csv(tmp_path / "rows.csv", index=False)
        reference = BundleRef(digest=server.bundle.name)
        version = Version(use_case="small", version="7", run_id="r", bundle=reference, golden="g")
        out = tmp_path / kind
        tasks.scoring.files.score_file.fn("small", version, str(tmp_path / "rows.csv"), str(out), CsvFormat())
        parts = [pq.read_table(path) for path in sorted(out.glob("part-*.parquet"))]
        assert len(parts) == 2
        assert {str(part.schema.field("prediction").type) for part in parts} == {stored}
        assert parts[0].column_names == ["a", "b", "prediction", "abstained", more, "model_version"]
        answered = [row["prediction"] for row in server.predict()]
        assert [each for part in parts for each in part["prediction"].to_pylist()] == answered
        assert answered[3:] == [None] * 3
        assert parts[1]["abstained"].to_pylist() == [True] * 3


def test_without_a_bound_the_contract_and_the_head_are_as_before():
    assert set(UNLESS_UNSURE) == {"binary", "multiclass"}
    before, bounded = (Contract("small", COLUMNS, "y", ("no", "yes"), **more) for more in ({}, {"confidence": 0.7}))
    assert b"confidence" not in contract_json(before)
    assert parse_contract(contract_json(bounded)) == bounded
    assert [tensor.name for tensor in head_of(before).tensors] == ["y", "probabilities"]
    assert set(problem_of(before).metrics) == set(BINARY)
    assert set(problem_of(bounded).metrics) == {*BINARY, "abstention", "selective_accuracy"}
    named_so = head_of(Contract("small", COLUMNS, "abstained", ("no", "yes"), confidence=0.7))
    assert [tensor.name for tensor in named_so.tensors] == ["abstained", "probabilities", "abstained_abstained"]


def test_a_boolean_that_is_left_to_a_person_is_neither_true_nor_false():
    head = head_of(Contract("small", COLUMNS, "y", (False, True), confidence=0.7))
    answers, outputs = head.answer(np.float32([[0.1, 0.9], [0.5, 0.5], [0.8, 0.2]]))
    assert answers == [True, None, False]
    chosen, _, abstained = head.tensors
    assert (chosen.datatype, chosen.data(answers, outputs)) == ("BYTES", ["true", "", "false"])
    assert abstained.data(answers, outputs) == [False, True, False]
    assert head.columns(np.float32([[0.5, 0.5], [0.1, 0.9]]))["prediction"].tolist() == [None, True]


@pytest.mark.parametrize(
    ("target", "told"),
    [
        ("{column: y, positive: 'yes', confidence: 0.5}", "'confidence' lies between 0.5 and 1"),
        ("{column: y, positive: 'yes', confidence: 1}", "'confidence' lies between 0.5 and 1"),
        ("{column: y, problem: multiclass, confidence: 0}", "'confidence' lies between 0 and 1"),
        ("{column: y, problem: regression, confidence: 0.9}", "'confidence' is that of a class; problem 'regression'"),
    ],
)
def test_a_bound_that_does_nothing_is_told(target, told):
    text = SMALL.format(path="rows.csv").replace('{column: y, positive: "yes"}', target)
    with pytest.raises(InputError, match=told):
        parse_use_case(text, "small.yaml")


def test_of_several_classes_it_is_told_as_soon_as_they_are_counted():
    target, values = Target(column="y", problem="multiclass", confidence=0.3), pd.Series(["a", "b", "c"])
    frame = values.to_frame("y")
    for look in (lambda: problem_of(target).classes(target, frame), lambda: declared_answer(target, values)):
        with pytest.raises(InputError, match=r"target.confidence: 0.3 leaves nothing to a person: of 3 classes .* 0.3333"):
            look()


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (
            "metric: roc_auc, at_least: 0.6",
            "metric: abstention, at_most: 0.2",
            "'abstention' is that of 'target.confidence'",
        ),
        ("window: 100 rows", "objectives: [{kpi: abstention, at_most: 0.1}]", "'abstention' is that of 'target.confidence'"),
    ],
)
def test_what_needs_a_bound_says_so(old, new, told):
    with pytest.raises(InputError, match=told):
        parse_use_case(SMALL.format(path="rows.csv").replace(old, new), "small.yaml")
    bounded = SMALL.format(path="rows.csv").replace('positive: "yes"}', 'positive: "yes", confidence: 0.8}')
    assert parse_use_case(bounded.replace(old, new), "small.yaml").target.confidence == 0.8
    with pytest.raises(InputError, match="'selective_accuracy' decides nothing: who hardly ever answers"):
        parse_use_case(f"{bounded}promotion: {{metric: selective_accuracy}}", "small.yaml")


@given(st.integers(2, 5), st.floats(0.05, 0.95), st.integers(0, 1000))
def test_the_metrics_count_answers(k, bound, seed):
    generator = np.random.default_rng(seed)
    outputs = generator.dirichlet(np.ones(k), 40).astype(np.float32)
    target, left = generator.integers(0, k, 40), unsure(outputs, bound)
    metrics, judged = (BINARY, outputs[:, 1]) if k == 2 else (MULTICLASS, outputs)
    found = abstaining(metrics, bound)
    assert found["abstention"].value(target, judged) == pytest.approx(left.mean())
    right = (outputs.argmax(axis=1) == target)[~left]
    value = found["selective_accuracy"].value(target, judged)
    assert np.isnan(value) if left.all() else value == pytest.approx(right.mean())


def test_a_plain_case_that_is_left_to_a_person_has_failed():
    from configs.schema import Minimum

    class Asked(Model):
        def __init__(self):
            pass

        def answer(self, record):
            return None

    case = Minimum(test="minimum", given={"a": 1.0}, label="None", because="it is plain")
    with pytest.raises(AssertionError, match="left to a person"):
        _minimum(case, Asked(), [{"a": 1.0}], Contract("small", COLUMNS[:1], "y", ("None", "yes")))


def test_a_release_of_a_real_table_is_gated_and_served_by_its_bound(home, quiet, real_data):
    """What is answered only where it is sure is right more often, and the graph answers the holdout as it was judged."""
    from serving.scoring.onnx import Scorer
    from tasks.data.frames import contract_of, encode, model_input, read_rows

    bounds = "gates: [{metric: abstention, at_most: 0.4}, {metric: selective_accuracy, at_least: 0.92}, {"
    text = ADULT.format(folder=real_data).replace('">50K"', '">50K", confidence: 0.8').replace("gates: [{", bounds, 1)
    case = parse_use_case(text, "real.yaml")
    snapshot, contract, parts, fitted = chain(case)
    evaluation = evaluate.fn(case, parts, contract, fitted)
    found = evaluation.metrics
    assert 0.1 < found["abstention"] < 0.4
    assert found["selective_accuracy"] > found["accuracy"] + 0.03
    with pytest.raises(GateFailed, match=r"all: abstention 0\.\d+, bound <= 0.01"):
        evaluate.fn(parse_use_case(text.replace("at_most: 0.4", "at_most: 0.01"), "real.yaml"), parts, contract, fitted)
    onnx = convert.fn(parts, contract, case.features, fitted)
    columns, frame = contract_of(contract), read_rows(parts.snapshot, parts.cut, parts.snapshot.rows)
    outputs = Scorer(onnx.path, columns).outputs(model_input(encode(columns, frame)[case.features.all]))
    answers, _ = head_of(columns).answer(outputs)
    assert answers.count(None) / len(answers) == pytest.approx(found["abstention"], abs=1e-3)
    built = bundle.fn(case, snapshot, contract, onnx, evaluation, lineage(case, parts, None, contract, onnx))
    card = (built.path / "card.md").read_text()
    assert "below a probability of 0.8 none: a person takes over" in card
    assert f"| abstention | {found['abstention']:.4f} |" in card


def test_a_bound_has_32_bits_as_probabilities_have():
    outputs = np.float32([[0.3, 0.7], [0.4, 0.6]])
    assert unsure(outputs, 0.7).tolist() == [False, True]
    assert unsure(outputs.astype(np.float64), 0.7).tolist() == [False, True]
