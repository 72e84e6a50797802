"""`slipway audit why`: the story of an answer, from what the home keeps; its proof is checked by a stranger's file."""

import base64
import json
import re
import shutil

import pytest
from typer.testing import CliRunner

from configs.errors import CheckFailed, InputError
from configs.settings import prediction_log
from console.cli import app
from serving.log.writer import Feedback, PredictionLog, Shadow
from tasks.audit.checkpoint import sign_record
from tasks.audit.export import export
from tasks.audit.outside import check_proof
from tasks.audit.signing import audit_key, key_text, signed_checkpoint
from tasks.audit.story import story
from tasks.audit.tree import own_notes
from tasks.audit.values import Again
from tasks.audit.why import asked_of
from tasks.history import record
from tasks.log.conditions import parse_condition
from tasks.log.erase import erase
from tasks.log.files import parts
from tasks.log.find import find_records
from tasks.log.retain import drop_old
from tests.unit.test_audit import KEEP, stranger
from tests.unit.test_log_maintenance import KEY, case, label, log, prediction, rotate_and_compact

__all__ = ["case", "log"]  # fixtures


def shadow(number):
    time = "2026-01-01T00:00:00.000000Z"
    return Shadow(f"p{number:03d}", time, time, "2", "s", "shop", "no", [0.7, 0.3], 12, "plan", "shadow")


def logged(log, rows=9):
    log.append([prediction(n, customer="alice" if n == 4 else "bob") for n in range(rows)])
    log.append([shadow(4)])
    log.append([label(4, "no"), label(4), Feedback("p003", "2026-01-09T00:00:00.000000Z", None, "shop", {"minutes": 3.5})])


def decided():
    record("small", "gate", "gate contract: 3 checks passed", version="1", passed=True)
    record("small", "deploy", "the first", version="1", previous="", release="r", bundle="0" * 64, by="")
    record("small", "rollout", "ann said approve: fine", version="2", move="said", said="approve", by="ann")
    record("small", "finding", "calm", version="1")


def told(*words, status=0):
    done = CliRunner().invoke(app, ["audit", "why", *words])
    raised = done.exception if isinstance(done.exception, InputError | CheckFailed) else None
    assert (done.exit_code == 0 and status == 0) or raised is not None, done.output
    return done.output if raised is None else str(raised)


@pytest.mark.parametrize("compacted", [False, True])
@pytest.mark.parametrize("key", [None, KEY])
def test_every_record_of_a_prediction_is_found(home, monkeypatch, compacted, key):
    if key:
        monkeypatch.setenv("SLIPWAY_LOG_KEY", key)
    log = PredictionLog(prediction_log("small"), base64.b64decode(key) if key else None)
    logged(log)
    if compacted:
        rotate_and_compact(log)
    found = find_records("small", "p004")
    assert sorted(each.record["kind"] for each in found) == ["feedback", "feedback", "prediction", "shadow"]
    (asked,) = [each.record for each in found if each.record["kind"] == "prediction"]
    assert asked["features"] == {"a": 4.0, "c": "red", "customer": "alice"}
    assert (asked["output"], asked["caller"], asked["request_digest"]) == ([0.4, 0.6], "shop", "d")
    assert [each.row is not None for each in found] == [compacted] * 4
    assert find_records("small", "p00") == find_records("small", "' or 1=1") == []
    log.close()


def test_an_answer_is_told_and_proven_to_a_stranger(log, tmp_path):
    decided()
    logged(log)
    rotate_and_compact(log)
    sign_record("small")
    found = asked_of("p004", None)
    assert (found.use_case, found.wrong) == ("small", "")
    assert found.asked[0]["features"]["customer"] == "alice"
    assert [each["prediction"] for each in found.shadows] == ["no"]
    assert [each["label"] for each in found.labels] == ["no", "yes"]
    assert [(each["what"], each["reason"]) for each in found.decisions] == [
        ("gate", "gate contract: 3 checks passed"),
        ("deploy", "the first"),
    ], "what was said about version 2, and calm windows, are not about this"
    assert found.model["unknown"].endswith("no manifest.json, so this is not a bundle")
    assert found.proven.startswith(f"row {found.proof['row']} of day=2026-01-01/predictions-")
    export("small", tmp_path / "out")
    (tmp_path / "why.json").write_text(told("p004", "--json"))
    assert "all of it holds" in stranger(tmp_path / "out", "--proof", tmp_path / "why.json", status=0)
    data = json.loads((tmp_path / "why.json").read_text())
    data["proof"]["record"] = data["proof"]["record"].replace("alice", "carol")
    (tmp_path / "why.json").write_text(json.dumps(data))
    assert "changed: the record is not row" in stranger(tmp_path / "out", "--proof", tmp_path / "why.json", status=1)
    (tmp_path / "why.json").write_text("{}")
    assert "error: " in stranger(tmp_path / "out", "--proof", tmp_path / "why.json", status=2)


def test_a_proof_is_of_its_record_only(log):
    logged(log)
    rotate_and_compact(log)
    sign_record("small")
    one, other = asked_of("p004", None).proof, asked_of("p005", None).proof
    key = audit_key("small")
    assert check_proof(one, key) == check_proof(other, key) == []
    for swapped in ({"record": other["record"]}, {"row": other["row"]}, {"row_path": other["row_path"]}, {"index": 0}):
        assert [each.what for each in check_proof(one | swapped, key)] == ["changed"], swapped
    assert [each.what for each in check_proof(one, audit_key("another"))] == ["another home"]


