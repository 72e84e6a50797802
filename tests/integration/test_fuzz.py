"""Bodies and bytes that nobody should send: whatever comes, the server answers below 500 or closes, and goes on.

`SLIPWAY_FUZZ_SECONDS=600 pytest tests/integration/test_fuzz.py -s` fuzzes for longer and prints what it counted.
"""

import collections
import copy
import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import httpx
import psutil
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

SECONDS = float(os.environ.get("SLIPWAY_FUZZ_SECONDS", "16"))
RECORD = {"a": 1.0, "b": 0.5, "c": "red"}
PATHS = ["/predict", "/feedback", "/invocations", "/v2/models/small/infer"]
KINDS = ["application/json", "text/csv", "application/octet-stream", "", "application/json; charset=utf-16"]
SEEDS = [
    {"records": [RECORD, {**RECORD, "b": None}], "event_time": "2020-01-01T00:00:00Z", "prediction_ids": ["x", "y"]},
    {"labels": [{"prediction_id": "x", "label": "yes"}]},
    {"dataframe_split": {"columns": ["a", "c"], "data": [[1, "red"]]}, "params": {"predict_fn": "predict_proba"}},
    {"inputs": {"a": [1], "c": ["red"]}},
    {
        "id": "1",
        "parameters": {"binary_data_output": True},
        "inputs": [
            {"name": "a", "shape": [1, 1], "datatype": "FP32", "data": [1.0]},
            {"name": "c", "shape": [1], "datatype": "BYTES", "data": ["red"], "parameters": {"binary_data_size": 7}},
        ],
        "outputs": [{"name": "probabilities", "parameters": {"binary_data": True}}],
    },
]
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-(10**400), 10**400),
    st.floats(),
    st.text(max_size=10),
    st.sampled_from([RECORD, "red", "FP32", "BYTES", "yes", 1e39, 2**63, -1, 0, "", [], {}]),
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=5), inner, max_size=4))
)


def spots(value, path=()):
    """Every place in a JSON value."""
    yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in inner:
        yield from spots(item, (*path, key))


@st.composite
def bodies(draw):
    """A body that was right, with one or two places changed; or any bytes."""
    if draw(st.integers(0, 9)) == 0:
        return draw(st.binary(max_size=200))
    value = json.loads(json.dumps(draw(st.sampled_from(SEEDS))))
    for _ in range(draw(st.integers(1, 2))):
        path = draw(st.sampled_from(list(spots(value))))
        if not path:
            value = copy.deepcopy(draw(VALUES))
            continue
        place = value
        for key in path[:-1]:
            place = place[key]
        if draw(st.booleans()):
            place[path[-1]] = copy.deepcopy(draw(VALUES))
        else:
            del place[path[-1]]
    text = bytearray(json.dumps(value).encode())
    if text and draw(st.integers(0, 4)) == 0:
        text[draw(st.integers(0, len(text) - 1))] = draw(st.integers(0, 255))
    return bytes(text)


def untouched(server):
    """The same worker as before answers as before, and nothing of what came was its own fault."""
    assert server.client.post("/predict", json={"records": [RECORD]}).status_code == 200
    assert 'status="5' not in server.client.get("/metrics").text
    return {child.pid for child in psutil.Process(server.process.pid).children()}


def test_bodies_never_break_it(serve):
    server = serve("--cache", "10")
    workers, statuses, deadline = untouched(server), collections.Counter(), time.monotonic() + SECONDS / 2

    @settings(max_examples=10**9, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    @given(st.sampled_from(PATHS), bodies(), st.sampled_from(KINDS), st.sampled_from([None] * 6 + [-1, 0, 5, 120, 300]))
    def send(path, body, kind, json_length):
        if time.monotonic() > deadline:
            raise KeyboardInterrupt
        headers = {"content-type": kind}
        if json_length is not None:
            headers["inference-header-content-length"] = str(json_length)
        answer = server.client.post(path, content=body, headers=headers)
        statuses[answer.status_code] += 1
        assert answer.status_code < 500, (path, kind, body, answer.text)
        if answer.headers["content-type"] == "application/json":
            json.loads(answer.content)

    try:
        send()
    except KeyboardInterrupt:
        print(f"\n{sum(statuses.values()):,} bodies, answers by status: {dict(sorted(statuses.items()))}")
    assert len(statuses) >= 3
    assert untouched(server) == workers


def test_bytes_never_break_it(serve):
    server = serve("--body-seconds", "1")
    workers, statuses, chance = untouched(server), collections.Counter(), random.Random(5)
    body = json.dumps({"records": [RECORD]}).encode()
    head = b"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
    requests = [
        head % len(body) + body,
        b"GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n",
        b"POST /predict HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(body), body),
    ]
    deadline, sent = time.monotonic() + SECONDS / 2, 0
    while time.monotonic() < deadline:
        data = bytearray(chance.choice(requests) * chance.randint(1, 3))
        for _ in range(chance.randint(0, 4)):
            at = chance.randrange(len(data))
            match chance.randrange(4):
                case 0:
                    data[at] = chance.randrange(256)
                case 1:
                    del data[at : at + chance.randint(1, 20)]
                case 2:
                    data[at:at] = chance.randbytes(chance.randint(1, 20))
                case 3:
                    data = data[: at + 1]
            if not data:
                break
        answer = server.raw(bytes(data), seconds=0.02)  # then the client is gone, often in the middle
        sent += 1
        for part in answer.split(b"HTTP/1.")[1:]:
            status = int(part.split(b" ")[1])
            statuses[status] += 1
            assert status < 500, (bytes(data), part)
    print(f"\n{sent:,} raw requests, answers by status: {dict(sorted(statuses.items()))}")
    assert statuses[200]
    assert untouched(server) == workers


def test_schemathesis_finds_nothing(serve):
    """All of its checks but one: a schema cannot say that ids and records are equally many, so valid data may be refused."""
    server = serve()
    command = [str(Path(sys.executable).parent / "st"), "run", f"{server.url}/openapi.json", "--no-color", "--seed", "1"]
    command += ["--checks", "all", "--exclude-checks", "positive_data_acceptance"]
    command += ["--max-examples", os.environ.get("SLIPWAY_SCHEMATHESIS_EXAMPLES", "60")]
    done = subprocess.run(command, cwd=server.output.parent, capture_output=True, text=True, check=False)
    print(done.stdout)
    assert done.returncode == 0, done.stdout
    assert httpx.get(f"{server.url}/readyz").status_code == 200
