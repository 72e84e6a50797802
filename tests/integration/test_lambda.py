"""The function as AWS runs it: its own runtime client, a process for it, and a bucket for the log."""

import json
import os
import signal
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from tasks.containers import function as packing
from tasks.containers.containerize import WHEELS
from tasks.containers.function import zip_function
from tasks.log.pull import pull
from tasks.log.read import open_log
from tests.conftest import small_use_case
from tests.lambda_runtime import Runtime
from tests.unit.lambda_events import http_api, kinesis, sqs

RECORD = {"a": 1.0, "b": 0.5, "c": "red"}
FEATURES = "{numeric: [a, b], categorical: [c]}"


@pytest.fixture
def function(bundle_folder, objects):
    """Starts the function; its log is in a bucket."""
    objects.create_bucket(Bucket="logs")
    given = {"SLIPWAY_BUNDLE": str(bundle_folder), "SLIPWAY_LOG": "s3://logs/small", "SLIPWAY_LOG_PEPPER": "the tests' own"}
    given["SLIPWAY_AUTH"] = "off"
    return lambda **more: Runtime(AWS_REGION="us-east-1", **{**given, **more})


def asked(name):
    return json.dumps({"records": [RECORD], "prediction_ids": [name]})


def test_it_answers_and_what_it_answered_is_in_the_bucket_when_it_is_killed(function, objects, home, tmp_path):
    with function() as runtime:
        print(f"asks for its first event after {runtime.is_ready():.2f} s")
        what, answer = runtime.ask(http_api("POST", "/predict", asked("first")))
        assert (what, answer["statusCode"]) == ("response", 200)
        assert json.loads(answer["body"])["predictions"][0]["prediction_id"] == "first"
        assert runtime.ask(sqs(asked("second"), "no json"))[1]["batchItemFailures"][0]["itemIdentifier"].endswith("1")
        assert runtime.ask(kinesis(asked("third")))[1] == {"batchItemFailures": []}
        what, error = runtime.ask({"source": "aws.events"})
        assert (what, error["errorType"]) == ("error", "ValueError"), (
            "another event is an error, and the next one is answered"
        )
        assert runtime.ask(http_api("GET", "/readyz"))[1]["statusCode"] == 200
        os.kill(runtime.process.pid, signal.SIGKILL)
    case = small_use_case(tmp_path, **{FEATURES: f"{FEATURES}\nlog: {{bucket: s3://logs/small}}"})
    assert pull(case).damaged == ()
    with open_log("small") as log:
        found = log.execute("select prediction_id from log where kind = 'prediction' order by all").fetchall()
        assert log.execute("select sum(requests) from log where kind = 'refused'").fetchone() == (1,)
    assert found == [("first",), ("second",), ("third",)]


def test_without_its_bucket_it_answers_nobody(function, objects):
    objects.delete_bucket(Bucket="logs")
    with function() as runtime:
        answer = runtime.ask(http_api("POST", "/predict", asked("first")))[1]
        assert answer["statusCode"] == 503
        assert json.loads(answer["body"])["error"].endswith("nothing is answered: its bucket does not take it")
        assert len(runtime.ask(sqs(asked("second")))[1]["batchItemFailures"]) == 1, "the queue keeps it"


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"SLIPWAY_BUNDLE": "/nowhere"}, "/nowhere: no manifest.json, so this is not a bundle"),
        ({"SLIPWAY_LOG": "s3://"}, "s3://: is no place for a log; write s3://BUCKET/PREFIX"),
        ({"SLIPWAY_AUTH": "on"}, "--keys names no key file"),
        ({"SLIPWAY_AUTH": ""}, "set SLIPWAY_AUTH: off where AWS asks who comes"),
        ({"SLIPWAY_LOG": "/dev/null/log"}, "--log /dev/null/log: cannot be written"),
    ],
)
def test_a_function_that_cannot_start_says_why(function, given, told):
    with function(**given) as runtime:
        what, error = runtime.answers.get(timeout=30)
        assert what == "start"
        assert told in error["errorMessage"]


def test_the_zip_file_answers_by_what_is_in_it(bundle_folder, tmp_path, monkeypatch):
    """Packed with the image's wheels, which lie here, so without a network; run by a Python that has nothing else."""
    monkeypatch.setattr(packing, "PYTHON", f"{sys.version_info.major}.{sys.version_info.minor}")
    monkeypatch.setenv("PATH", f"{Path(sys.base_prefix) / 'bin'}:{os.environ['PATH']}")
    for name, value in {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(WHEELS)}.items():
        monkeypatch.setenv(name, value)
    packed = tmp_path / "function.zip"
    unpacked = zip_function(bundle_folder, packed, print)
    print(f"{packed.stat().st_size / 2**20:.1f} MiB, {unpacked / 2**20:.0f} unpacked")
    assert packed.stat().st_size < 60 * 2**20
    with zipfile.ZipFile(packed) as archive:
        archive.extractall(tmp_path / "task")
    (tmp_path / "runtime").mkdir()  # what Lambda's own image has besides Python
    packages = Path(sysconfig.get_path("platlib"))
    names = ("awslambdaric", "simplejson", "snapshot_restore_py")
    for found in [*(packages / name for name in names), *packages.glob("runtime_client*.so")]:
        (tmp_path / "runtime" / found.name).symlink_to(found)
    given = {"SLIPWAY_BUNDLE": str(tmp_path / "task" / "bundle"), "SLIPWAY_LOG": str(tmp_path / "log")}
    given["SLIPWAY_AUTH"] = "off"
    paths = f"{tmp_path / 'task'}:{tmp_path / 'runtime'}"
    python = str(Path(sys.base_prefix) / "bin" / "python3")
    with Runtime(python=python, cwd=tmp_path / "task", PYTHONPATH=paths, SLIPWAY_LOG_PEPPER="p", **given) as runtime:
        answer = runtime.ask(http_api("POST", "/predict", json.dumps({"records": [RECORD], "explain": True})))[1]
    assert answer["statusCode"] == 200
    assert json.loads(answer["body"])["predictions"][0]["reasons"]
