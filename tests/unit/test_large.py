"""Large, slow and silent requests: what they may take, and that nobody else waits for them."""

import asyncio
import json
import threading

import pytest

from serving.log.writer import PredictionLog
from serving.options import Options
from serving.protocols.openapi import openapi
from serving.scoring.admission import LARGE_BYTES, LARGE_REQUESTS
from serving.scoring.beside import LARGE_BODY
from serving.scoring.bundle import read_bundle
from serving.scoring.model import Identity, ServedModel
from serving.transports.bodies import SMALL
from serving.transports.http import App
from tests.unit.rsgi import ask, predict_body

RECORD = {"a": 1.0, "b": 0.5, "c": "red"}
GOOD = predict_body(RECORD)


@pytest.fixture
def make(built_bundle, tmp_path):
    """Makes applications with some of their limits changed."""
    logs = []

    def app(request_rows=100_000, **more):
        logs.append(PredictionLog(tmp_path / "log"))
        model = ServedModel(read_bundle(built_bundle[0]), Identity("1", "r"), logs[-1], request_rows=request_rows)
        return App(model, Options(bundle="b", log="l", request_rows=request_rows, **more), None)

    yield app
    for log in logs:
        log.close()


def tensors(rows):
    values = {"a": [1.0] * rows, "c": ["red"] * rows}
    kinds = {"a": "FP64", "c": "BYTES"}
    return {"inputs": [{"name": n, "shape": [rows], "datatype": kinds[n], "data": v} for n, v in values.items()]}


def bodies(rows):
    """The same rows in every protocol: path, body, content type."""
    records = [RECORD] * rows
    split = {"columns": ["a", "c"], "data": [[1.0, "red"]] * rows}
    yield "/predict", {"records": records}, "application/json"
    yield "/invocations", {"dataframe_records": records}, "application/json"
    yield "/invocations", {"dataframe_split": split}, "application/json"
    yield "/invocations", {"inputs": {"a": [1.0] * rows, "c": ["red"] * rows}}, "application/json"
    yield "/invocations", "a,c\n" + "1,red\n" * rows, "text/csv"
    yield "/v2/models/small/infer", tensors(rows), "application/json"
    yield "/feedback", {"labels": [{"prediction_id": "x", "label": "yes"}] * rows}, "application/json"


def sent(body):
    return body.encode() if isinstance(body, str) else json.dumps(body).encode()


@pytest.mark.parametrize("number", range(7))
def test_there_is_a_limit_on_rows_in_every_protocol(make, number):
    app = make(request_rows=20)

    def ask_for(rows):
        path, body, kind = list(bodies(rows))[number]
        return asyncio.run(ask(app, path, sent(body), content_type=kind))

    assert ask_for(20).status == 200
    for rows in (21, 5000):  # as small bodies, and as large ones
        answer = ask_for(rows)
        assert answer.status == 413, answer.body
        assert b"rows in one request; at most 20 are taken" in answer.body


def test_the_limit_is_in_the_openapi_document(make):
    schemas = openapi(make(request_rows=77).model)["components"]["schemas"]
    assert schemas["PredictRequest"]["properties"]["records"]["maxItems"] == 77
    assert schemas["FeedbackRequest"]["properties"]["labels"]["maxItems"] == 77
    assert [form["properties"]["instances"]["maxItems"] for form in schemas["Invocations"]["oneOf"][1:2]] == [77]


def test_more_commas_than_rows_could_have_are_refused_before_they_cost_memory(make):
    app = make(request_rows=20)
    for path, body in (
        ("/predict", b'{"records":[' + b"{}," * 10_000 + b"{}]}"),
        ("/predict", b'{"records":[' + b"1," * 40_000 + b"1]}"),
        ("/invocations", b'{"instances":[' + b"1," * 40_000 + b"1]}"),
        ("/v2/models/small/infer", b'{"inputs":[{"data":[' + b"1," * 40_000 + b"1]}]}"),
    ):
        assert asyncio.run(ask(app, path, body)).status == 413, path
    text = json.dumps({"records": [{**RECORD, "c": ',"\\' * 40_000}]}).encode()
    assert asyncio.run(ask(app, "/predict", text)).status == 200


