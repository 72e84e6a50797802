"""`slipway audit why --again`: the stored model, asked once more, says what the log has, or why it cannot be asked."""

import json
import shutil

import numpy as np
import pytest
from typer.testing import CliRunner

from configs.errors import CheckFailed
from configs.settings import prediction_log, store
from console.cli import app
from serving.log.writer import PredictionLog, Sensitive
from serving.scoring.bundle import read_bundle
from serving.scoring.model import Identity, ServedModel
from serving.traffic.plan import HALT
from tasks.audit.again import ask, ask_again
from tasks.audit.why import asked_of
from tasks.history import record
from tests.unit.test_log_maintenance import prediction, rotate_and_compact
from tests.unit.test_reasons_served import answered

RECORD = {"a": 0.1, "b": 0.5, "c": "red", "customer": 42}


@pytest.fixture
def stored(bundle_folder, home):
    """The bundle in the store of this home, where version 1 was deployed from it."""
    bundle = read_bundle(bundle_folder)
    shutil.copytree(bundle_folder, store("bundles") / bundle.digest)
    record("small", "deploy", "the first", version="1", bundle=bundle.digest)
    return bundle


@pytest.fixture
def log(home):
    made = PredictionLog(prediction_log("small"))
    yield made
    made.close()


def served(bundle, log, sensitive=None):
    return ServedModel(bundle, Identity("1", "small-v1"), log, sensitive)


def rows(count):
    generator = np.random.default_rng(1)
    return [{**RECORD, "a": a, "b": None if n % 7 == 0 else a / 3} for n, a in enumerate(generator.normal(size=count))]


@pytest.mark.parametrize("compacted", [False, True])
def test_the_stored_model_says_the_same(stored, log, compacted):
    """Also of rows that were scored with others, and whose answers a part has as text."""
    ids = [f"p{n}" for n in range(40)]
    answered(served(stored, log), {"records": rows(40), "prediction_ids": ids})
    if compacted:
        rotate_and_compact(log)
    for each in ids:
        again = ask_again(asked_of(each, "small"))
        assert (again.same, again.apart, again.told) == (True, 0.0, "the same answer, equal to the bit"), each


def told(*words, status=0):
    done = CliRunner().invoke(app, ["audit", "why", *words])
    if status:
        assert isinstance(done.exception, CheckFailed), done.output
        return str(done.exception)
    assert done.exit_code == 0, done.output
    return done.output


def test_it_is_told_in_words_and_in_json(stored, log):
    answered(served(stored, log), {"records": [RECORD], "prediction_ids": ["p1"]})
    assert "Asked again: the same answer, equal to the bit" in told("p1", "--again")
    assert json.loads(told("p1", "--again", "--json"))["again"]["same"] is True
    assert json.loads(told("p1", "--json"))["again"] is None


@pytest.mark.parametrize(
    ("policy", "why"),
    [
        ("hash", "the log has only a keyed hash of 'c', from which no value can be made again"),
        ("omit", "the log leaves out 'c'"),
    ],
)
def test_what_the_log_does_not_have_cannot_be_asked(stored, log, policy, why):
    answered(served(stored, log, Sensitive(["c"], policy, b"key")), {"records": [RECORD], "prediction_ids": ["p1"]})
    again = ask_again(asked_of("p1", "small"))
    assert (again.same, again.told) == (None, f"cannot be asked again: {why}")
    assert told("p1", "--again", status=1) == f"prediction p1, asked again: cannot be asked again: {why}"


def logged(stored, **other):
    """A record of the log, its answer changed."""
    scorer = ask(stored, stored.model, {"features": RECORD, "output": [0.0, 0.0], "prediction": "?"})
    return {"features": RECORD, "output": scorer.output, "prediction": scorer.prediction, **other}


def test_another_answer_is_found_and_the_last_bits_are_told_apart(stored):
    right = logged(stored)
    assert ask(stored, stored.model, right).same
    moved = {**right, "output": [right["output"][0] - 6e-8, right["output"][1] + 6e-8]}
    again = ask(stored, stored.model, moved)
    assert (again.same, "not to the bit" in again.told) == (True, True)
    wrong = {**right, "output": [right["output"][0] - 2e-5, right["output"][1] + 2e-5]}
    assert ask(stored, stored.model, wrong).same is False
    other = {**right, "prediction": "no" if right["prediction"] == "yes" else "yes"}
    assert ask(stored, stored.model, other).told.startswith("another answer: ")
    assert ask(stored, stored.model, {**right, "output": [1.0]}).same is False


def test_a_nullable_column_that_may_have_been_left_out_accuses_nobody(stored):
    import msgspec

    columns = tuple(msgspec.structs.replace(each, nullable=True) for each in stored.contract.columns)
    contract = msgspec.structs.replace(stored.contract, columns=columns)
    bundle = msgspec.structs.replace(stored, contract=contract)
    features = {name: value for name, value in RECORD.items() if name != "c"}
    again = ask(bundle, bundle.model, {"features": features, "output": [0.0, 1.0], "prediction": "yes"})
    assert again.same is None
    assert again.told.endswith("but 'c' may have been left out of the log, and was asked as missing")
    said = {"features": features, "output": again.output, "prediction": again.prediction}
    assert ask(bundle, bundle.model, said).same, "where it was null, it is the same"


def test_where_no_model_answered_or_none_is_kept_it_is_told(stored, log):
    assert "no model answered" in ask(stored, stored.model, logged(stored, variant=HALT)).told
    log.append([prediction(1, features=RECORD)])
    manifest = store("bundles") / stored.digest / "manifest.json"
    manifest.write_text(manifest.read_text() + " ")
    assert "it was changed" in ask_again(asked_of("p001", "small")).told
    shutil.rmtree(manifest.parent)
    assert "no manifest.json, so this is not a bundle" in told("p001", "--again", status=1)


def test_a_version_that_is_trained_again_is_asked_too(stored, log, monkeypatch):
    """The training is `slipway reproduce`, which has tests with real services."""
    import flows.reproduce
    from console import services
    from tasks.registry.reproduction import NotReproduced

    answered(served(stored, log), {"records": [RECORD], "prediction_ids": ["p1"]})
    monkeypatch.setattr(services, "is_up", lambda _: True)
    monkeypatch.setattr(flows.reproduce, "reproduce", lambda *_: "equal ONNX bytes")
    digest = stored.manifest.lineage["onnx"]
    (store("onnx") / f"{digest}.onnx").write_bytes(stored.model)
    found = json.loads(told("p1", "--rebuild", "--json"))["rebuilt"]
    assert (found["equal"], found["again"]["same"], found["onnx"]) == (True, True, digest)
    (store("onnx") / "other.onnx").write_bytes(renamed(stored.model))

    def differs(*_):
        raise NotReproduced("ONNX differs from byte 7 on", "other")

    monkeypatch.setattr(flows.reproduce, "reproduce", differs)
    assert told("p1", "--rebuild", status=1) == "prediction p1, trained again: ONNX differs from byte 7 on"
    (line,) = [
        each for each in CliRunner().invoke(app, ["audit", "why", "p1", "--rebuild"]).output.splitlines() if "was" in each
    ]
    assert line == "The model that was trained again: the same answer, equal to the bit"


def renamed(model):
    """The same graph by another producer: other bytes, the same answers."""
    import onnx

    graph = onnx.load_from_string(model)
    graph.producer_name = "another"
    return graph.SerializeToString()
