"""Gates against a real server: what they find, and what they measure."""

import json
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import httpx
import numpy as np
import pytest

from configs.errors import InputError
from configs.schema import Direction, Invariance, Load, Minimum
from configs.settings import PROJECT
from serving.scoring.bundle import read_bundle
from tasks.gates.behaviour import Model, _declared, typical
from tasks.gates.checks import run
from tasks.gates.load import Memory, Result, judge, phases
from tests.conftest import small_use_case


@pytest.fixture
def asked(serve, bundle_folder, built_bundle):
    """The small bundle's server as the behaviour gate asks it, and records that it was trained on."""
    import pyarrow.parquet as pq

    server, contract = serve(), read_bundle(bundle_folder).contract
    rows = pq.read_table(built_bundle[1], columns=list(contract.names)).to_pylist()[:50]
    records = [{name: value for name, value in row.items() if value is not None} for row in rows]
    model = Model(server.client, contract)
    return SimpleNamespace(model=model, contract=contract, records=records, before=model.outputs(records))


def declared(asked, case):
    return _declared(case, asked.model, asked.records, asked.before, asked.contract)


def test_invariance(asked):
    ids = Invariance(test="invariance", change={"customer": ["alice", "42"]}, because="who asks")
    assert declared(asked, ids).passed
    colour = declared(asked, Invariance(test="invariance", change={"a": [9.0, -9.0]}, because="nonsense"))
    assert not colour.passed
    assert "of 50 cases as declared; the worst, reference case" in colour.found


def test_direction(asked):
    """y is yes where a + b is large, so more of a must help; the opposite is found out, with how far it is off."""
    up = Direction(test="direction", add={"a": 2.0}, probability="never falls", because="a helps", at_least=0.8)
    assert declared(asked, up).passed
    down = declared(asked, up.model_copy(update={"probability": "never rises"}))
    assert not down.passed
    assert "a +2" in down.found


def test_minimum(asked):
    plain = Minimum(test="minimum", given={"a": 3.0, "b": 3.0}, label="yes", because="plain")
    assert declared(asked, plain).found == "answered yes"
    wrong = declared(asked, plain.model_copy(update={"label": "no"}))
    assert (wrong.passed, wrong.found) == (False, "answered yes instead of no")
    assert set(typical(asked.records, asked.contract)) == set(asked.contract.names)


def test_no_server_is_a_failed_check():
    found = run("ready", lambda: httpx.get("http://127.0.0.1:1/readyz", timeout=1).text)
    assert (found.passed, found.found[:12]) == (False, "ConnectError")


@pytest.mark.parametrize(
    ("gates", "told"),
    [
        (
            "{behaviour: [{test: invariance, change: {who: [1]}, because: x}]}",
            "'who' is neither a feature nor",
        ),
        ("{behaviour: [{test: direction, add: {c: 1}, probability: never falls, because: x}]}", "'c' is not numeric"),
        ("{behaviour: [{test: direction, ad: {a: 1}, probability: never falls, because: x}]}", "did you mean 'add'?"),
        ("{load: {rate: 0, p99: 10}}", "'gates.load.rate': input should be greater than 0"),
        ("{load: {rate: 5, p99: 10, memory: much}}", "'gates.load.memory': 'much' is not a size"),
    ],
)
def test_bad_gates_are_told(tmp_path, gates, told):
    with pytest.raises(InputError) as error:
        small_use_case(tmp_path, **{"monitoring:": f"gates: {gates}\nmonitoring:"})
    assert told in str(error.value)


class Stalling(ThreadingHTTPServer):
    """Answers at once, but nobody for one second in the middle."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self):
        self.began = time.monotonic()
        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        if self.headers["x-from"]:
            begin = self.server.began + float(self.headers["x-from"])
            if begin < time.monotonic() < begin + 1:
                time.sleep(begin + 1 - time.monotonic())
        self.send_response(200)
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_):
        pass


def generate(address, phases, **headers):
    plan = {"address": address, "path": "/", "headers": headers, "bodies": [{}], "phases": phases}
    command = [sys.executable, "-m", "tasks.gates.generator"]
    done = subprocess.run(command, input=json.dumps(plan), cwd=PROJECT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [Result(*json.loads(line)) for line in done.stdout.splitlines()]


def test_a_server_that_stalls_is_charged_for_everyone_who_came_meanwhile():
    """One second of silence in five: a fifth of all requests fell into it, and waited half a second in the mean."""
    server = Stalling()
    soak = [{"phase": "soak", "first": 100, "last": 100, "seconds": 5}]
    server.began = time.monotonic()
    results = generate(f"http://127.0.0.1:{server.server_port}", soak, **{"x-from": "5"})
    server.shutdown()
    assert len(results) == 499
    waited = np.array([result.latency for result in results])
    assert 0.05 < (waited > 0.1).mean() < 0.4
    assert waited.max() > 0.6


def test_bounds_are_judged_on_what_was_measured():
    load = Load(rate=10, p99=50, errors=0.01)
    good = [Result("soak", n / 10, 0.01, 0.0, 200) for n in range(200)]
    flash = [Result("flash", 5.0, 0.4, 0.0, status) for status in (200, 429, 503)]
    steady = [Memory(n / 4, 10**8) for n in range(80)]
    assert all(check.passed for check in judge(good + flash, steady, load))
    slow = [*good[:190], *(result._replace(latency=0.2) for result in good[190:])]
    failing = [*good[:190], *(result._replace(status=500) for result in good[190:])]
    lost = [*flash, Result("flash", 5.0, 0.4, 0.0, 502)]
    leaking = [Memory(n / 4, 10**8 + n * 2 * 10**6) for n in range(80)]
    for results, memory, name in (
        (slow + flash, steady, "latency at the promised rate"),
        (failing + flash, steady, "errors at the promised rate"),
        (good + lost, steady, "flash sale"),
        (good + flash, leaking, "memory"),
    ):
        assert [check.check for check in judge(results, memory, load) if not check.passed] == [name]
    assert sum(phase["seconds"] for phase in phases(load)) == 18
