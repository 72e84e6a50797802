"""How a server is started: by options, by the environment, and by platforms that start it their own way."""

import os

import pytest

from serving.__main__ import main, options_of
from serving.platforms import log_place


@pytest.fixture
def environment(bundle_folder, tmp_path, monkeypatch):
    for name in [name for name in os.environ if name.startswith(("SLIPWAY_", "AIP_", "SAGEMAKER_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("SLIPWAY_LOG_PEPPER", "the tests' own")
    monkeypatch.setenv("SLIPWAY_BUNDLE", str(bundle_folder))
    monkeypatch.setenv("SLIPWAY_LOG", str(tmp_path / "log"))
    return monkeypatch


def started(*words):
    return options_of(list(words))


@pytest.mark.parametrize(
    ("variable", "value", "told"),
    [
        ("SLIPWAY_AUTH", "maybe", "SLIPWAY_AUTH 'maybe': must be one of auto, on, off"),
        ("SLIPWAY_SENSITIVE", "Hash", "SLIPWAY_SENSITIVE 'Hash': must be one of keep, hash, omit"),
        ("SLIPWAY_LOG_FAILURE", "ignore", "must be one of refuse, answer"),
        ("SLIPWAY_ACCESS_LOG", "yes please", "must be one of 0, 1, false, true"),
        ("SLIPWAY_WORKERS", "two", "SLIPWAY_WORKERS 'two': must be a whole number"),
        ("SLIPWAY_BODY_SECONDS", "soon", "SLIPWAY_BODY_SECONDS 'soon': must be a number"),
        ("AIP_HTTP_PORT", "http", "AIP_HTTP_PORT 'http': must be a whole number"),
        ("AIP_PREDICT_ROUTE", "predict", "AIP_PREDICT_ROUTE 'predict': must begin with /"),
    ],
)
def test_a_bad_value_in_the_environment_is_one_line(environment, capsys, variable, value, told):
    environment.setenv(variable, value)
    assert main([]) == 2
    words = capsys.readouterr().err
    assert words.startswith("error: ")
    assert told in words
    assert words.count("\n") == 1


@pytest.mark.parametrize("value", ["nan", "inf", "-1"])
def test_a_number_of_seconds_is_one(environment, capsys, value):
    environment.setenv("SLIPWAY_BODY_SECONDS", value)
    assert main([]) == 2
    assert f"--body-seconds {float(value)}: must be above 0 and finite" in capsys.readouterr().err


def test_an_empty_variable_is_none(environment):
    environment.setenv("SLIPWAY_AUTH", "")
    environment.setenv("SLIPWAY_WORKERS", "")
    assert (started().workers, started().host, started().access_log) == (1, "127.0.0.1", False)


def test_what_sagemaker_starts(environment, capsys, bundle_folder):
    environment.setenv("SAGEMAKER_BIND_TO_PORT", "9001")
    environment.setenv("SLIPWAY_LOG", "/dev/null/log")
    found = started("serve")
    assert (found.host, found.port, found.keys) == ("0.0.0.0", 9001, "")
    words = capsys.readouterr().err
    assert "warning: SageMaker asks who comes, so this server does not" in words
    assert f"the prediction log lies in {found.log}" in words
    assert os.access(found.log, os.W_OK)


def test_what_vertex_ai_starts(environment, capsys):
    environment.setenv("AIP_HTTP_PORT", "8085")
    environment.setenv("AIP_STORAGE_URI", "gs://bucket/model")
    environment.setenv("AIP_PREDICT_ROUTE", "/predict")
    found = started()
    assert (found.host, found.port, found.keys, found.predict_route) == ("0.0.0.0", 8085, "", "/predict")
    assert "warning: Vertex AI asks who comes" in capsys.readouterr().err


def test_a_platform_s_port_and_folders_stand_behind_what_a_person_says(environment):
    environment.setenv("AIP_HTTP_PORT", "8085")
    environment.setenv("SLIPWAY_HOST", "127.0.0.1")
    assert started("--port", "1234").port == 1234
    assert started().host == "127.0.0.1"


def test_elsewhere_and_where_a_person_says_so_nothing_is_let_in_or_lost(environment, tmp_path):
    with pytest.raises(ValueError, match="authentication is on"):
        started("--host", "0.0.0.0")
    environment.setenv("SLIPWAY_AUTH", "on")
    with pytest.raises(ValueError, match="--keys names no key file"):
        started("serve")
    with pytest.raises(ValueError, match="--log /dev/null/log: cannot be written"):
        log_place("/dev/null/log", "")


def test_a_bucket_is_for_functions_alone(environment, capsys):
    environment.setenv("SLIPWAY_LOG", "s3://logs/small")
    environment.setenv("AWS_REGION", "eu-west-1")
    assert main([]) == 2
    assert "--log s3://logs/small: a bucket is for functions" in capsys.readouterr().err
    assert options_of([], bucket=True).log == "s3://logs/small"


def test_a_worker_that_died_is_in_no_gauge_and_in_every_counter(tmp_path, monkeypatch):
    """Two worker processes with metrics of their own; one is gone when the other is asked."""
    import subprocess
    import sys

    from configs.settings import PROJECT

    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    work = "from serving.telemetry.metrics import Metrics; m = Metrics('u', '1', 'r'); m.queue.set(7); m.rows.inc(5)"
    subprocess.run([sys.executable, "-c", work], cwd=PROJECT, check=True)
    asked = (
        "from serving.telemetry.metrics import Metrics; m = Metrics('u', '1', 'r'); m.queue.set(2); m.rows.inc(1);"
        "print(m.text().decode())"
    )
    text = subprocess.run([sys.executable, "-c", asked], cwd=PROJECT, check=True, capture_output=True, text=True).stdout
    assert "slipway_queue_rows 2.0" in text
    assert "slipway_rows_total 6.0" in text
