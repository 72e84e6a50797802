"""The record of a real release: signed by maintenance, verified, asked why, and checked by a stranger in another process."""

import json
import subprocess
import sys

import httpx
import pytest

from configs.settings import reports
from tasks.audit.tree import read_entries
from tasks.deploying.keys import internal_headers
from tasks.history import read_history
from tasks.log.read import TEST_CALLER
from tasks.routing.gateway import address

ID = "audited-1"


@pytest.fixture(scope="module")
def asked(served):
    """An answer of the release, and what came of it."""
    headers = internal_headers("loans", TEST_CALLER)
    body = {"records": [served.record], "prediction_ids": [ID], "explain": True}
    answer = httpx.post(f"{address('loans')}/predict", json=body, headers=headers).raise_for_status()
    labels = {"labels": [{"prediction_id": ID, "label": 1}]}
    httpx.post(f"{address('loans')}/feedback", json=labels, headers=headers).raise_for_status()
    return answer.json()


def test_an_answer_is_signed_told_and_verified(served, asked, tmp_path):
    assert "entries are signed" in served.told("audit", "checkpoint", "loans", status=0)
    sources = {json.loads(entry)["source"] for entry in read_entries("loans")}
    assert sources >= {"history", "log", "configuration"}
    assert "All of it holds" in served.run("audit", "verify", "loans")
    story = json.loads(served.run("audit", "why", ID, "--json"))
    assert story["asked"][0]["features"].keys() >= served.record.keys() - {"note"}
    assert story["asked"][0]["prediction"] is not None
    assert [label["label"] for label in story["labels"]] in ([1], ["1"])
    model = story["model"]
    assert model["configuration"]["name"] == "loans"
    assert len(model["snapshot"]) == 64
    assert model["flow_run_name"].startswith("release-loans")
    assert {entry["what"] for entry in story["decisions"]} >= {"gate", "deploy"}
    assert story["proven"].startswith("its segment, ")
    assert (story["unexplained"], story["reasons"]) == ("", asked["predictions"][0]["reasons"])
    assert all(code["says"] and code["moved"] > 0 for code in story["reasons"]["codes"])
    unfavourable = story["asked"][0]["prediction"] in (0, "0")
    printed = served.told("audit", "notice", ID, "--to", str(tmp_path / "notice.html"), status=0 if unfavourable else 2)
    assert ("name and address of the creditor" in printed) == unfavourable
    printed = served.run("papers", "loans", "--to", str(tmp_path / "papers"))
    assert "technical-file: 27 things are still to be written by a person" in " ".join(printed.split())
    card, technical = ((tmp_path / "papers" / f"{name}.html").read_text() for name in ("model-card", "technical-file"))
    assert all(each in card for each in (model["snapshot"], model["flow_run_name"], "<h3>Fairness: ", "black, hispan, male"))
    assert all(each in technical for each in ("<td>model.sig</td>", "<td>scikit-learn</td>", "audit/checkpoints/0000"))


def test_a_changed_record_is_answered_as_was_told(served, asked, tmp_path):
    """By the server; and the notice of a denial says it."""
    headers, denied = internal_headers("loans", TEST_CALLER), {**served.record, "obrat": 60.0, "gdlin": 0.0, "unver": 1.0}

    def sent(record, name):
        body = {"records": [record], "prediction_ids": [name]}
        answer = httpx.post(f"{address('loans')}/predict", json=body, headers=headers).raise_for_status()
        return answer.json()["predictions"][0]["prediction"]

    assert sent(denied, "denied-1") == 0
    told = json.loads(served.run("audit", "why", "denied-1", "--change", "--json"))["change"]
    assert told["ways"], told["none"]
    for place, way in enumerate(told["ways"]):
        changes = {each["column"]: each["value"] for each in way["changes"]}
        assert sent({**denied, **changes}, f"changed-{place}") == way["answer"] == 1
    served.told("audit", "notice", "denied-1", "--to", str(tmp_path / "notice.html"), status=0)
    assert f"would have been approved if {told['ways'][0]['changes'][0]['says']}" in (tmp_path / "notice.html").read_text()


def test_maintenance_signs_too_and_proves_the_row(served, asked, tmp_path):
    from flows.maintain import maintain

    with served.connected():
        maintain("loans")
    run = read_history("loans", "audit-run")[-1]
    assert not {"record", "witness", "keys", "quarantine", "legal holds", "retention"} & set(run["wrong"]), run["wrong"]
    page = max(reports("loans", "audit").glob("*.html"))
    assert '<th scope="row">record</th><td>holds</td>' in page.read_text()
    assert "loans: holds: record: " in served.told("audit", "run", "loans", status=1 if run["wrong"] else 0)
    story = json.loads(served.run("audit", "why", ID, "--json"))
    assert story["proven"].startswith("row "), story["proven"]
    shown = served.run("audit", "why", ID)
    assert f"prediction {ID} of loans" in shown
    served.run("audit", "export", "loans", "--to", str(tmp_path / "out"))
    (tmp_path / "why.json").write_text(json.dumps(story))
    program = [sys.executable, "-I", str(tmp_path / "out" / "verify.py"), "--proof", str(tmp_path / "why.json")]
    done = subprocess.run(program, cwd="/", capture_output=True, text=True, check=False)
    assert (done.returncode, "all of it holds" in done.stdout) == (0, True), done.stdout + done.stderr


def test_the_model_is_asked_again_and_trained_again(served, asked):
    shown = served.run("audit", "why", ID, "--again", "--rebuild")
    assert "Asked again: the same answer, equal to the bit" in shown
    assert "Trained again: loans version 1: reproduced, equal ONNX bytes" in shown
    assert "The model that was trained again: the same answer, equal to the bit" in shown


def test_what_is_held_on_who_asked_is_told(served, asked):
    found = json.loads(served.run("audit", "subject", "loans", f"prediction_id={ID}", "--json"))["found"][0]
    assert {kind: len(rows) for kind, rows in found["records"].items()} == {"prediction": 1, "feedback": 1}
    assert {each.split(":")[0].split(" (")[0] for each in found["cannot"]} >= {"MLflow", "Prefect", "reports"}


def test_bad_input_is_one_line(served, asked):
    assert served.told("audit", "why", "nobody-asked") == "error: no prediction 'nobody-asked' is in the log of loans\n"
    assert served.told("audit", "verify", "loan").startswith("error: use case 'loan' has no audit record in ")
    assert "has no history" in served.told("audit", "checkpoint", "loan")
