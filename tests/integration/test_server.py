"""The server as a process: its routes, its limits, its promises."""

import hashlib
import html
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from configs.settings import PROJECT, prediction_log
from serving.log.segment import groups
from tasks.deploying.keys import create_key, keys_folder, revoke_key
from tasks.deploying.platforms.ports import free_port
from tasks.log.read import open_log
from tests.integration.server import Server, make_certificate

RECORD = {"a": 1.0, "b": 0.5, "c": "red"}
KILLS = int(os.environ.get("SLIPWAY_KILLS", "4"))
BODY = json.dumps({"records": [RECORD]})


def logged(column="prediction_id"):
    with open_log("small") as log:
        return [row[0] for row in log.execute(f"select {column} from log where kind = 'prediction'").fetchall()]


def test_routes_and_errors(serve):
    server = serve()
    get, post = server.client.get, server.client.post
    for path in (
        "/livez",
        "/readyz",
        "/ping",
        "/health",
        "/version",
        "/openapi.json",
        "/docs",
        "/v2",
        "/v2/health/live",
        "/v2/health/ready",
        "/v2/models/small",
        "/v2/models/small/ready",
        "/v2/models/small/versions/0",
        "/v2/models/small/versions/0/ready",
    ):
        assert get(path).status_code == 200, path
        assert server.client.head(path).status_code == 200, path
    answer = post("/predict", json={"records": [RECORD], "event_time": "2020-01-01T00:00:00Z"})
    assert answer.status_code == 200
    assert answer.headers["x-slipway-release"].startswith("small-")
    assert get("/nowhere").status_code == 404
    assert "/predict" in get("/nowhere").json()["error"]
    assert (get("/predict").status_code, get("/predict").headers["allow"]) == (405, "POST")
    assert post("/predict", content=b"{nonsense").status_code == 400
    assert post("/predict", content=b"[" * 100_000).status_code == 400
    for body in (
        {"records": []},
        {"rows": []},
        {"records": [{"a": "x"}]},
        {"records": [RECORD], "event_time": "2020-01-01"},
        {"records": [RECORD], "event_time": "0001-01-01T00:00:00+14:00"},
        {"records": [RECORD], "prediction_ids": ["x" * 101]},
    ):
        answer = post("/predict", json=body)
        assert answer.status_code == 422, body
        assert answer.json()["error"]
    wrong = post("/predict", json={"records": [RECORD, {**RECORD, "a": None, "c": ""}]}).json()
    assert (wrong["column"], wrong["row"], len(wrong["faults"])) == ("c", 1, 2)
    assert post("/feedback", json={"labels": [{"prediction_id": "x", "label": "perhaps"}]}).status_code == 422
    assert post("/feedback", json={"labels": [{"prediction_id": "x", "label": "yes"}]}).json() == {"accepted": 1}
    assert post("/predict", content=BODY, headers={"content-encoding": "gzip"}).status_code == 415
    assert 'slipway_requests_total{route="/predict",status="200"} 1.0' in get("/metrics").text


def test_the_documented_example_works_when_pasted(serve):
    server = serve()
    document = server.client.get("/openapi.json").json()
    for path in ("/predict", "/invocations", "/v2/models/small/infer"):
        example = document["paths"][path]["post"]["requestBody"]["content"]["application/json"]["example"]
        assert server.client.post(path, json=example).status_code == 200, path
    page = server.client.get("/docs").text
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert "https://" not in page


def test_a_real_browser_makes_the_form_of_it(serve):
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("no Chromium is installed (Debian package chromium)")
    words = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--virtual-time-budget=5000"]
    command = [browser, *words, "--dump-dom", f"{serve().url}/docs"]
    shown = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    assert re.findall(r'<label for="field-\d">([^<]*)</label>', shown) == ["c", "a", "b", "customer"]
    curl = html.unescape(re.search(r'<pre id="curl"[^>]*>([^<]*)</pre>', shown)[1])
    said = json.loads(subprocess.run(["sh", "-c", curl], capture_output=True, text=True, check=True).stdout)
    assert said["predictions"][0]["prediction"] in ("yes", "no")


