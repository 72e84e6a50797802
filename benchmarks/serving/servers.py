"""The servers side by side: how each is started, and how the same rows are spelt for it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil

from benchmarks.serving.model import BenchmarkModel
from tasks.deploying.platforms.ports import free_port

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parent.parent
ENVIRONMENTS = PROJECT / ".bench"
SERVER_CPU, CLIENT_CPU = 0, 1
READY_SECONDS = 120


@dataclass
class Server:
    """One server of the comparison."""

    name: str
    command: Callable[[int], list[str]]
    path: str
    ready: str
    body: Callable[[list[dict[str, Any]]], str]
    probabilities: Callable[[Any], list[list[float]]]
    headers: dict[str, str] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    folder: Path = PROJECT
    port: int = 0
    process: subprocess.Popen[bytes] | None = None
    ready_seconds: float = 0.0

    def start(self, output: Path) -> None:
        """Start it on one core; returns when it answers, and keeps how long that took."""
        self.port = free_port()
        own = {**os.environ, **self.environment, "OMP_NUM_THREADS": "1"}
        command = ["taskset", "-c", str(SERVER_CPU), *self.command(self.port)]
        began = time.monotonic()
        with output.open("ab") as file:
            self.process = subprocess.Popen(
                command, cwd=self.folder, env=own, stdout=file, stderr=file, start_new_session=True
            )
        while time.monotonic() - began < READY_SECONDS:
            try:
                if httpx.get(f"http://127.0.0.1:{self.port}{self.ready}", timeout=5).status_code == 200:
                    self.ready_seconds = time.monotonic() - began
                    return
            except httpx.TransportError:
                time.sleep(0.01)
            assert self.process.poll() is None, f"{self.name} ended: {output.read_text()[-3000:]}"
        raise AssertionError(f"{self.name} was not ready in {READY_SECONDS} s: {output.read_text()[-3000:]}")

    @property
    def url(self) -> str:
        """Where rows are sent."""
        return f"http://127.0.0.1:{self.port}{self.path}"

    def ask(self, rows: list[dict[str, Any]]) -> list[list[float]]:
        """The probabilities of some rows."""
        headers = {"content-type": "application/json", **self.headers}
        answer = httpx.post(self.url, content=self.body(rows), headers=headers, timeout=60)
        assert answer.status_code == 200, f"{self.name}: {answer.text[:2000]}"
        return self.probabilities(answer.json())

    def memory(self) -> tuple[float, float]:
        """Megabytes of all its processes: resident (shared pages counted in each), and proportional (counted once)."""
        assert self.process is not None
        root = psutil.Process(self.process.pid)
        infos = [process.memory_full_info() for process in [root, *root.children(recursive=True)]]
        return sum(info.rss for info in infos) / 1e6, sum(info.pss for info in infos) / 1e6

    def pause(self) -> None:
        """Take no processor time while another is measured."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Go on."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: int) -> None:
        assert self.process is not None
        root = psutil.Process(self.process.pid)
        for process in [root, *root.children(recursive=True)]:
            process.send_signal(number)

    def stop(self) -> None:
        """Stop it and whatever it started."""
        if self.process is None:
            return
        root = psutil.Process(self.process.pid)
        family = [*root.children(recursive=True), root]
        root.terminate()
        for process in psutil.wait_procs(family, timeout=10)[1]:
            process.kill()
        self.process = None


def slipway(model: BenchmarkModel, work: Path) -> Server:
    """Slipway with validation, log, metrics and authentication on."""
    from tasks.deploying.keys import create_key, keys_folder, list_keys, revoke_key

    if any(key.name == "benchmark" and key.revoked is None for key in list_keys("flights")):
        revoke_key("flights", "benchmark")
    key = create_key("flights", "benchmark", ("predict", "admin"))
    keys = str(keys_folder("flights") / "keys.json")
    options = ["--auth", "on", "--keys", keys, "--log", str(work / "log"), "--bundle", str(model.bundle)]
    return Server(
        "Slipway",
        lambda port: [sys.executable, "-m", "serving", "--port", str(port), *options],
        "/predict",
        "/readyz",
        lambda rows: json.dumps({"records": rows}),
        lambda answer: [list(row["probabilities"].values()) for row in answer["predictions"]],
        {"authorization": f"Bearer {key}"},
    )


def floor(work: Path, answer: bytes) -> Server:
    """An empty handler on the same HTTP server that answers the same bytes."""
    (work / "answer").write_bytes(answer)
    return Server(
        "floor",
        lambda port: [sys.executable, "floor.py", str(port), str(work / "answer")],
        "/",
        "/",
        lambda rows: json.dumps({"records": rows}),
        lambda answer: [list(row["probabilities"].values()) for row in answer["predictions"]],
        folder=HERE / "peers",
    )


