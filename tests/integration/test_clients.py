"""The protocols, held to by clients and servers that we did not write."""

import json
import os
import subprocess
import sys
import time

import httpx
import numpy as np
import pandas as pd
import pytest
import tritonclient.grpc as triton_grpc
import tritonclient.http as triton_http
from tritonclient.utils import InferenceServerException

from serving.protocols.tensors import NUMPY
from tasks.deploying.keys import create_key, keys_folder
from tasks.deploying.platforms.ports import free_port
from tasks.log.read import find_prediction, open_log
from tests.integration.server import make_certificate

RECORD = {"a": 1.0, "b": 0.5, "c": "red"}


@pytest.fixture
def both(serve):
    """A server, and Triton's clients of it."""
    port = free_port()
    server = serve("--grpc-port", str(port))
    http = triton_http.InferenceServerClient(f"127.0.0.1:{server.port}")
    grpc = triton_grpc.InferenceServerClient(f"127.0.0.1:{port}")
    wait_live(grpc)
    yield server, [(triton_http, http), (triton_grpc, grpc)]
    http.close()
    grpc.close()


def wait_live(client):
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline:
        try:
            if client.is_server_live():
                return
        except InferenceServerException:
            time.sleep(0.05)
    raise AssertionError("gRPC did not come up")


def tensors(kind, dtype="FP64", rows=3, binary=True):
    """Inputs a, b, c of Triton's client; both numbers of the given datatype."""
    inputs = []
    for name, value in (("a", 1), ("b", 0), ("c", "red")):
        datatype = "BYTES" if name == "c" else dtype
        tensor = kind.InferInput(name, [rows, 1], datatype)
        array = np.full((rows, 1), value, dtype=np.object_ if name == "c" else NUMPY[dtype])
        if kind is triton_http:
            tensor.set_data_from_numpy(array, binary_data=binary)
        else:
            tensor.set_data_from_numpy(array)
        inputs.append(tensor)
    return inputs


def wanted(server, rows, **change):
    answer = server.client.post("/predict", json={"records": [{**RECORD, "b": 0, **change}] * rows}).json()
    return [list(row["probabilities"].values()) for row in answer["predictions"]]


def test_health_and_metadata(both):
    for kind, client in both[1]:
        assert client.is_server_live()
        assert client.is_server_ready()
        assert client.is_model_ready("small")
        assert client.is_model_ready("small", "0")
        server = client.get_server_metadata()
        model = client.get_model_metadata("small")
        if kind is triton_grpc:
            server = {"name": server.name, "version": server.version}
            model = {
                "name": model.name,
                "inputs": [{"name": i.name, "datatype": i.datatype, "shape": list(i.shape)} for i in model.inputs],
            }
        assert server["name"] == "slipway"
        assert model["name"] == "small"
        assert {tensor["name"]: tensor["datatype"] for tensor in model["inputs"]} == {"c": "BYTES", "a": "FP32", "b": "FP32"}
        assert all(list(map(int, tensor["shape"])) == [-1, 1] for tensor in model["inputs"])


@pytest.mark.parametrize("dtype", [name for name in NUMPY if name != "BOOL"])
def test_every_datatype_of_numbers(both, dtype):
    server, clients = both
    expected = wanted(server, 3)
    for kind, client in clients:
        for binary in (True, False):
            if dtype == "FP16" and not binary:
                continue  # Triton's own client sends it as binary only
            result = client.infer("small", tensors(kind, dtype, binary=binary), request_id="r1")
            np.testing.assert_allclose(result.as_numpy("probabilities"), expected, rtol=0, atol=0)
            assert result.as_numpy("y").shape == (3, 1)
            response = result.get_response()
            assert (response["id"] if kind is triton_http else response.id) == "r1"


