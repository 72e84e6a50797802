"""A function answers what a server answers, whatever event brings the request; batches are taken message by message."""

import asyncio
import base64
import json
import os

import pytest

from serving.options import Options
from serving.security.keys import Guard
from serving.transports.aws_lambda import Function
from serving.transports.http import App
from tasks.log.read import open_log
from tests.unit.lambda_events import http_api, kinesis, load_balancer, rest_api, sqs
from tests.unit.rsgi import ask

OPTIONS = Options(bundle="b", log="l", queue_rows=2**31)
RECORD = {"a": 1.0, "b": 0.5, "c": "red"}
BODY = json.dumps({"records": [RECORD], "prediction_ids": ["mine"]})
WRONG = json.dumps({"records": [{"a": "x", "b": 0.5, "c": "red"}]})
EVENTS = [
    http_api("POST", "/predict", BODY),
    http_api("POST", "/predict", BODY, stage="prod"),
    rest_api("POST", "/predict", BODY),
    load_balancer("POST", "/predict", BODY),
    load_balancer("POST", "/predict", BODY, many=True),
]


@pytest.fixture
def function(model):
    return Function(model, OPTIONS, None)


def predictions():
    return [each["prediction_id"] for each in logged("prediction")]


def logged(kind):
    with open_log("small") as log:
        return log.query(f"select * from log where kind = '{kind}' order by prediction_id").to_arrow_table().to_pylist()


@pytest.mark.parametrize("event", EVENTS)
def test_any_kind_of_event_gets_a_servers_answer(function, model, event):
    server = App(model, OPTIONS, None)
    said = asyncio.run(ask(server, "/predict", BODY.encode(), content_type="application/json"))
    answer = function(event, None)
    assert (answer["statusCode"], answer["body"]) == (200, said.body.decode())
    headers = answer.get("headers") or {name: values[0] for name, values in answer["multiValueHeaders"].items()}
    assert headers == said.headers
    assert ("headers" in answer) == ("headers" in event)


def test_every_protocol_and_every_fault_is_a_servers(function, model):
    server = App(model, OPTIONS, None)
    inputs = [{"name": name, "shape": [1, 1], "datatype": kind, "data": [RECORD[name]]} for name, kind in TYPES.items()]
    asked = [
        ("POST", "/predict", WRONG),
        ("POST", "/predict", "{"),
        ("POST", "/invocations", json.dumps({"dataframe_records": [RECORD]})),
        ("POST", "/v2/models/small/infer", json.dumps({"id": "1", "inputs": inputs})),
        ("POST", "/feedback", json.dumps({"labels": [{"prediction_id": "mine", "label": "yes"}]})),
        ("GET", "/readyz", ""),
        ("GET", "/nowhere", ""),
        ("DELETE", "/predict", ""),
    ]
    for method, path, body in asked:
        said = asyncio.run(ask(server, path, body.encode(), method=method, content_type="application/json"))
        answer = function(http_api(method, path, body), None)
        assert answer["statusCode"] == said.status, path
        if path != "/invocations" and said.status != 200:
            assert answer["body"] == said.body.decode(), path


TYPES = {"a": "FP64", "b": "FP64", "c": "BYTES"}


def test_keys_sizes_and_compression_are_heeded(model, tmp_path):
    (tmp_path / "keys.json").write_text('{"keys": []}')
    function = Function(model, OPTIONS, Guard(tmp_path / "keys.json"))
    assert function(http_api("POST", "/predict", BODY), None)["statusCode"] == 401
    small = Function(model, Options(bundle="b", log="l", body_bytes=10), None)
    assert small(http_api("POST", "/predict", BODY), None)["statusCode"] == 413
    packed = http_api("POST", "/predict", BODY, **{"content-encoding": "gzip"})
    assert Function(model, OPTIONS, None)(packed, None)["statusCode"] == 415
    assert predictions() == []


def test_servers_among_themselves_are_not_asked_through_a_function(function):
    for method, path in (("POST", "/internal/score"), ("GET", "/internal/plans")):
        event = http_api(method, path, BODY)
        del event["headers"]["x-forwarded-for"]
        assert function(event, None)["statusCode"] == 404
    assert predictions() == []


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({"isBase64Encoded": True, "body": None}, 400),
        ({"isBase64Encoded": True, "body": "no base64"}, 400),
        ({"body": None}, 400),
        ({"headers": None, "requestContext": {"http": {"method": "POST"}, "stage": "$default"}}, 200),
    ],
)
def test_odd_events_are_answered(function, changed, status):
    assert function(http_api("POST", "/predict", BODY) | changed, None)["statusCode"] == status


