"""What came stays with whoever sent it: neither the server's log nor an open document says it."""

import asyncio
import json
import logging

import grpc
import pytest

from serving.contract.contract import Column, Contract
from serving.contract.heads.choose import head_of
from serving.log.writer import PredictionLog
from serving.options import Options
from serving.protocols.openapi import _schemas, example, openapi
from serving.scoring.bundle import read_bundle
from serving.scoring.model import Identity, ServedModel
from serving.security.keys import Guard
from serving.telemetry.json_log import JsonFormatter
from serving.transports import open_inference_pb2 as messages
from serving.transports.grpc import Service
from serving.transports.http import App
from tasks.deploying.keys import create_key, keys_folder
from tests.unit.rsgi import ask, predict_body

SECRET = "Smith-1970-very-private"
RECORD = {"a": 1.0, "b": 0.5, "c": "red"}


@pytest.fixture
def app(built_bundle, home, tmp_path):
    log = PredictionLog(tmp_path / "log")
    model = ServedModel(read_bundle(built_bundle[0]), Identity("1", "r"), log)
    yield App(model, Options(bundle="b", log="l", access_log=True), None)
    log.close()


@pytest.fixture
def lines():
    """The server's own log, as it is printed."""
    found, formatter = [], JsonFormatter("r")

    class Keep(logging.Handler):
        def emit(self, record):
            found.append(formatter.format(record))

    logger, handler = logging.getLogger("slipway"), Keep()
    logger.addHandler(handler)
    level = logger.level
    logger.setLevel(logging.INFO)
    yield found
    logger.setLevel(level)
    logger.removeHandler(handler)


def tensor(name, kind, data):
    return {"name": name, "shape": [1], "datatype": kind, "data": data}


BODIES = [
    ("/predict", predict_body({"a": SECRET, "c": "red"})),
    ("/predict", predict_body({"a": 1, "c": [SECRET]})),
    ("/predict", predict_body({"a": 1, "c": "red", SECRET: 1})),
    ("/predict", predict_body(RECORD, event_time=SECRET)),
    ("/predict", predict_body(RECORD, **{SECRET: 1})),
    ("/predict", predict_body(RECORD, prediction_ids=[SECRET, SECRET])),
    ("/predict", predict_body({**RECORD, "customer": [SECRET]})),
    ("/predict", b'{"records": [' + SECRET.encode()),
    ("/invocations", json.dumps({SECRET: 1}).encode()),
    ("/invocations", json.dumps({"instances": [{"a": SECRET}]}).encode()),
    ("/invocations", json.dumps({"instances": [RECORD], "params": {"predict_fn": SECRET}}).encode()),
    ("/v2/models/small/infer", json.dumps({"inputs": [tensor("a", "FP64", [SECRET])]}).encode()),
    ("/v2/models/small/infer", json.dumps({"inputs": [tensor(SECRET, "FP64", [1])]}).encode()),
    ("/v2/models/small/infer", json.dumps({"inputs": [tensor("a", SECRET, [1])]}).encode()),
    ("/v2/models/small/infer", json.dumps({"inputs": [], "outputs": [{"name": SECRET}]}).encode()),
    ("/feedback", json.dumps({"labels": [{"prediction_id": "x", "label": SECRET}]}).encode()),
    ("/feedback", json.dumps({"labels": [{"prediction_id": "x", "kpis": {SECRET: 1}}]}).encode()),
]


@pytest.mark.parametrize(("path", "body"), BODIES)
def test_a_refusal_tells_the_sender_and_not_the_log(app, lines, path, body):
    answer = asyncio.run(ask(app, path, body))
    assert answer.status in (400, 422)
    (line,) = [json.loads(line) for line in lines]
    assert (line["status"], line["path"]) == (answer.status, path)
    assert line["problem"]
    assert SECRET not in json.dumps(line)


def test_the_log_says_where(app, lines):
    answer = asyncio.run(ask(app, "/predict", predict_body(RECORD, {**RECORD, "a": SECRET})))
    assert f"row 1, column 'a': must be a number, found '{SECRET}'" in json.loads(answer.body)["error"]
    assert json.loads(lines[0])["problem"] == "row 1, column 'a': against the contract"


