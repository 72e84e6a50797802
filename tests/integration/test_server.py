"""The server as a process: durable through kill -9, strict, graceful."""

import json
import os
import signal
import subprocess
import sys
import threading
import time

import httpx
import pytest

from configs.settings import PROJECT
from tasks.targets.ports import free_port
from tests.unit.test_serving import RECORD, small_bundle  # noqa: F401


class Server:
    def __init__(self, bundle, log):
        self.port = free_port()
        command = [sys.executable, "-m", "serving", "--bundle", str(bundle), "--log", str(log), "--port", str(self.port)]
        self.process = subprocess.Popen(command, cwd=PROJECT, start_new_session=True)
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=5)
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            try:
                if self.client.get("/readyz").status_code == 200:
                    return
            except httpx.TransportError:
                time.sleep(0.02)
        raise AssertionError("the server did not come up")

    def kill(self):
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


@pytest.fixture
def server(small_bundle, home):  # noqa: F811
    from configs.settings import prediction_log

    server = Server(small_bundle.path, prediction_log("small"))
    yield server
    if server.process.poll() is None:
        server.kill()


def test_routes_and_errors(server):
    get, post = server.client.get, server.client.post
    for path in (
        "/livez",
        "/readyz",
        "/v2",
        "/v2/health/live",
        "/v2/health/ready",
        "/v2/models/small",
        "/v2/models/small/ready",
    ):
        assert get(path).status_code == 200, path
    answer = post("/predict", json={"records": [RECORD], "event_time": "2020-01-01T00:00:00Z"})
    assert answer.status_code == 200
    assert answer.headers["x-slipway-release"].startswith("small-")
    assert get("/nowhere").status_code == 404
    assert get("/predict").status_code == 405
    assert post("/predict", content=b"{nonsense").status_code == 400
    for body in (
        {"records": []},
        {"rows": []},
        {"records": [{"a": "x"}]},
        {"records": [RECORD], "event_time": "2020-01-01"},
    ):
        answer = post("/predict", json=body)
        assert answer.status_code == 422, body
        assert answer.json()["error"]
    wrong = post("/predict", json={"records": [RECORD, {**RECORD, "b": None}]}).json()
    assert (wrong["column"], wrong["row"]) == ("b", 1)
    assert post("/predict", content=b" " * (33 * 1024 * 1024)).status_code == 413
    assert 'slipway_requests_total{route="/predict",status="200"} 1.0' in get("/metrics").text


def test_every_answered_prediction_survives_kill_9(server):
    """Clients send until the whole process group is killed; each id that was answered must be in the log."""
    from tasks.prediction_log import open_log

    answered, stop = [], threading.Event()

    def client():
        with httpx.Client(base_url=f"http://127.0.0.1:{server.port}", timeout=5) as http:
            while not stop.is_set():
                try:
                    answer = http.post("/predict", content=json.dumps({"records": [RECORD]}))
                except httpx.TransportError:
                    return
                answered.append(answer.json()["predictions"][0]["prediction_id"])

    threads = [threading.Thread(target=client) for _ in range(4)]
    for thread in threads:
        thread.start()
    time.sleep(1.5)
    server.kill()
    stop.set()
    for thread in threads:
        thread.join()
    logged = {
        row[0] for row in open_log("small").execute("select prediction_id from log where kind = 'prediction'").fetchall()
    }
    assert len(answered) > 100
    assert set(answered) <= logged


def test_sigterm_finishes_and_ends_with_0(server):
    server.client.post("/predict", json={"records": [RECORD]}).raise_for_status()
    server.process.terminate()
    assert server.process.wait(timeout=15) == 0


def test_a_tampered_bundle_is_refused_at_start(small_bundle, home):  # noqa: F811
    (small_bundle.path / "model.onnx").write_bytes(b"other")
    command = [sys.executable, "-m", "serving", "--bundle", str(small_bundle.path), "--log", str(home)]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "model.onnx is not the file that manifest.json names" in done.stderr
    assert "Traceback" not in done.stderr
