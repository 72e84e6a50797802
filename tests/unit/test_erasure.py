"""Erasure finds exactly what it was asked for, however values were written and keys were given."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from configs.errors import InputError
from configs.settings import PROJECT, prediction_log
from serving.log.segment import log_key
from serving.log.writer import PredictionLog, Sensitive, hashed
from tasks.log.conditions import matching, parse_condition
from tasks.log.erase import erase
from tasks.log.keys import hash_keys
from tests.conftest import RICH, small_use_case
from tests.unit.test_log_maintenance import KEY, prediction, rotate_and_compact, rows


@pytest.fixture
def case(home, tmp_path):
    return small_use_case(tmp_path, **{"{numeric: [a, b], categorical: [c]}": RICH})


@pytest.fixture
def log(home):
    made = PredictionLog(prediction_log("small"))
    yield made
    made.close()


def found(case, *texts):
    return sorted(matching("small", [parse_condition(text, case) for text in texts]))


@pytest.mark.parametrize("compacted", [False, True])
def test_an_identifier_is_text_and_exact(log, case, compacted):
    large = 9007199254740993  # 2**53 + 1, which a double cannot hold
    customers = [large, large - 1, 123, "00123", "123.0", "1e2", 100, "abc", "Abc", 2**70, str(large)]
    for number, customer in enumerate(customers):
        log.append([prediction(number, customer=customer)])
    if compacted:
        rotate_and_compact(log)
    assert found(case, "customer=9007199254740993") == ["p000", "p010"]
    assert found(case, "customer=9007199254740992") == ["p001"]
    assert found(case, "customer=123") == ["p002"]
    assert found(case, "customer=00123") == ["p003"]
    assert found(case, "customer=100") == ["p006"]
    assert found(case, "customer=1e2") == ["p005"]
    assert found(case, "customer=Abc") == ["p008"]
    assert found(case, f"customer={2**70}") == ["p009"]
    if compacted:
        erase("small", [parse_condition("customer=123", case)], "asked")
        assert len(rows("select * from log")) == len(customers) - 1


def test_two_subjects_under_one_prediction_id_are_two(log, case):
    log.append([prediction(1, customer="alice"), prediction(1, customer="bob"), prediction(2, customer="bob")])
    rotate_and_compact(log)
    assert erase("small", [parse_condition("customer=alice", case)], "asked").predictions == 1
    assert found(case, "customer=bob") == ["p001", "p002"]


def test_a_number_is_what_the_contract_keeps_whatever_carried_it(log, case):
    for number, a in enumerate([0.1, float(np.float32(0.1)), 0.1000001, 5, 5.0, 16777217.0]):
        log.append([prediction(number, features={"a": a, "c": "1"})])
    assert found(case, "a=0.1") == ["p000", "p001"]
    assert found(case, "a=5") == found(case, "a=5.0") == ["p003", "p004"]
    assert found(case, "a=16777217") == ["p005"]
    assert found(case, "c=1.0") == [], "a category is text"


def test_a_number_of_a_tensor_is_found(model, case):
    from serving.protocols.tensors import read

    columns = {"a": np.array([0.1, 0.2]), "b": np.array([1.0, 1.0]), "c": ["red", "red"]}
    job = read(model, {**columns, "customer": np.array([0, 2**53 + 1])}, dict.fromkeys([*columns, "customer"], 2), {})
    model.score([job])
    assert len(found(case, "a=0.1")) == len(found(case, "customer=9007199254740993")) == len(found(case, "customer=0")) == 1
    assert found(case, "customer=9007199254740992") == []


@pytest.mark.parametrize("identifiers", [np.array([0.5]), np.array([True]), [1.0], [False]])
def test_an_identifier_is_text_or_a_whole_number(model, identifiers):
    from serving.contract.contract import ContractError
    from serving.protocols.tensors import read

    columns = {"a": np.array([0.1]), "b": np.array([1.0]), "c": ["red"], "customer": identifiers}
    with pytest.raises(ContractError, match="column 'customer': must be text or a whole number"):
        read(model, columns, dict.fromkeys(columns, 1), {})


@pytest.mark.parametrize("value", [0.1, 41.0, 0.123456789, 1e20])
def test_a_hashed_number_is_found_by_its_hash_of_now_and_of_before(log, case, value):
    case = case.model_copy(update={"features": case.features.model_copy(update={"numeric": ["a", "b"]})})
    key = hash_keys("small")[0]
    guard = Sensitive(["a"], "hash", key)
    before = str(int(value)) if value.is_integer() else str(value)
    for number, logged in enumerate([value, float(np.float32(value))]):
        log.append([prediction(number, features=guard.guard({"a": logged}))])
    log.append([prediction(2, features={"a": hashed(before, key)})])
    assert found(case, f"a={value!r}") == ["p000", "p001", "p002"]


@pytest.mark.parametrize("text", ["a=red", "a=nan", "a=1e39"])
def test_a_number_that_is_none_is_told(case, text):
    with pytest.raises(InputError, match="'a' is numeric; write a number that fits in 32 bits"):
        parse_condition(text, case)


@pytest.mark.parametrize("how", ["variable", "file", "block"])
def test_a_key_works_in_every_command_however_it_is_given(case, home, tmp_path, monkeypatch, how):
    """`verify`, `compact`, `erase` and reading, on a log whose sensitive column is hashed with the log's key."""
    import configs.secrets

    if how == "variable":
        monkeypatch.setenv("SLIPWAY_LOG_KEY", KEY)
    elif how == "file":
        (tmp_path / "key").write_text(KEY + "\n")
        monkeypatch.setenv("SLIPWAY_LOG_KEY_FILE", str(tmp_path / "key"))
    else:
        monkeypatch.setattr(configs.secrets, "_block", {"slipway-log-key": KEY}.get)
    from tasks.log.verify import verify

    guard = Sensitive(["c"], "hash", hash_keys("small")[0])
    log = PredictionLog(prediction_log("small"), log_key({"SLIPWAY_LOG_KEY": KEY}))
    for number in range(4):
        log.append([prediction(number, features=guard.guard({"a": 1.0, "c": f"c{number % 2}", "customer": number}))])
    assert found(case, "c=c1") == ["p001", "p003"]
    assert [state.damaged for state in verify("small")] == [False]
    rotate_and_compact(log)
    assert [state.damaged for state in verify("small")] == [False]
    assert erase("small", [parse_condition("c=c1", case)], "asked").predictions == 2
    assert rows() == [("prediction", 2)]
    log.close()


def test_a_server_takes_the_key_from_a_file_too(bundle_folder, home, tmp_path):
    (tmp_path / "key").write_text("short")
    environment = {**os.environ, "SLIPWAY_LOG_KEY_FILE": str(tmp_path / "key")}
    command = [sys.executable, "-m", "serving", "--bundle", str(bundle_folder), "--log", str(home)]
    for content, told in (("short", "must be base64 of 32 bytes"), ("", "is empty; write the secret into it")):
        Path(tmp_path / "key").write_text(content)
        done = subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=False)
        assert (done.returncode, told in done.stderr) == (2, True), done.stderr