@pytest.mark.parametrize("words", [(), ("--workers", "2")])
def test_every_answered_prediction_survives_kill_9_at_random_moments(serve, words):
    """Clients send until the whole process group is killed; each id that was answered must be in the log."""
    answered, moments = [], random.Random(3)

    def client(server, stop):
        with httpx.Client(base_url=server.url, timeout=5) as http:
            while not stop.is_set():
                try:
                    answer = http.post("/predict", content=BODY)
                except httpx.TransportError:
                    return
                answered.append(answer.json()["predictions"][0]["prediction_id"])

    for _ in range(KILLS):
        server, stop = serve(*words), threading.Event()
        with ThreadPoolExecutor(4) as pool:
            for _ in range(4):
                pool.submit(client, server, stop)
            time.sleep(moments.uniform(0.2, 1.2))
            server.kill()
            stop.set()
    missing = set(answered) - set(logged())
    print(f"\n{KILLS} kills, {len(answered):,} answered, {len(missing)} of them missing from the log")
    assert len(answered) > 25 * KILLS
    assert not missing


def test_sigterm_finishes_what_was_accepted_and_ends_with_0(serve):
    server = serve()
    rows = [RECORD] * 60_000
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(server.client.post, "/predict", json={"records": rows})
        time.sleep(0.25)
        server.process.terminate()
        assert len(answer.result().json()["predictions"]) == len(rows)
    assert server.process.wait(timeout=15) == 0
    assert len(logged()) == len(rows)


def test_a_dead_worker_is_replaced(serve):
    import psutil

    server = serve()
    (worker,) = [
        child for child in psutil.Process(server.process.pid).children() if "tracker" not in " ".join(child.cmdline())
    ]
    worker.kill()
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            if httpx.post(f"{server.url}/predict", content=BODY).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.05)
    raise AssertionError(server.words())


def test_a_full_queue_refuses_with_retry_after_and_nothing_else_breaks(serve):
    server = serve("--queue-rows", "20")
    body = json.dumps({"records": [RECORD] * 10})

    def client(_):
        with httpx.Client(base_url=server.url, timeout=20) as http:
            return [http.post("/predict", content=body) for _ in range(40)]

    with ThreadPoolExecutor(16) as pool:
        answers = [answer for several in pool.map(client, range(16)) for answer in several]
    refused = [answer for answer in answers if answer.status_code == 429]
    assert {answer.status_code for answer in answers} == {200, 429}
    assert all(answer.headers["retry-after"] == "1" for answer in refused)
    assert len(logged()) == 10 * sum(answer.status_code == 200 for answer in answers)


def test_a_deadline_is_read_from_its_header(serve):
    """That it is kept: tests/unit/test_batcher.py."""
    server = serve()
    for budget, status in (("60000", 200), ("0.5e5", 200), ("soon", 422), ("0", 422), ("-1", 422), ("nan", 422)):
        answer = server.client.post("/predict", content=BODY, headers={"x-request-timeout-ms": budget})
        assert answer.status_code == status, budget


def test_a_client_that_went_away_costs_nothing_further(serve):
    server = serve("--access-log", "--request-rows", "200000")
    body = json.dumps({"records": [RECORD] * 200_000})
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(f"{server.url}/predict", content=body, timeout=httpx.Timeout(20, read=0.8))
    wait_until(lambda: '"status":499' in server.words(), 20)
    assert 0 < len(logged()) < 200_000


def test_a_slow_client_is_cut_and_others_are_answered_meanwhile(serve):
    server = serve("--body-seconds", "1")
    head = b"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 500\r\n\r\n{"
    began = time.monotonic()
    with ThreadPoolExecutor(2) as pool:
        body, headers = pool.submit(server.raw, head), pool.submit(server.raw, b"POST /predict HTTP/1.1\r\nhost:")
        assert server.client.post("/predict", content=BODY).status_code == 200
        assert b" 408 " in body.result()
        assert b" 200 " not in headers.result()
    assert time.monotonic() - began < 6


@pytest.mark.parametrize("chunked", [False, True])
def test_a_large_body_is_refused(serve, chunked):
    server = serve("--body-mib", "1")
    content = (b" " * 65536 for _ in range(40)) if chunked else b" " * (40 * 65536)
    try:
        answer = server.client.post("/predict", content=content)
    except (httpx.WriteError, httpx.RemoteProtocolError):  # cut while it was sending
        return
    assert answer.status_code == 413


def test_large_headers_are_refused(serve):
    server = serve()
    assert server.client.get("/readyz", headers={"x-large": "y" * 200_000}).status_code == 431
    assert server.client.get("/readyz").status_code == 200


