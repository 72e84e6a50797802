"""Reasons with an answer: what a request says to get them, and what it gets."""

import asyncio
import hashlib
import json
import math

import jsonschema
import pytest

from configs.settings import prediction_log
from serving.contract.contract import ContractError
from serving.log.writer import PredictionLog
from serving.options import Options
from serving.protocols.native import Native
from serving.protocols.openapi import openapi
from serving.reasons.codes import Coding, written
from serving.refusal import Refusal
from serving.scoring.bundle import CODES, REASONS, read_bundle
from serving.scoring.model import EXPLAINED, Identity, ServedModel
from serving.scoring.pipeline import Pipeline, Visit
from serving.transports.http import App
from tests.unit.rsgi import ask, predict_body

RECORD = {"a": 1.0, "b": 0.5, "c": "red"}


def answered(model, body, submit=None):
    """A body's answer, as the transport gives it."""
    native, shared = Native(model), Pipeline(model, None, Options(bundle="b", log="l"))

    async def whole():
        return await shared.answer(
            Visit(0.0),
            json.dumps(body).encode(),
            lambda content: (native.read(content), None),
            lambda job, _: native.write(job),
            submit or shared.batcher.submit,
        )

    return json.loads(asyncio.run(whole()))


def test_a_native_answer_has_reasons(model):
    told = answered(model, {"records": [RECORD, {**RECORD, "b": None}], "explain": True})["predictions"]
    for row in told:
        reasons = row["reasons"]
        assert (reasons["class"], reasons["scale"]) == ("yes", "log_odds")
        margin = reasons["base"] + sum(reasons["contributions"].values())
        assert 1 / (1 + math.exp(-margin)) == pytest.approx(row["probabilities"]["yes"], abs=1e-5)
        sizes = [abs(value) for value in reasons["contributions"].values()]
        assert sizes == sorted(sizes, reverse=True)
        assert set(reasons["contributions"]) == {"a", "b", "c"}
    plain = answered(model, {"records": [RECORD]})["predictions"][0]
    assert "reasons" not in plain


def test_nothing_is_read_before_somebody_asks(model):
    answered(model, {"records": [RECORD]})
    assert "_reasons" not in vars(model)
    answered(model, {"records": [RECORD], "explain": True})
    assert "_reasons" in vars(model)


def test_a_bundle_without_reasons_says_so(bundle_folder, home):
    manifest = json.loads((bundle_folder / "manifest.json").read_text())
    del manifest["files"][REASONS]
    (bundle_folder / REASONS).unlink()
    (bundle_folder / "manifest.json").write_text(json.dumps(manifest))
    log = PredictionLog(prediction_log("small"))
    without = ServedModel(read_bundle(bundle_folder), Identity("1", "small-v1"), log)
    with pytest.raises(ContractError, match="explain: version 1 gives no reasons: its bundle was made before"):
        answered(without, {"records": [RECORD], "explain": True})
    assert "explain" not in openapi(without)["components"]["schemas"]["PredictRequest"]["properties"]
    log.close()


def test_over_http(model):
    app = App(model, Options(bundle="b", log="l"), None)

    def post(**more):
        answer = asyncio.run(ask(app, "/predict", predict_body(RECORD, **more)))
        return answer.status, json.loads(answer.body)

    assert post(explain=True)[1]["predictions"][0]["reasons"]["scale"] == "log_odds"
    assert "reasons" not in post(explain=False)[1]["predictions"][0]
    assert post(explain="yes")[0] == 422
    model._explaining = b""
    status, said = post(explain=True)
    assert (status, said["error"][:34]) == (422, "explain: version 1 gives no reason")


def test_what_is_answered_is_what_the_document_says(model):
    schemas = openapi(model)["components"]["schemas"]
    answer = answered(model, {"records": [RECORD], "explain": True})
    jsonschema.validate(answer, {**schemas["PredictResponse"], "components": {"schemas": schemas}})
    one = schemas["PredictResponse"]["properties"]["predictions"]["items"]["properties"]["reasons"]
    jsonschema.validate(answer["predictions"][0]["reasons"], one)
    assert schemas["PredictRequest"]["properties"]["explain"]["type"] == "boolean"


def with_words(folder, give="on request"):
    """Puts into a bundle what its reasons are told in words from."""
    templates = {"b": {"": ["b is only ", ("b", "value")]}}
    content = written(Coding(most=2, unfavourable=["no"], templates=templates, protected=["c"], give=give))
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"][CODES] = hashlib.sha256(content).hexdigest()
    (folder / CODES).write_bytes(content)
    (folder / "manifest.json").write_text(json.dumps(manifest))


@pytest.fixture
def worded(bundle_folder, home):
    """The same model, whose reasons are told in words."""
    with_words(bundle_folder)
    log = PredictionLog(prediction_log("small"))
    yield ServedModel(read_bundle(bundle_folder), Identity("1", "small-v1"), log)
    log.close()


def test_reasons_are_told_in_words(worded):
    (answer,) = answered(worded, {"records": [{**RECORD, "b": -2.5}], "explain": True})["predictions"]
    added, codes = answer["reasons"]["contributions"], answer["reasons"]["codes"]
    assert codes[0] == {"columns": ["b"], "says": "b is only -2.5", "moved": -added["b"]}
    assert ["c"] in [code["columns"] for code in codes] or added["c"] >= 0, "what is protected is never left out"
    schemas = openapi(worded)["components"]["schemas"]
    reasons = schemas["PredictResponse"]["properties"]["predictions"]["items"]["properties"]["reasons"]
    jsonschema.validate(answer["reasons"], reasons)
    assert "codes" in reasons["required"]
    plain = answered(worded, {"records": [RECORD]})["predictions"][0]
    assert "reasons" not in plain