@pytest.mark.parametrize("number", range(7))
def test_the_loop_goes_on_while_a_large_body_with_a_fault_is_read(make, number):
    """Not timed: while the thread for large bodies is held, requests that come after one of them are answered before it."""
    app = make()
    path, body, kind = list(bodies(30_000))[number]
    match number:
        case 0:
            body["records"][-1] = {"a": "x"}
        case 1:
            body["dataframe_records"][-1] = {"a": "x"}
        case 2:
            body["dataframe_split"]["data"][-1] = ["x", "red"]
        case 3:
            body["inputs"]["a"][-1] = "x"
        case 4:
            body += "x,red\n"
        case 5:
            body["inputs"][0]["data"][-1] = True
        case 6:
            body["labels"][-1] = {"prediction_id": "x", "label": "perhaps"}
    content, held = sent(body), threading.Event()
    assert len(content) > LARGE_BODY

    async def both():
        holding = asyncio.ensure_future(app.pipeline.beside(held.wait))
        large = asyncio.ensure_future(ask(app, path, content, content_type=kind))
        small = [await ask(app, "/predict", GOOD) for _ in range(3)]
        assert not large.done()
        held.set()
        await holding
        return await large, small

    large, small = asyncio.run(both())
    assert large.status in (400, 422)
    row = 30_000 if number == 4 else 29_999
    assert f"row {row}".encode() in large.body
    assert [answer.status for answer in small] == [200] * 3


def test_silent_connections_shut_nobody_out(make):
    app = make(queue_rows=10)

    async def crowd():
        gone = asyncio.Event()
        lengths = [100] * 300 + [3 * LARGE_BYTES] * 300  # what they say they will send
        silent = [
            asyncio.ensure_future(ask(app, "/predict", parts=[None], gone=gone, content_length=str(n))) for n in lengths
        ]
        await asyncio.sleep(0)
        full = await ask(app, "/predict", GOOD)
        reached = False
        for _ in range(600):  # until the sweep finds them slow: some hundredths of a second
            app._bodies.sweep()
            if not app._bodies._prompt and (await ask(app, "/predict", GOOD)).status == 200:
                reached = True
                break
            await asyncio.sleep(0.01)
        large = await ask(app, "/predict", predict_body(*[RECORD] * 3000))
        gone.set()
        await asyncio.gather(*silent)
        return full, reached, large

    full, reached, large = asyncio.run(crowd())
    assert full.status == 429
    assert reached
    assert large.status == 200
    assert app.pipeline.admission.rows == 0


def test_bodies_of_unknown_length_count_by_what_came(make):
    app = make()
    body = predict_body(*[RECORD] * 31_000)
    assert len(body) > LARGE_BYTES
    pieces = [body[at : at + SMALL] for at in range(0, len(body), SMALL)]

    async def crowd():
        return await asyncio.gather(*(ask(app, "/predict", parts=pieces) for _ in range(24)))

    statuses = [answer.status for answer in asyncio.run(crowd())]
    assert statuses.count(200) == LARGE_REQUESTS
    assert statuses.count(429) == 24 - LARGE_REQUESTS
    assert app.pipeline.admission.rows == 0


def test_what_lies_around_of_unfinished_bodies_has_a_bound(make):
    app = make(body_bytes=4 * SMALL)

    async def crowd():
        gone = asyncio.Event()
        halves = [asyncio.ensure_future(ask(app, "/predict", parts=[b" " * 3 * SMALL, None], gone=gone)) for _ in range(8)]
        for _ in range(20):
            await asyncio.sleep(0)
        held = app._bodies._held
        gone.set()
        return held, [answer.status for answer in await asyncio.gather(*halves)]

    held, statuses = asyncio.run(crowd())
    assert held <= 16 * SMALL
    assert set(statuses) == {429, 499}
    assert app._bodies._held == 0


def test_feedback_is_admitted_like_everything_else(make):
    app = make(queue_rows=10)
    place = app.pipeline.admission.enter(256 * 10)
    label = json.dumps({"labels": [{"prediction_id": "x", "label": "yes"}]}).encode()
    refused = asyncio.run(ask(app, "/feedback", label))
    assert (refused.status, refused.headers["retry-after"]) == (429, "1")
    app.pipeline.admission.leave(place)
    assert asyncio.run(ask(app, "/feedback", label)).status == 200


def test_many_outcomes_are_logged_only_where_all_are_right(make):
    app = make()
    labels = [{"prediction_id": str(number), "label": "yes"} for number in range(5000)]
    good = asyncio.run(ask(app, "/feedback", json.dumps({"labels": labels}).encode()))
    assert json.loads(good.body) == {"accepted": 5000}
    before = app.model.metrics.text()
    wrong = [*labels, {"prediction_id": "x", "label": "perhaps"}]
    assert asyncio.run(ask(app, "/feedback", json.dumps({"labels": wrong}).encode())).status == 422
    assert b"slipway_feedback_total 5000.0" in before
    assert b"slipway_feedback_total 5000.0" in app.model.metrics.text()