def test_a_full_disk_answers_503_and_then_goes_on(bundle_folder, home, tmp_path):
    if os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root")
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)], check=True)
    log = disk / "log"
    server = Server(bundle_folder, log, output=tmp_path / "server.log")
    try:
        (disk / "fill").write_bytes(b"x" * 1_000_000)
        answers = [server.client.post("/predict", json={"records": [RECORD] * 50}) for _ in range(20)]
        statuses = [answer.status_code for answer in answers]
        assert statuses[-1] == 503
        assert "nothing is answered: No space left" in answers[-1].json()["error"]
        (disk / "fill").unlink()
        assert server.client.post("/predict", content=BODY).status_code == 200
        server.kill()
        held = sum(group.count(b"\n") for segment in log.glob("*.jsonl") for _, group in groups(segment))
        assert held == 50 * statuses.count(200) + 1
    finally:
        server.kill()
        subprocess.run(["umount", "-l", str(disk)], check=True)


def test_keys_are_needed_where_they_are_asked_for_and_change_without_a_restart(serve, home):
    keys = keys_folder("small") / "keys.json"
    checkout = create_key("small", "checkout", ("predict",))
    server = serve("--auth", "on", "--keys", str(keys))
    post = server.client.post

    def bearer(key):
        return {"authorization": f"Bearer {key}"}

    refused = post("/predict", content=BODY)
    assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Bearer")
    assert post("/predict", content=BODY, headers=bearer(checkout)).status_code == 200
    assert post("/feedback", json={"labels": []}, headers=bearer(checkout)).status_code == 403
    assert server.client.get("/metrics", headers=bearer(checkout)).status_code == 403
    assert server.client.get("/readyz").status_code == 200
    late = create_key("small", "late", ("predict",), rate=5)
    wait_until(lambda: post("/predict", content=BODY, headers=bearer(late)).status_code == 200)
    answers = [post("/predict", content=BODY, headers=bearer(late)) for _ in range(10)]
    assert 429 in {answer.status_code for answer in answers}
    assert next(a for a in answers if a.status_code == 429).headers["retry-after"] == "1"
    revoke_key("small", "checkout")
    wait_until(lambda: post("/predict", content=BODY, headers=bearer(checkout)).status_code == 401)
    assert set(logged("caller")) == {"checkout", "late"}
    held = server.words() + "".join(p.read_text(errors="replace") for p in home.rglob("*") if p.is_file())
    for key in (checkout, late):
        assert key.split("_", 2)[2] not in held


def wait_until(holds, seconds=5.0):
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_tls_at_the_server(serve, tmp_path):
    server = serve(tls=make_certificate(tmp_path))
    assert server.client.post("/predict", content=BODY).status_code == 200
    with pytest.raises(httpx.TransportError):
        httpx.get(f"http://127.0.0.1:{server.port}/readyz")
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{server.url}/readyz")


def test_metrics_of_several_workers_are_added_up(serve):
    server = serve("--workers", "2")

    def client(_):
        with httpx.Client(base_url=server.url) as http:
            return [http.post("/predict", content=BODY).status_code for _ in range(25)]

    def written():
        return len(list(prediction_log("small").glob("*.jsonl")))

    sent, end = 0, time.monotonic() + 60
    with ThreadPoolExecutor(8) as pool:  # again while one worker still starts and the other answers all
        while not sent or (written() < 2 and time.monotonic() < end):
            assert {status for several in pool.map(client, range(8)) for status in several} == {200}
            sent += 200
    assert written() == 2
    text = server.client.get("/metrics").text
    assert f'slipway_requests_total{{route="/predict",status="200"}} {sent}.0' in text
    assert f"slipway_rows_total {sent}.0" in text
    for name in (
        "slipway_release_info",
        "slipway_request_seconds_bucket",
        "slipway_batch_rows_bucket",
        "slipway_queue_rows",
    ):
        assert name in text