def test_who_holds_a_checkpoint_sees_that_the_record_only_grew(log, tmp_path):
    """A customer has the proof, the key, and the checkpoint of that day; no export, and nothing of anybody else."""
    from tasks.audit import outside

    logged(log)
    sign_record("small")
    held, alone = tmp_path / "held.txt", tmp_path / "alone"
    held.write_text(own_notes("small")[-1])
    rotate_and_compact(log)
    decided()
    sign_record("small")
    alone.mkdir()
    shutil.copyfile(outside.__file__, alone / "verify.py")
    proof, key = alone / "why.json", key_text(audit_key("small"))
    proof.write_text(told("p004", "--json"))
    assert "a proof without a record needs --key" in stranger(alone, "--proof", proof, status=2)
    assert "all of it holds" in stranger(alone, "--proof", proof, "--key", key, status=0)
    assert "not shown: a witness holds" in stranger(alone, "--proof", proof, "--key", key, "--witness", held, status=1)
    proof.write_text(told("p004", "--json", "--since", str(held)))
    assert "1 witnessed checkpoints" in stranger(alone, "--proof", proof, "--key", key, "--witness", held, status=0)
    held.write_text(signed_checkpoint("small", 1, b"x" * 32))  # what the same key once signed, and no longer stands by
    printed = stranger(alone, "--proof", proof, "--key", key, "--witness", held, status=1)
    assert "rewritten: a witness holds the checkpoint of" in printed
    assert "rewritten: a witness holds the checkpoint of" in told("p004", "--since", str(held), status=1)
    held.write_text(signed_checkpoint("small", 100, b"x" * 32))
    assert "cut: a witness holds" in told("p004", "--since", str(held), status=1)
    held.write_text("nothing")
    assert told("p004", "--since", str(held), status=2).endswith("not a signed checkpoint: 'nothing'")


def test_what_is_shown_to_people(log):
    decided()
    logged(log)
    rotate_and_compact(log)
    assert "The record: not proven: nothing is signed" in told("p004")
    sign_record("small")
    shown = told("p004", "--use-case", "small")
    for words in ('"customer": "alice"', "shadow", "the first", "gate contract", "The record: row ", "(8 entries)"):
        assert words in shown, words
    assert "none has come" in told("p005")


def test_what_was_not_signed_yet_is_told_so(log):
    logged(log)
    sign_record("small")
    assert asked_of("p004", None).proven.startswith("not proven yet: its file was not in the record")
    log.close()
    sign_record("small")
    found = asked_of("p004", None)
    assert found.proven.startswith("its segment, predictions-")
    assert check_proof(found.proof, audit_key("small")) == []


def test_a_part_that_was_changed_gives_itself_away(log):
    import duckdb

    from tasks.log.files import put_part

    logged(log)
    rotate_and_compact(log)
    sign_record("small")
    part = parts(prediction_log("small"))[0]
    other = part.with_name("other")
    changed = "select * replace (replace(features, 'alice', 'carol')::json as features)"
    duckdb.execute(f"copy ({changed} from read_parquet('{part}', hive_partitioning = false)) to '{other}' (format parquet)")
    put_part(part, other.read_bytes())  # its checksum too
    other.unlink()
    wrong = told("p004", status=1)
    assert wrong.startswith("prediction p004 is not as it was recorded: changed: the record is not row ")


def test_an_erased_prediction_is_told_so(log, case):
    logged(log)
    rotate_and_compact(log)
    sign_record("small")
    erase("small", [parse_condition("customer=alice", case)], "asked")
    with pytest.raises(CheckFailed, match=r"prediction p004 of small was erased on .*; nothing of it is kept but that"):
        asked_of("p004", None)
    sign_record("small")
    assert asked_of("p005", None).wrong == "", "the others' proofs hold"
    with pytest.raises(InputError, match=r"no prediction 'p0041' is in the log of small$"):
        asked_of("p0041", None)


def test_bad_input_is_told(log, case):
    with pytest.raises(InputError, match="use case 'smal' has no prediction log in"):
        asked_of("p004", "smal")
    assert told("p004", status=2) == "no prediction 'p004' is in the log of small"
    logged(log)
    other = PredictionLog(prediction_log("other"))
    logged(other)
    with pytest.raises(InputError, match="other, small have a prediction 'p004'; add --use-case"):
        asked_of("p004", None)
    assert asked_of("p004", "other").use_case == "other"
    other.close()
    rotate_and_compact(log)
    drop_old(case.model_copy(update={"log": case.log.model_copy(update={"keep": KEEP})}))
    with pytest.raises(InputError, match="in the log of small; small: retention has dropped the days up to 2026-01-09"):
        asked_of("p004", "small")


def test_the_story_as_a_file_that_stands_alone(home, log, tmp_path):
    log.append([prediction(4, customer="<script>alert(1)</script>"), label(4, "no")])
    decided()
    path = tmp_path / "new" / "why.html"
    assert told("p004", "--html", str(path)) == f"Written to {path}\n"
    page = path.read_text()
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert not re.findall(r"(?:src|href)=\"(?!data:)", page), "nothing beside it"
    for words in ("Version 1 of small was asked on", "gate contract: 3 checks passed", "not proven"):
        assert words in page, words
    heads = re.findall(r"<h2[^>]*>(.*?)</h2>", page)
    assert heads == [
        "What was asked and answered", "Why it answered so", "What people decided", "What came of it",
        "The model that answered", "What was decided about version 1", "Is it proven?",
    ]  # fmt: skip
    assert oct(path.stat().st_mode & 0o777) == "0o600", "it has what somebody said of themselves"
    assert "is there already; name another file" in told("p004", "--html", str(path), status=2)


def test_what_does_not_hold_stands_on_the_page(home, log):
    log.append([prediction(4)])
    found = asked_of("p004", "small")
    page = story(found.model_copy(update={"wrong": "its row was changed", "again": Again(same=False, told="it says yes")}))
    assert page.count('role="alert"') == 2
    assert "p004 is not as it was recorded: its row was changed" in page