def test_outputs_are_chosen_in_either_form(both):
    server, clients = both
    for kind, client in clients:
        asked = (
            [kind.InferRequestedOutput("probabilities", binary_data=False), kind.InferRequestedOutput("y", binary_data=True)]
            if kind is triton_http
            else [kind.InferRequestedOutput("probabilities"), kind.InferRequestedOutput("y")]
        )
        result = client.infer("small", tensors(kind), outputs=asked)
        np.testing.assert_array_equal(result.as_numpy("probabilities"), np.float32(wanted(server, 3)))
        assert {text.decode() for text in result.as_numpy("y").ravel()} <= {"yes", "no"}
        only = client.infer("small", tensors(kind), outputs=asked[1:])
        assert only.as_numpy("probabilities") is None


def test_reasons_are_an_output_in_either_form(both):
    server, clients = both
    answer = server.client.post("/predict", json={"records": [{**RECORD, "b": 0}] * 3, "explain": True}).json()
    told = [row["reasons"] for row in answer["predictions"]]
    for kind, client in clients:
        result = client.infer("small", tensors(kind), parameters={"explain": True})
        assert [json.loads(text) for text in result.as_numpy("reasons").ravel()] == told
        assert client.infer("small", tensors(kind)).as_numpy("reasons") is None


def test_an_answer_names_its_records_in_the_log(both):
    for kind, client in both[1]:
        response = client.infer("small", tensors(kind), headers={"x-slipway-caller": "triton"}).get_response()
        if kind is triton_http:
            ids = response["outputs"][0]["parameters"]["prediction_ids"]
        else:
            ids = response.parameters["prediction_ids"].string_param
        for prediction_id in ids.split(","):
            assert find_prediction("small", prediction_id) == {"prediction"}
    with open_log("small") as log:
        assert log.execute("select distinct caller from log").fetchall() == [("triton",)]


def test_errors_are_the_protocol_s(both):
    for kind, client in both[1]:
        wrong, unknown = ("400", "404") if kind is triton_http else ("StatusCode.INVALID_ARGUMENT", "StatusCode.NOT_FOUND")
        missing = tensors(kind)[:1]
        strange = [kind.InferInput("nope", [1, 1], "FP32"), *tensors(kind)]
        strange[0].set_data_from_numpy(np.zeros((1, 1), np.float32))
        for inputs, told in (
            (missing, "column 'c': is not in the table"),
            (strange, "column 'nope': is not in the contract"),
        ):
            with pytest.raises(InferenceServerException) as caught:
                client.infer("small", inputs)
            assert told in caught.value.message()
            assert caught.value.status() == wrong
        with pytest.raises(InferenceServerException) as caught:
            client.infer("other", tensors(kind))
        assert caught.value.status() == unknown
        with pytest.raises(InferenceServerException, match="no output is named 'logits'") as caught:
            client.infer("small", tensors(kind), outputs=[kind.InferRequestedOutput("logits")])
        assert caught.value.status() == wrong


def test_grpc_with_keys_deadline_and_tls(serve, tmp_path):
    certificate, key_file = make_certificate(tmp_path)
    key, port = create_key("small", "triton", ("predict",)), free_port()
    keys = str(keys_folder("small") / "keys.json")
    serve("--grpc-port", str(port), "--auth", "on", "--keys", keys, tls=(certificate, key_file))
    client = triton_grpc.InferenceServerClient(f"localhost:{port}", ssl=True, root_certificates=str(certificate))
    wait_live(client)
    with pytest.raises(InferenceServerException) as caught:
        client.infer("small", tensors(triton_grpc))
    assert caught.value.status() == "StatusCode.UNAUTHENTICATED"
    bearer = {"authorization": f"Bearer {key}"}
    assert client.infer("small", tensors(triton_grpc), headers=bearer).as_numpy("y").shape == (3, 1)
    with pytest.raises(InferenceServerException) as caught:
        client.infer("small", tensors(triton_grpc, rows=100_000), headers=bearer, client_timeout=0.05)
    assert "Deadline Exceeded" in caught.value.message() or "DEADLINE" in str(caught.value.status())
    assert client.infer("small", tensors(triton_grpc), headers=bearer).as_numpy("y").shape == (3, 1)