def test_the_structured_log_names_predictions_and_no_values(serve):
    server = serve("--access-log")
    good = server.client.post("/predict", json={"records": [{**RECORD, "c": "very-private"}]}).json()
    for wrong in (
        {"a": "very-private", "c": "red"},
        {"a": 1, "c": ["very-private"]},
        {"a": 1, "c": "red", "very-private": 1},
    ):
        refusal = server.client.post("/predict", json={"records": [wrong]})
        assert (refusal.status_code, "very-private" in refusal.text) == (422, True)
    lines = [json.loads(line) for line in server.words().splitlines() if line.startswith("{")]
    done, *refused = [line for line in lines if line["message"] == "request"]
    assert done["prediction_ids"] == [good["predictions"][0]["prediction_id"]]
    assert (done["status"], done["path"]) == (200, "/predict")
    assert [(line["status"], line["problem"]) for line in refused] == [
        (422, "row 0, column 'a': against the contract"),
        (422, "row 0, column 'c': against the contract"),
        (422, "row 0, a column that is not in the contract: against the contract"),
    ]
    assert "very-private" not in server.words()


def test_sensitive_columns_are_hashed_in_the_log_and_encrypted_when_asked(serve, monkeypatch):
    key = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
    server = serve(environment={"SLIPWAY_LOG_KEY": key})
    server.client.post("/predict", content=BODY).raise_for_status()
    (segment,) = prediction_log("small").glob("*.jsonl")
    assert b"prediction_id" not in segment.read_bytes()
    monkeypatch.setenv("SLIPWAY_LOG_KEY", key)
    (features,) = [json.loads(text) for text in logged("features")]
    assert features["a"] == 1.0
    assert features["c"].startswith("hmac:")


def test_traces_continue_the_caller_s(serve):
    """A real OTLP/HTTP receiver gets the spans."""
    from http.server import BaseHTTPRequestHandler, HTTPServer

    received = []

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self):
            received.append(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    collector = HTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=collector.serve_forever, daemon=True).start()
    endpoint = f"http://127.0.0.1:{collector.server_port}"
    exporting = {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, "OTEL_BSP_SCHEDULE_DELAY": "100"}
    port = free_port()
    server = serve("--grpc-port", str(port), environment=exporting)
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    parent = {"traceparent": f"00-{trace}-00f067aa0ba902b7-01"}
    answer = server.client.post("/predict", content=BODY, headers=parent)
    infer_by_grpc(port, parent)
    wait_until(lambda: len(spans(received)) == 2)
    collector.shutdown()
    http, grpc = sorted(spans(received), key=lambda span: span.name)
    assert (http.name, grpc.name) == ("POST /predict", "inference.GRPCInferenceService/ModelInfer")
    for span in (http, grpc):
        assert (span.trace_id.hex(), span.parent_span_id.hex()) == (trace, "00f067aa0ba902b7")
        attributes = {item.key: item.value for item in span.attributes}
        assert attributes["http.response.status_code"].int_value == 200
        ids = [value.string_value for value in attributes["slipway.prediction_ids"].array_value.values]
        assert (ids == [answer.json()["predictions"][0]["prediction_id"]]) == (span is http)


def spans(received):
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    requests = [ExportTraceServiceRequest.FromString(body) for body in received]
    scopes = [scope for request in requests for resource in request.resource_spans for scope in resource.scope_spans]
    return [span for scope in scopes for span in scope.spans]


def infer_by_grpc(port, headers):
    import numpy as np
    import tritonclient.grpc as triton

    inputs = [triton.InferInput("a", [1, 1], "FP64"), triton.InferInput("c", [1, 1], "BYTES")]
    inputs[0].set_data_from_numpy(np.ones((1, 1)))
    inputs[1].set_data_from_numpy(np.array([["red"]], dtype=object))
    with triton.InferenceServerClient(f"127.0.0.1:{port}") as client:
        client.infer("small", inputs, headers=headers)


def test_it_stands_in_for_sagemaker_s_and_vertex_ai_s_containers(serve):
    """As they start it: no keys, no folder for a log, the port in the environment, the bundle read-only."""
    port = free_port()
    server = serve("serve", environment={"SAGEMAKER_BIND_TO_PORT": str(port)}, port=port)
    answer = server.client.post("/invocations", json={"instances": [RECORD]})
    assert answer.json()["predictions"][0] in ("yes", "no")
    assert answer.headers["x-slipway-prediction-ids"] in logged()
    assert server.client.get("/ping").status_code == 200
    port = free_port()
    platform = {
        "AIP_PREDICT_ROUTE": "/models/1:predict",
        "AIP_HEALTH_ROUTE": "/models/1",
        "AIP_HTTP_PORT": str(port),
        "AIP_STORAGE_URI": "gs://bucket/model",
        "AIP_MODE": "PREDICTION",
    }
    vertex = serve("--log", "/dev/null/log", environment=platform, port=port)
    body = {"instances": [RECORD, RECORD], "parameters": {"predict_fn": "predict_proba"}}
    assert len(vertex.client.post("/models/1:predict", json=body).json()["predictions"][1]) == 2
    assert vertex.client.get("/models/1").status_code == 200
    assert "warning: /dev/null/log cannot be written, so the prediction log lies in" in vertex.words()