def bento(model: BenchmarkModel, work: Path) -> Server:
    """BentoML with ONNX Runtime."""
    return Server(
        "BentoML",
        lambda port: [_bin("bentoml", "bentoml"), "serve", "bentoml_service:Flights", "--port", str(port)],
        "/predict",
        "/readyz",
        lambda rows: json.dumps({"records": rows}),
        lambda answer: answer,
        environment={
            "MODEL": str(model.bundle / "model.onnx"),
            "TEXT_COLUMNS": ",".join(model.text_columns),
            "BENTOML_DO_NOT_TRACK": "True",
            "BENTOML_HOME": str(work / "bentoml"),
        },
        folder=HERE / "peers",
    )


def mlserver(model: BenchmarkModel, work: Path) -> Server:
    """MLServer with its scikit-learn runtime."""
    folder = work / "mlserver"
    folder.mkdir(exist_ok=True)
    shutil.copyfile(model.pipeline, folder / "model.joblib")
    settings = {
        "name": "flights",
        "implementation": "mlserver_sklearn.SKLearnModel",
        "parameters": {"uri": "./model.joblib", "content_type": "pd"},
    }
    (folder / "model-settings.json").write_text(json.dumps(settings))

    def command(port: int) -> list[str]:
        ports = {"http_port": port, "grpc_port": free_port(), "metrics_port": free_port()}
        quiet = {"debug": False, "parallel_workers": 0, "host": "127.0.0.1", "logging_settings": None}
        (folder / "settings.json").write_text(json.dumps({**ports, **quiet}))
        return [_bin("mlserver", "mlserver"), "start", "."]

    def body(rows: list[dict[str, Any]]) -> str:
        inputs = [
            {
                "name": name,
                "shape": [len(rows), 1],
                "datatype": "BYTES" if name in model.text_columns else "FP32",
                "data": [row[name] for row in rows],
                "parameters": {"content_type": "str"} if name in model.text_columns else {},
            }
            for name in rows[0]
        ]
        outputs = [{"name": "predict_proba"}]
        return json.dumps({"parameters": {"content_type": "pd"}, "inputs": inputs, "outputs": outputs})

    def probabilities(answer: Any) -> list[list[float]]:
        flat = answer["outputs"][0]["data"]
        return [list(pair) for pair in zip(flat[::2], flat[1::2], strict=True)]

    ready = "/v2/models/flights/ready"
    return Server("MLServer", command, "/v2/models/flights/infer", ready, body, probabilities, folder=folder)


def mlflow(model: BenchmarkModel, work: Path) -> Server:
    """`mlflow models serve`."""
    folder = work / "mlflow"
    shutil.rmtree(folder, ignore_errors=True)
    (work / "rows.json").write_text(json.dumps(model.rows[:100]))
    save = [_bin("mlflow", "python"), str(HERE / "peers" / "save_mlflow.py"), str(model.pipeline)]
    subprocess.run([*save, str(work / "rows.json"), str(folder)], check=True, capture_output=True)
    path = f"{ENVIRONMENTS / 'mlflow' / 'bin'}:{os.environ['PATH']}"
    return Server(
        "MLflow",
        lambda port: [
            *(_bin("mlflow", "mlflow"), "models", "serve", "-m", str(folder), "-p", str(port)),
            *("--env-manager", "local", "--workers", "1"),
        ],
        "/invocations",
        "/ping",
        lambda rows: json.dumps(
            {
                "dataframe_split": {
                    "columns": list(rows[0]),
                    "data": [[_float(value) for value in row.values()] for row in rows],
                }
            }
        ),
        lambda answer: answer["predictions"],
        environment={"PATH": path, "MLFLOW_DISABLE_TELEMETRY": "true"},
    )


def install() -> None:
    """Make the peers' environments."""
    uv = str(Path(sys.executable).parent / "uv")
    for name, packages in tomllib.loads((HERE / "peers" / "requirements.toml").read_text()).items():
        print(f"Installing {', '.join(packages)}", flush=True)
        folder = str(ENVIRONMENTS / name)
        subprocess.run([uv, "venv", "--quiet", "--clear", "--python", sys.executable, folder], check=True)
        subprocess.run([uv, "pip", "install", "--quiet", "--python", f"{folder}/bin/python", *packages], check=True)


def installed() -> bool:
    """Whether the peers are there."""
    names = tomllib.loads((HERE / "peers" / "requirements.toml").read_text())
    return all((ENVIRONMENTS / name / "bin" / "python").exists() for name in names)


def _bin(environment: str, name: str) -> str:
    return str(ENVIRONMENTS / environment / "bin" / name)


def _float(value: Any) -> Any:
    return float(value) if isinstance(value, int) else value
