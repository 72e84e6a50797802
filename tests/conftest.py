"""What tests share: a use case small enough to read, and where the real data lies when it is there."""

from __future__ import annotations

import importlib
import os
import shutil
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from configs.load import parse_use_case
from configs.settings import TELEMETRY_OFF

os.environ.update(TELEMETRY_OFF)
# Triton's client, which tests use, brings the same messages, and one process can hold them once: here ours are Triton's.
sys.modules["serving.transports.open_inference_pb2"] = importlib.import_module("tritonclient.grpc.service_pb2")
# A slow, shared machine is no finding: no example is timed.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow], database=None)
settings.load_profile("untimed")

SMALL = """
name: small
description: Is the sum of two numbers large?
source:
  tables: {{rows: {path}}}
target: {{column: y, positive: "yes"}}
features: {{numeric: [a, b], categorical: [c]}}
evaluation: {{gates: [{{metric: roc_auc, at_least: 0.6}}]}}
monitoring: {{window: 100 rows}}
"""


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A home of its own for one test."""
    monkeypatch.setenv("SLIPWAY_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def quiet(monkeypatch):
    """Lets a task's function run outside a flow, where there is no log and no artifact to write to."""
    from prefect.logging import disable_run_logger

    import tasks.data.validate
    import tasks.packaging.variants
    import tasks.training.evaluate
    import tasks.training.reliability

    monkeypatch.setattr(tasks.packaging.variants, "create_table_artifact", lambda **_: None)
    monkeypatch.setattr(tasks.training.evaluate, "create_table_artifact", lambda **_: None)
    monkeypatch.setattr(tasks.training.reliability, "create_markdown_artifact", lambda **_: None)
    monkeypatch.setattr(tasks.training.reliability, "report_address", str)
    monkeypatch.setattr(tasks.data.validate, "create_link_artifact", lambda **_: None)
    monkeypatch.setattr(tasks.data.validate, "report_address", str)
    with disable_run_logger():
        yield


@pytest.fixture
def few(monkeypatch):
    """Comparisons with few resamples and no plots, where neither is the matter."""
    import tasks.comparing.measure
    import tasks.comparing.put_side_by_side

    monkeypatch.setattr(tasks.comparing.measure, "RESAMPLES", 20)
    monkeypatch.setattr(tasks.comparing.measure, "FEWER", 20)
    monkeypatch.setattr(tasks.comparing.put_side_by_side, "plots", lambda *_: [])


def small_frame(rows=600, seed=0):
    import numpy as np
    import pandas as pd

    generator = np.random.default_rng(seed)
    a, b = generator.normal(size=(2, rows))
    return pd.DataFrame(
        {
            "a": a,
            "b": b,
            "c": generator.choice(["red", "green", "blue"], rows),
            "y": np.where(a + b + generator.normal(size=rows) > 0, "yes", "no"),
        }
    )


def small_use_case(folder: Path, frame=None, **replace):
    """The small use case over a CSV in the folder, with some of its text replaced."""
    path = folder / "rows.csv"
    (small_frame() if frame is None else frame).to_csv(path, index=False)
    text = SMALL.format(path=path)
    for old, new in replace.items():
        text = text.replace(old, new)
    return parse_use_case(text, "small.yaml")


def chain(case, until=None):
    """The first steps of a release: snapshot, contract, parts and fitted pipeline."""
    from tasks.data.derive_contract import derive_contract
    from tasks.data.ingest import ingest
    from tasks.data.split import split
    from tasks.training.train import train

    snapshot = ingest.fn(case, until)
    contract = derive_contract.fn(case, snapshot)
    parts = split.fn(case, snapshot)
    fitted = train.fn(snapshot, parts.learn, contract, case.recipe)
    return snapshot, contract, parts, fitted


RICH = "{numeric: [a, b], categorical: [c], identifiers: [customer], rules: {b: {nullable: true}, c: {sensitive: true}}}"


@pytest.fixture(scope="session")
def built_bundle(tmp_path_factory):
    """A bundle of the small use case, with a nullable and a sensitive column and an identifier; built once.

    Its folder, the snapshot it was trained on, and the fitted pipeline.
    """
    from prefect.logging import disable_run_logger

    import tasks.training.evaluate
    from tasks.packaging.bundle import bundle
    from tasks.packaging.convert import convert
    from tasks.packaging.explain import explain
    from tasks.registry.lineage import lineage

    folder = tmp_path_factory.mktemp("built")
    with pytest.MonkeyPatch.context() as patch, disable_run_logger():
        patch.setenv("SLIPWAY_HOME", str(folder / "home"))
        patch.setattr(tasks.training.evaluate, "create_table_artifact", lambda **_: None)
        case = small_use_case(folder, **{"{numeric: [a, b], categorical: [c]}": RICH + "\nlog: {sensitive: keep}"})
        snapshot, contract, parts, fitted = chain(case)
        evaluation = tasks.training.evaluate.evaluate.fn(case, parts, contract, fitted)
        onnx = convert.fn(parts, contract, case.features, fitted)
        reasons = explain.fn(parts, contract, case.recipe, fitted)
        built = bundle.fn(
            case, snapshot, contract, onnx, evaluation, lineage(case, parts, None, contract, onnx), reasons=reasons
        )
        return built.path, snapshot.path, fitted.path


@pytest.fixture
def built_data(built_bundle, home):
    """The reference and the holdout of that bundle, in the store of this test's home."""
    for kind in ("references", "scores"):
        shutil.copytree(built_bundle[0].parents[1] / kind, home / "store" / kind)


@pytest.fixture
def bundle_folder(built_bundle, tmp_path):
    """A copy of that bundle, for one test to do with as it likes."""
    return Path(shutil.copytree(built_bundle[0], tmp_path / "bundle"))


@pytest.fixture
def model(bundle_folder, home):
    """The bundle served in this process, without any transport; its log is that of use case `small` in the home."""
    from configs.settings import prediction_log
    from serving.log.writer import PredictionLog
    from serving.scoring.bundle import read_bundle
    from serving.scoring.model import Identity, ServedModel

    log = PredictionLog(prediction_log("small"))
    yield ServedModel(read_bundle(bundle_folder), Identity("1", "small-v1"), log)
    log.close()


@pytest.fixture
def objects(monkeypatch):
    """A client of an object storage of one test; the environment tells where it is, and who asks."""
    import boto3
    import httpx
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    known = {"AWS_ENDPOINT_URL": f"http://{host}:{port}", "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
    for name, value in {**known, "AWS_DEFAULT_REGION": "us-east-1"}.items():
        monkeypatch.setenv(name, value)
    yield boto3.client("s3")
    httpx.post(f"http://{host}:{port}/moto-api/reset")  # what it holds is its whole process's
    server.stop()


@pytest.fixture
def real_data():
    """The folder of real data beside the project, where it is there."""
    folder = Path(os.environ.get("SLIPWAY_DATA") or Path(__file__).resolve().parents[2] / "shared" / "data")
    if not folder.is_dir():
        pytest.skip(f"no real data in {folder}; set SLIPWAY_DATA")
    return folder


def pytest_report_header():
    """Whether the container parts are tested on a real engine, or, where none answers, on local processes."""
    from tasks.containers.engine import engine

    client, why = engine()
    return "Docker Engine: " + (
        client.version()["Version"] if client else f"none answers ({why}); releases run as processes"
    )