def test_silent_and_idle_connections_shut_nobody_out(serve):
    """More than there are places: some say that a body comes, small or large, some send nothing at all."""
    server = serve()
    heads = [b"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % size for size in (100, 4_000_000)]
    connections = []
    try:
        for number in range(900):
            connections.append(socket.create_connection(("127.0.0.1", server.port)))
            if number % 3:
                connections[-1].sendall(heads[number % 3 - 1])
        many = {"records": [RECORD] * 20_000}
        wait_until(lambda: server.client.post("/predict", json=many).status_code == 200)  # the last that wait are found slow
        wait_until(lambda: server.client.post("/predict", content=BODY).status_code == 200)
        answers = [server.client.post("/predict", content=BODY).status_code for _ in range(20)]
        assert set(answers) == {200}
    finally:
        for connection in connections:
            connection.close()


def test_a_worker_that_comes_back_serves_no_swapped_model(bundle_folder, home, tmp_path):
    """Kill the worker after model and manifest were swapped: the server ends, and says why, and never answers again."""
    import psutil

    server = Server(bundle_folder, tmp_path / "log", output=tmp_path / "server.log")
    try:
        model, manifest = bundle_folder / "model.onnx", bundle_folder / "manifest.json"
        before = json.loads(manifest.read_text())
        model.write_bytes(model.read_bytes() + b"\x00")
        before["files"]["model.onnx"] = hashlib.sha256(model.read_bytes()).hexdigest()
        manifest.write_text(json.dumps(before))
        for child in psutil.Process(server.process.pid).children():
            if "tracker" not in " ".join(child.cmdline()):
                child.kill()
        assert server.process.wait(timeout=30) != 0
        assert "and this server began with" in server.words()
        with pytest.raises(httpx.TransportError):
            httpx.get(f"{server.url}/readyz")
    finally:
        server.kill()


def test_feedback_joins_early_late_and_more_than_once(serve):
    server = serve()
    label = {"prediction_id": "mine", "label": "no"}
    server.client.post("/feedback", json={"labels": [label]}).raise_for_status()
    server.client.post("/predict", json={"records": [RECORD], "prediction_ids": ["mine"]}).raise_for_status()
    server.client.post("/feedback", json={"labels": [{**label, "label": "yes"}]}).raise_for_status()
    with open_log("small") as log:
        query = "select kind, label from log where prediction_id = 'mine' order by time"
        assert log.execute(query).fetchall() == [("feedback", "no"), ("prediction", None), ("feedback", "yes")]


def test_what_was_refused_is_counted_in_the_log_whatever_the_protocol(serve):
    server = serve()
    server.client.post("/predict", json={"records": [RECORD]}).raise_for_status()
    wrong = {**RECORD, "a": "many"}
    for path, body in (("/predict", {"records": [wrong]}), ("/invocations", {"dataframe_records": [wrong]})):
        for _ in range(3):
            assert server.client.post(path, json=body).status_code in (400, 422)
    query = "select status, feature, sum(requests)::int from log where kind = 'refused' group by all"
    deadline = time.monotonic() + 10
    while True:
        with open_log("small") as log:
            found = log.sql(query).fetchall()
        if sum(requests for *_, requests in found) == 6 or time.monotonic() > deadline:
            break
        time.sleep(0.2)
    assert found == [(422, "a", 6)]


def test_help_teaches():
    done = subprocess.run(
        [sys.executable, "-m", "serving", "--help"], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    for word in ("--workers", "--tls-certificate", "SLIPWAY_LOG_KEY", "AIP_"):
        assert word in done.stdout


def test_sigkill_of_the_parent_leaves_no_worker(serve):
    """The address must be free for the next server."""
    import psutil

    server = serve()
    children = psutil.Process(server.process.pid).children(recursive=True)
    os.kill(server.process.pid, signal.SIGKILL)
    server.process.wait()
    _, alive = psutil.wait_procs(children, timeout=5)
    assert not alive