def infer(app, explain, outputs=None):
    inputs = [
        {"name": name, "shape": [1, 1], "datatype": "BYTES" if name == "c" else "FP64", "data": [value]}
        for name, value in RECORD.items()
    ]
    parameters = {} if explain is None else {"explain": explain}
    body = {"inputs": inputs, "parameters": parameters, **({"outputs": outputs} if outputs else {})}
    answer = asyncio.run(ask(app, "/v2/models/small/infer", json.dumps(body).encode()))
    return answer.status, json.loads(answer.body)


def test_reasons_are_a_tensor_of_open_inference(worded):
    app = App(worded, Options(bundle="b", log="l"), None)
    told = answered(worded, {"records": [RECORD], "explain": True})["predictions"][0]["reasons"]
    status, answer = infer(app, True)
    assert status == 200
    tensor = answer["outputs"][-1]
    assert {name: tensor[name] for name in ("name", "datatype", "shape")} == {
        "name": "reasons",
        "datatype": "BYTES",
        "shape": [1, 1],
    }
    assert json.loads(tensor["data"][0]) == told
    assert [each["name"] for each in infer(app, None)[1]["outputs"]] == ["y", "probabilities"]
    assert [each["name"] for each in infer(app, True, [{"name": "reasons"}])[1]["outputs"]] == ["reasons"]
    status, answer = infer(app, None, [{"name": "reasons"}])
    assert (status, answer["error"]) == (400, "no output is named 'reasons'; known: y, probabilities")
    assert infer(app, "yes") == (400, {"error": "column 'explain': must be true or false, found 'yes'"})
    worded._explaining = b""
    assert infer(app, True)[1]["error"].startswith("explain: version 1 gives no reasons")


def test_reasons_stand_beside_the_predictions_of_mlflow(worded):
    app = App(worded, Options(bundle="b", log="l"), None)

    def ask_for(**params):
        body = json.dumps({"dataframe_records": [RECORD], "params": params}).encode()
        answer = asyncio.run(ask(app, "/invocations", body, content_type="application/json"))
        return answer.status, json.loads(answer.body)

    told = answered(worded, {"records": [RECORD], "explain": True})["predictions"][0]
    assert ask_for(explain=True)[1] == {"predictions": [told["prediction"]], "reasons": [told["reasons"]]}
    assert ask_for()[1] == {"predictions": [told["prediction"]]}
    status, answer = ask_for(explain=1)
    assert (status, answer["message"]) == (400, "column 'explain': must be true or false, found '1'")
    schema = openapi(worded)["components"]["schemas"]["InvocationsResponse"]
    jsonschema.validate(ask_for(explain=True)[1], schema)


def test_rows_that_another_server_answered_have_none(model):
    async def submit(job):
        model.score([job])
        job.theirs = {1, 70}

    told = answered(model, {"records": [RECORD] * 80, "explain": True}, submit)["predictions"]
    assert [place for place, row in enumerate(told) if row["reasons"] is None] == [1, 70]


def test_more_rows_than_get_reasons_are_refused_and_a_deadline_holds(model):
    with pytest.raises(Refusal, match="1,001 rows in one request; at most 1,000 get reasons") as refused:
        answered(model, {"records": [RECORD] * (EXPLAINED + 1), "explain": True})
    assert refused.value.status == 413

    async def submit(job):
        model.score([job])
        job.budget = 1e-9

    with pytest.raises(Refusal, match="deadline"):
        answered(model, {"records": [RECORD], "explain": True}, submit)


def given(folder, give):
    with_words(folder, give)
    log = PredictionLog(prediction_log("small"))
    return ServedModel(read_bundle(folder), Identity("1", "small-v1"), log)


def test_reasons_that_are_always_given_come_without_being_asked_for(bundle_folder, home):
    model = given(bundle_folder, "always")
    for body in ({"records": [RECORD]}, {"records": [{**RECORD, "b": None}]}):  # read in one piece, and in slices
        row = answered(model, body)["predictions"][0]
        assert "codes" in row["reasons"]
    assert "reasons" not in answered(model, {"records": [RECORD], "explain": False})["predictions"][0]
    with pytest.raises(Refusal, match="reasons"):
        answered(model, {"records": [RECORD] * (EXPLAINED + 1)})
    assert openapi(model)["components"]["schemas"]["PredictRequest"]["properties"]["explain"]["default"] is True
    model.log.close()


def test_reasons_that_are_made_later_are_not_made_by_the_server(bundle_folder, home):
    model = given(bundle_folder, "later")
    assert "reasons" not in answered(model, {"records": [RECORD]})["predictions"][0]
    with pytest.raises(ContractError, match=r"explain: reasons of this use case are made later, from the log .*audit why"):
        answered(model, {"records": [RECORD], "explain": True})
    assert "_reasons" not in vars(model)
    assert "explain" not in openapi(model)["components"]["schemas"]["PredictRequest"]["properties"]
    model.log.close()