def test_an_answer_that_is_no_text_is_base64(function):
    inputs = [{"name": name, "shape": [1, 1], "datatype": kind, "data": [RECORD[name]]} for name, kind in TYPES.items()]
    body = json.dumps({"inputs": inputs, "parameters": {"binary_data_output": True}})
    answer = function(http_api("POST", "/v2/models/small/infer", body), None)
    assert answer["statusCode"] == 200
    content = base64.b64decode(answer["body"]) if answer["isBase64Encoded"] else answer["body"].encode()
    length = int(answer["headers"]["inference-header-content-length"])
    assert json.loads(content[:length])["model_name"] == "small"
    assert len(content) > length


def test_who_may_send_messages_the_queue_decides(model, tmp_path):
    (tmp_path / "keys.json").write_text('{"keys": []}')
    function = Function(model, OPTIONS, Guard(tmp_path / "keys.json"))
    assert function(sqs(BODY), None) == {"batchItemFailures": []}


def test_a_nested_message_fails_alone(function):
    answer = function(sqs(BODY, '{"a":' * 100_000), None)
    assert [each["itemIdentifier"][-1] for each in answer["batchItemFailures"]] == ["1"]
    assert predictions() == ["mine"]


def test_a_long_id_stays_its_own(function):
    one, two = kinesis(json.dumps({"records": [RECORD]})), kinesis(json.dumps({"records": [RECORD]}))
    for event, start in ((one, "a"), (two, "b")):
        event["Records"][0]["eventID"] = start + "x" * 200
        function(event, None)
    assert len(set(predictions())) == 2


def test_messages_are_predictions_by_their_own_ids(function):
    body = json.dumps({"records": [RECORD]})
    many = json.dumps({"records": [RECORD] * 2})
    assert function(sqs(body, many, BODY), None) == {"batchItemFailures": []}
    function(sqs(body), None)  # it came twice, as it may
    first, second = "00000000-0000-4000-8000-000000000000", "00000000-0000-4000-8000-000000000001"
    assert sorted(set(predictions())) == [first, f"{second}-0", f"{second}-1", "mine"]


def test_what_cannot_be_taken_comes_again_and_nothing_else(function):
    labels = json.dumps({"labels": [{"prediction_id": "mine", "label": "yes"}]})
    answer = function(sqs(BODY, WRONG, "no json", labels), None)
    assert [each["itemIdentifier"][-1] for each in answer["batchItemFailures"]] == ["1", "2"]
    assert predictions() == ["mine"]
    assert [each["label"] for each in logged("feedback")] == ["yes"]
    assert sum(each["requests"] for each in logged("refused")) == 2, "they are counted before the function sleeps"


def test_nothing_overtakes_what_failed_in_its_own_order(function):
    one, two = (json.dumps({"records": [RECORD], "prediction_ids": [name]}) for name in ("one", "two"))
    answer = function(sqs(WRONG, one, two, groups=("a", "a", "b")), None)
    assert [each["itemIdentifier"][-1] for each in answer["batchItemFailures"]] == ["0", "1"]
    answer = function(kinesis(one, WRONG, two), None)
    assert [int(each["itemIdentifier"]) for each in answer["batchItemFailures"]] == [49546, 49547]


def test_a_batch_of_large_messages_is_taken_whole(function):
    large = json.dumps({"records": [RECORD] * 3000})  # of which a server takes on four at once
    assert function(sqs(*[large] * 9), None) == {"batchItemFailures": []}
    assert len(set(predictions())) == 27_000


def test_while_the_log_cannot_be_written_every_message_comes_again(function, model, monkeypatch):
    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(model.log, "append", full)
    assert len(function(sqs(BODY, BODY), None)["batchItemFailures"]) == 2


@pytest.mark.parametrize(
    ("event", "told"),
    [
        ({"detail-type": "Scheduled Event", "source": "aws.events"}, "an event with detail-type, source: it is none of API"),
        ({}, "an event with nothing: it is none of API Gateway"),
        ({"Records": [{"eventSource": "aws:s3"}]}, "records of aws:s3: only those of aws:sqs and aws:kinesis are taken"),
    ],
)
def test_another_event_is_refused(function, event, told):
    with pytest.raises(ValueError, match=told):
        function(event, None)


def test_copies_of_a_loaded_function_name_their_predictions_apart(function, model):
    """SnapStart loads a function once and copies it. Nothing is random, open or connected before the first event."""
    model.log.close()
    before = set(os.listdir("/proc/self/fd"))
    body = json.dumps({"records": [RECORD]})
    ids = set()
    for _ in range(2):
        read, write = os.pipe()
        if (child := os.fork()) == 0:
            told = json.loads(function(http_api("POST", "/predict", body), None)["body"])
            os.write(write, told["predictions"][0]["prediction_id"].encode())
            os._exit(0)
        os.waitpid(child, 0)
        ids.add(os.read(read, 100))
        os.close(read), os.close(write)
    assert len(ids) == 2
    assert len(predictions()) == 2, "each has a segment of its own"
    assert set(os.listdir("/proc/self/fd")) == before