def test_a_defect_has_an_id_in_the_answer_and_its_place_in_the_log(app, lines):
    app.model.records.inputs = lambda rows: int(SECRET)
    answer = asyncio.run(ask(app, "/predict", predict_body(RECORD)))
    told = json.loads(answer.body)["error"]
    assert answer.status == 500
    defect = next(json.loads(line) for line in lines if "defect" in line)
    assert f"internal error {defect['id']}" in told
    assert defect["defect"][0] == "builtins.ValueError"
    assert "test_untold.py" in defect["defect"][-1]
    assert SECRET not in told + "".join(lines)


class Context:
    """What gRPC hands to a call; an abort is kept, and ends the call as there."""

    def __init__(self):
        self.aborted = None

    def invocation_metadata(self):
        return ()

    def time_remaining(self):
        return None

    async def abort(self, code, text):
        self.aborted = code, text
        raise grpc.aio.AbortError


def call(handler, body):
    context = Context()
    with pytest.raises(grpc.aio.AbortError):
        asyncio.run(handler(body, context))
    return context.aborted


def infer_request(rows=1, **change):
    request = messages.ModelInferRequest(**{"model_name": "small", **change})
    for name, kind in (("a", "FP64"), ("c", "BYTES")):
        tensor = request.inputs.add(name=name, datatype=kind, shape=[rows])
        if kind == "BYTES":
            tensor.contents.bytes_contents.extend([b"red"] * rows)
        else:
            tensor.contents.fp64_contents.extend([1.0] * rows)
    return request.SerializeToString()


def test_grpc_tells_a_defect_by_its_id(app, lines):
    service = Service(app, None, None)
    app.model.records.from_columns = lambda table: int(SECRET)
    code, text = call(service._infer, infer_request())
    defect = next(json.loads(line) for line in lines if "defect" in line)
    assert (code, f"internal error {defect['id']}" in text) == (grpc.StatusCode.INTERNAL, True)
    assert SECRET not in text + "".join(lines)

    def broken(request):
        raise ValueError(SECRET)

    code, text = call(service._plain("ServerLive", broken, messages.ServerLiveRequest), b"")
    assert (code, SECRET in text) == (grpc.StatusCode.INTERNAL, False)


def test_grpc_has_a_code_for_every_refusal(app, lines):
    service = Service(app, None, None)
    assert call(service._infer, b"\xff" * 20) == (grpc.StatusCode.INVALID_ARGUMENT, "not a ModelInferRequest")
    assert call(service._infer, infer_request(model_name="other"))[0] == grpc.StatusCode.NOT_FOUND
    assert call(service._plain("ModelReady", service._model_ready, messages.ModelReadyRequest), b"\xff" * 9)[0] == (
        grpc.StatusCode.INVALID_ARGUMENT
    )
    app.model.request_rows = 2
    assert call(service._infer, infer_request(rows=3))[0] == grpc.StatusCode.INVALID_ARGUMENT
    app.pipeline.admission.enter(256 * 256)
    app.pipeline.admission.enter(256 * 256)
    assert call(service._infer, infer_request())[0] == grpc.StatusCode.RESOURCE_EXHAUSTED


def test_with_authentication_the_document_needs_a_key(app, home):
    key = create_key("small", "checkout", ("predict",))
    closed = App(app.model, app._options, Guard(keys_folder("small") / "keys.json"))

    def get(path, **headers):
        return asyncio.run(ask(closed, path, method="GET", **headers))

    assert get("/openapi.json").status == 401
    assert get("/v2/models/small").status == 401
    assert get("/openapi.json", authorization=f"Bearer {key}").status == 200
    assert get("/docs").status == 200
    assert asyncio.run(ask(app, "/openapi.json", method="GET")).status == 200


def test_sensitive_columns_show_nothing_that_training_saw(app):
    shown = json.dumps(openapi(app.model))
    (column,) = [column for column in app.model.contract.columns if column.sensitive]
    assert column.categories
    assert not [category for category in column.categories if f'"{category}"' in shown]
    columns = (
        Column("town", "categorical", sensitive=True, categories=("Springfield",)),
        Column("income", "numeric", sensitive=True, low=123456, high=123456),
        Column("open", "categorical", categories=("Shelbyville",)),
    )
    contract = Contract("demo", columns, "y", (0, 1))
    document = json.dumps([example(contract), _schemas(contract, head_of(contract), 10, explains=True)])
    assert "Springfield" not in document
    assert "123456" not in document
    assert "Shelbyville" in document
