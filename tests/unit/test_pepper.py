"""The key of the log's hashes: random, the use case's own, and read by nobody else."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from configs.errors import InputError
from configs.settings import PROJECT, prediction_log, use_case_home
from serving.contract.contract import Column, Contract
from serving.log.writer import PredictionLog, Sensitive, hashed, sensitive_of
from tasks.log.conditions import matching, parse_condition
from tasks.log.keys import hash_keys, pepper
from tests.conftest import RICH, small_use_case
from tests.unit.test_log_maintenance import KEY, prediction

CONTRACT = Contract("small", (Column("c", "categorical", sensitive=True),), "y", (0, 1))


def test_it_is_random_and_stays_and_is_ours_alone(home):
    with ThreadPoolExecutor(8) as threads:
        (made,) = set(threads.map(lambda _: pepper("small"), range(8)))
    assert pepper("other") != made
    path = use_case_home("small") / "log.pepper"
    assert path.stat().st_mode & 0o777 == 0o600
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    path.chmod(0o644)
    with pytest.raises(InputError, match=r"can be read by others \(mode 644\); chmod 600 it"):
        pepper("small")


@pytest.mark.parametrize(
    "key", ["a use case's name", "the log's key", "its own", "a secret's", "its own, and now a secret's"]
)
def test_a_value_is_found_whatever_its_hash_was_made_with(home, tmp_path, monkeypatch, key):
    case = small_use_case(tmp_path, **{"{numeric: [a, b], categorical: [c]}": RICH})
    used = {"a use case's name": b"small", "the log's key": bytes(range(32)), "a secret's": b"given"}.get(key)
    if key == "the log's key":
        monkeypatch.setenv("SLIPWAY_LOG_KEY", KEY)
    used = used or pepper("small").encode()
    if "secret" in key:
        monkeypatch.setenv("SLIPWAY_LOG_PEPPER", "given")
    log = PredictionLog(prediction_log("small"))
    log.append(
        [prediction(1, features=Sensitive(["c"], "hash", used).guard({"c": "red"})), prediction(2, features={"c": "x"})]
    )
    log.close()
    assert matching("small", [parse_condition("c=red", case)]) == ["p001"]
    assert hashed("red", hash_keys("small")[0]) != hashed("red", b"small")


def test_a_server_does_not_hash_without_a_secret(monkeypatch):
    monkeypatch.delenv("SLIPWAY_LOG_PEPPER", raising=False)
    with pytest.raises(ValueError, match="--sensitive hash of c needs a secret, or values could be guessed"):
        sensitive_of(CONTRACT, "hash", None)
    assert sensitive_of(CONTRACT, "hash", b"key").guard({"c": "red"}) == {"c": hashed("red", b"key")}
    assert sensitive_of(CONTRACT, "omit", None).guard({"c": "red"}) == {}
    assert not sensitive_of(Contract("small", (Column("a", "numeric"),), "y", (0, 1)), "hash", None)


def test_a_server_that_is_started_by_hand_says_so(bundle_folder, home):
    environment = {name: text for name, text in os.environ.items() if not name.startswith("SLIPWAY_LOG")}
    command = [sys.executable, "-m", "serving", "--bundle", str(bundle_folder), "--log", str(home)]
    done = subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "set SLIPWAY_LOG_PEPPER" in done.stderr