@pytest.fixture(scope="module")
def mlflow_server(built_bundle, tmp_path_factory):
    """MLflow's own scoring server on the pipeline that the bundle was made from."""
    import joblib
    import mlflow.sklearn
    from mlflow.models import infer_signature

    from configs.settings import TELEMETRY_OFF

    _, snapshot, pipeline = built_bundle
    folder = tmp_path_factory.mktemp("mlflow") / "model"
    rows = pd.read_parquet(snapshot)[["c", "a", "b"]].astype({"a": "float32", "b": "float32"})
    mlflow.sklearn.save_model(
        joblib.load(pipeline), folder, signature=infer_signature(rows), serialization_format="cloudpickle"
    )
    port = free_port()
    command = [
        sys.executable,
        "-m",
        "mlflow",
        "models",
        "serve",
        "-m",
        str(folder),
        "-p",
        str(port),
        "--env-manager",
        "local",
    ]
    path = f"{os.path.dirname(sys.executable)}:{os.environ['PATH']}"
    with (folder.parent / "output").open("wb") as output:
        process = subprocess.Popen(
            command, env={**os.environ, **TELEMETRY_OFF, "PATH": path}, stdout=output, stderr=output, start_new_session=True
        )
    url, deadline = f"http://127.0.0.1:{port}", time.monotonic() + 90
    try:
        while True:
            try:
                httpx.get(f"{url}/ping", timeout=5).raise_for_status()
                break
            except httpx.HTTPError:
                assert time.monotonic() < deadline, (folder.parent / "output").read_text()
                time.sleep(0.3)
        yield url
    finally:
        os.killpg(process.pid, 15)
        process.wait()


CLASSES = ("no", "yes")
ROWS = [{"c": "red", "a": 1.0, "b": 0.5}, {"c": "blue", "a": -0.5, "b": 0.25}, {"c": "green", "a": -2.0, "b": 0.0}]
SPLIT = {"columns": ["b", "c", "a"], "index": [0, 1, 2], "data": [[row["b"], row["c"], row["a"]] for row in ROWS]}
BODIES = [
    ("application/json", {"dataframe_records": ROWS}),
    ("application/json", {"dataframe_split": {key: SPLIT[key] for key in ("columns", "data")}}),
    ("application/json", {"dataframe_split": SPLIT}),
    ("application/json", {"instances": ROWS}),
    ("application/json", {"inputs": {name: [row[name] for row in ROWS] for name in ("a", "b", "c")}}),
    ("application/json; charset=utf-8", {"dataframe_records": ROWS}),
    ("text/csv", pd.DataFrame(ROWS).to_csv(index=False)),
]


def test_the_same_bodies_get_mlflow_s_own_answers(serve, mlflow_server):
    server = serve()
    for kind, body in BODIES:
        content = body if isinstance(body, str) else json.dumps(body)
        theirs, ours = (
            httpx.post(f"{url}/invocations", content=content, headers={"content-type": kind}, timeout=30)
            for url in (mlflow_server, server.url)
        )
        assert theirs.status_code == 200, theirs.text
        assert ours.status_code == 200, ours.text
        said = [CLASSES[number] for number in theirs.json()["predictions"]]  # the pipeline knows classes by number
        assert ours.json()["predictions"] == said, (kind, body)
        assert ours.headers["content-type"] == theirs.headers["content-type"]
    for path in ("/ping", "/health", "/version"):
        statuses = {httpx.get(f"{url}{path}", timeout=5).status_code for url in (mlflow_server, server.url)}
        assert statuses == {200}


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/json", {}),
        ("application/json", {"dataframe_records": [{"c": "red", "a": "x", "b": 1}]}),
        ("application/json", {"dataframe_split": {"columns": ["a"], "data": [[1.0]]}}),
        ("application/json", "nonsense"),
        ("text/plain", "a"),
    ],
)
def test_what_mlflow_refuses_is_refused_with_the_same_status(serve, mlflow_server, kind, body):
    server = serve()
    content = body if isinstance(body, str) else json.dumps(body)
    theirs, ours = (
        httpx.post(f"{url}/invocations", content=content, headers={"content-type": kind}, timeout=30)
        for url in (mlflow_server, server.url)
    )
    assert ours.status_code == theirs.status_code, (theirs.text, ours.text)
    if ours.status_code == 400:
        assert {"error_code", "message"} <= ours.json().keys()
