"""Reasons of an answer in the log are those that the server gave with it; where they cannot be, it is said why."""

import json
import shutil

import pytest
from typer.testing import CliRunner

from configs.settings import prediction_log, store
from console.cli import app
from serving.log.writer import PredictionLog, Sensitive
from serving.scoring.bundle import CODES, REASONS, read_bundle
from serving.scoring.model import Identity, ServedModel
from tasks.audit.why import asked_of
from tasks.explaining.reasons import explained
from tasks.history import record
from tasks.log.find import find_records
from tasks.rollouts.known import bundle_of
from tests.unit.test_log_maintenance import rotate_and_compact
from tests.unit.test_reasons_served import RECORD, answered, with_words


def stored(folder):
    """The bundle in the store of this test's home, as that of version 1."""
    bundle = read_bundle(folder)
    shutil.copytree(folder, store("bundles") / bundle.digest)
    record("small", "deploy", "the first", version="1", previous="", release="r", bundle=bundle.digest, by="")
    return bundle


@pytest.fixture
def served(bundle_folder, home):
    """Makes a server of the bundle, whose reasons are told in words, and asks it for a prediction by id."""
    with_words(bundle_folder)
    bundle, log = stored(bundle_folder), PredictionLog(prediction_log("small"))

    def ask(name, policy="keep", **values):
        model = ServedModel(bundle, Identity("1", "small-v1"), log, Sensitive(["c"], policy, b"key"))
        body = {"records": [{**RECORD, "customer": "alice", **values}], "prediction_ids": [name], "explain": True}
        return answered(model, body)["predictions"][0]["reasons"]

    ask.log = log
    yield ask
    log.close()


@pytest.mark.parametrize("compacted", [False, True])
def test_why_has_the_reasons_that_the_answer_had(served, compacted):
    given = [served("p1", b=-2.5), served("p2", b=None, a=1 / 3)]
    if compacted:
        rotate_and_compact(served.log)
    for name, reasons in zip(("p1", "p2"), given, strict=True):
        found = asked_of(name, None)
        assert (found.reasons, found.unexplained) == (reasons, "")
    shown = CliRunner().invoke(app, ["audit", "why", "p1"]).output
    assert "b is only -2.5" in shown
    assert f"{given[0]['contributions']['b']:+.4f}  b" in shown


@pytest.mark.parametrize(
    ("policy", "told"),
    [("hash", "the log has hashed c, and without the values"), ("omit", "the log has left out c, and without the values")],
)
def test_what_the_log_does_not_keep_is_not_explained(served, policy, told):
    served("p1", policy)
    found = asked_of("p1", None)
    assert found.reasons is None
    assert found.unexplained.startswith(told)
    assert told in " ".join(CliRunner().invoke(app, ["audit", "why", "p1"], env={"COLUMNS": "300"}).output.split())


def changed(name, **fields):
    """The same prediction, logged as another one that says otherwise."""
    (found,) = find_records("small", name)
    return {**found.record, **fields}


def test_an_answer_that_no_stored_model_gives_is_not_explained(served):
    served("p1")
    digest = bundle_of("small", "1")
    assert explained(changed("p1"), digest).reasons is not None
    assert explained(changed("p1", output=[0.5, 0.5]), digest).none.startswith("asked again, version 1 does not say what it")
    assert explained(changed("p1", variant="halt"), digest).none == "a halt answered, and no model"
    assert "column 'a': is missing" in explained(changed("p1", features={"c": "red"}), digest).none
    gone = explained(changed("p1", model_version="2"), bundle_of("small", "2")).none
    assert gone == "version 2 was never switched to in this home; ask MLflow"


def test_a_bundle_without_reasons_is_told_so(bundle_folder, home):
    path = bundle_folder / "manifest.json"
    manifest = json.loads(path.read_text())
    del manifest["files"][REASONS]
    (bundle_folder / REASONS).unlink()
    path.write_text(json.dumps(manifest))
    assert CODES not in manifest["files"]
    log = PredictionLog(prediction_log("small"))
    answered(ServedModel(stored(bundle_folder), Identity("1", "r"), log), {"records": [RECORD], "prediction_ids": ["p1"]})
    assert asked_of("p1", None).unexplained.startswith("version 1 gives no reasons: its bundle holds nothing")
    log.close()
