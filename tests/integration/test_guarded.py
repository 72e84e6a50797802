"""A home that is reached from other machines: first killed wherever a release can be, then guarded, and made to forget."""

import contextlib
import os
import random
import re
import signal
import ssl
import time

import httpx
import pytest

from tests.integration.conftest import Home, own_port
from tests.integration.server import make_certificate, read_until, wait_for

# What a release says on its way, also where a step was done before; it is killed up to half a second behind each.
STEPS = (
    "Beginning flow run",
    "'ingest-",
    "'validate-",
    "'train-",
    "'convert-",
    "'bundle-",
    "'register-",
    "'plan-",
    "'bring_up-",
    "'load_gate-",
)
KILLS = int(os.environ.get("SLIPWAY_RELEASE_KILLS", "6"))


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    """A home whose gateway listens on every interface too; the address of `loans` there, and what its clients trust."""
    folder = tmp_path_factory.mktemp("guarded")
    certificate, key = make_certificate(folder)
    port = own_port()
    tls = {
        "SLIPWAY_GATEWAY_TLS_CERTIFICATE": str(certificate),
        "SLIPWAY_GATEWAY_TLS_KEY": str(key),
        "SLIPWAY_GATEWAY_TLS_ADDRESS": f"0.0.0.0:{port}",
    }
    home = Home(folder / "home", **tls)
    home.run("up")
    yield home, f"https://127.0.0.1:{port}/loans", ssl.create_default_context(cafile=str(certificate))
    home.run("down")


def test_killed_at_any_step_it_ends_right_with_one_training(guarded, monkeypatch):
    """`kill -9` of the flow run; started again it goes on, and trains once: without a time no model is refitted."""
    from tasks.registry.versions import versions

    home, moments, outputs = guarded[0], random.Random(7), []
    for step in sorted(moments.sample(STEPS, min(KILLS, len(STEPS))), key=STEPS.index):
        process = home.command("release", "loans")
        outputs.append(read_until(process, step))
        time.sleep(moments.uniform(0, 0.5))
        with contextlib.suppress(ProcessLookupError):  # a run may have ended by then
            os.killpg(process.pid, signal.SIGKILL)
        outputs.append(process.communicate()[0])
    outputs.append(home.run("release", "loans"))
    trained = sum(output.count("Trained hist_gradient_boosting") for output in outputs)
    assert trained == 1, f"{trained} trainings; that of the candidate, which is what serves, was expected"
    status = home.run("status")
    assert "loans-v1-" in status
    assert not re.search(r"loans-v[2-9]", status)
    monkeypatch.setenv("SLIPWAY_HOME", str(home.folder))
    # Asked from the registry: a kill between the version and the line that tells of it leaves no line.
    assert [version.version for version in versions("loans")] == ["1"]


def test_beyond_loopback_keys_and_tls_are_on_and_a_subject_can_be_erased(guarded):
    """What its operator does: keys, verify, erase."""
    home, address, trusted = guarded
    body = {"records": [home.record], "prediction_ids": ["subject-42"]}
    home.run("release", "loans")
    with httpx.Client(base_url=address, verify=trusted, timeout=10) as client:
        assert client.post("/predict", json=body).status_code == 401
        text = home.run("keys", "create", "loans", "shop", "--role", "predict").splitlines()[0]
        client.headers["authorization"] = f"Bearer {text}"
        wait_for(lambda: client.post("/predict", json=body).status_code == 200, "an answer with the key", 5)
        assert "shop" in home.run("keys", "list", "loans")
        assert "did you mean 'predict'?" in home.run("keys", "create", "loans", "x", "--role", "predct", status=2)
        assert "all as they were written" in home.run("log", "verify", "loans")
        erased = home.run("log", "erase", "loans", "--where", "prediction_id=subject-42", "--yes")
        assert "Erased 1 predictions" in erased
        told = home.run("log", "erase", "loans", "--where", "prediction_id=subject-42", "--yes", status=2)
        assert "no prediction of loans has prediction_id=subject-42" in told
        assert client.post("/predict", json={"records": [home.record]}).status_code == 200
        home.run("keys", "revoke", "loans", "shop")
        wait_for(lambda: client.post("/predict", json=body).status_code == 401, "the end of the key", 5)
