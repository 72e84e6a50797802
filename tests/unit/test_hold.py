"""Legal hold: what is held is neither erased nor dropped by age, and a hold that was tampered with is found."""

import base64
import json
import os
import pwd
from datetime import timedelta

import pytest
from typer.testing import CliRunner

from configs.errors import CheckFailed, InputError
from configs.settings import prediction_log, use_case_home
from console.cli import app
from serving.log.writer import PredictionLog
from tasks.audit.checkpoint import sign_record
from tasks.audit.examine import examine
from tasks.history import read_history
from tasks.log.conditions import matching, parse_condition
from tasks.log.erase import erase
from tasks.log.files import parts
from tasks.log.hold import lift, place, standing
from tasks.log.retain import drop_old
from tasks.log.verify import verify
from tasks.people import NotAllowed, Person, put_person
from tests.unit.test_log_maintenance import KEY, case, label, log, prediction, rotate_and_compact, rows

__all__ = ["case", "log"]  # fixtures


def holds_file():
    return use_case_home("small") / "holds.json"


def old(case):
    return case.model_copy(update={"log": case.log.model_copy(update={"keep": timedelta(days=30)})})


def findings():
    return [tuple(each) for each in examine("small").findings]


def logged(log):
    """Alice's two predictions on two days, labels and others' on each."""
    log.append([prediction(n, day=1 + n % 2, customer="alice" if n in (3, 4) else "bob") for n in range(9)])
    log.append([label(3), label(4), label(5)])
    rotate_and_compact(log)


def test_what_is_held_is_not_erased(log, case):
    logged(log)
    alice, bob = [parse_condition("customer=alice", case)], [parse_condition("customer=bob", case)]
    held = place("small", alice, "case 7", "ann")
    before = [part.read_bytes() for part in parts(prediction_log("small"))]
    for conditions in (alice, [parse_condition("caller=shop", case)], [parse_condition("prediction_id=p003", case)]):
        with pytest.raises(
            CheckFailed, match=rf"[12] of these [129] predictions of small are under legal hold {held.id} .*ann"
        ):
            erase("small", conditions, "asked")
    assert [part.read_bytes() for part in parts(prediction_log("small"))] == before
    assert erase("small", bob, "asked").predictions == 7
    lift("small", alice, "settled", "ann")
    assert erase("small", alice, "asked").predictions == 2


@pytest.mark.parametrize("key", [None, KEY])
def test_retention_leaves_what_is_held_and_the_record_proves_it(home, case, monkeypatch, key):
    if key:
        monkeypatch.setenv("SLIPWAY_LOG_KEY", key)
    log = PredictionLog(prediction_log("small"), base64.b64decode(key) if key else None)
    logged(log)
    sign_record("small")
    before = {part: part.read_bytes() for part in parts(prediction_log("small"))}
    alice = [parse_condition("customer=alice", case)]
    place("small", alice, "case 7", "ann")
    assert drop_old(old(case)) == ["2026-01-01", "2026-01-02", "2026-01-09"]
    assert rows() == [("feedback", 2), ("prediction", 2)], "hers, and their labels"
    assert sorted(matching("small", alice)) == ["p003", "p004"]
    assert drop_old(old(case)) == [], "nothing is left to drop, and nothing is rewritten"
    assert not [state for state in verify("small") if state.damaged]
    sign_record("small")
    assert findings() == []
    part = parts(prediction_log("small"))[0]
    left = part.read_bytes()
    part.write_bytes(before[part])
    ((what, why),) = findings()
    assert (what, "retention has dropped it" in why) == ("undone", True)
    part.write_bytes(left[:-9] + b"x" + left[-8:])
    assert [what for what, _ in findings()] == ["changed"]
    part.write_bytes(left)
    lift("small", alice, "settled", "ann")
    assert len(drop_old(old(case))) == 3
    sign_record("small")
    assert (rows(), findings()) == ([], [])
    log.close()


def test_who_takes_a_hold_out_of_its_file_is_found_and_nothing_goes(log, case):
    logged(log)
    alice, bob = [parse_condition("customer=alice", case)], [parse_condition("customer=bob", case)]
    held = place("small", alice, "case 7", "ann")
    assert oct(holds_file().stat().st_mode)[-3:] == "600"
    assert b"alice" not in (use_case_home("small") / "history.jsonl").read_bytes()
    sign_record("small")
    assert findings() == []
    holds_file().unlink()
    assert findings() == [("dropped", f"legal hold {held.id} is not in holds.json")]
    for act in (lambda: erase("small", bob, "asked"), lambda: drop_old(old(case))):
        with pytest.raises(CheckFailed, match=f"lacks legal hold {held.id}, which the history of small has, so noth"):
            act()
    assert rows() == [("feedback", 3), ("prediction", 9)]
    assert place("small", alice, "case 7, again", "ann").id == held.id, "it is the same one"
    assert findings() == []
    whole = holds_file().read_bytes()
    holds_file().write_bytes(whole.replace(b"alice", b"carol"))
    assert [what for what, _ in findings()] == ["changed"]
    more = json.loads(whole)
    holds_file().write_text(json.dumps([*more, {**more[0], "id": "another"}]))
    assert findings() == [("inserted", "legal hold another was placed by no command")]
    holds_file().write_text("{")
    assert "is no file of legal holds" in findings()[0][1]
    os.chmod(holds_file(), 0o644)
    with pytest.raises(CheckFailed, match=r"can be read by others \(mode 644\); chmod 600 it"):
        standing("small")


@pytest.fixture
def written(case, tmp_path, monkeypatch):
    """The use case as a file, for commands."""
    from tests.conftest import RICH, SMALL

    monkeypatch.setenv("SLIPWAY_USE_CASES", str(tmp_path / "use_cases"))
    (tmp_path / "use_cases").mkdir()
    text = SMALL.format(path=tmp_path / "rows.csv").replace("{numeric: [a, b], categorical: [c]}", RICH)
    (tmp_path / "use_cases" / "small.yaml").write_text(text)


def told(*words):
    done = CliRunner().invoke(app, words)
    return done.output if done.exception is None else str(done.exception)


def test_the_command_says_what_is_held_and_bad_input_is_told(log, written):
    logged(log)
    sign_record("small")
    hold = ("audit", "hold", "small")
    assert told(*hold) == "Nothing of small is under legal hold\n"
    assert told(*hold, "customer=alice").startswith("a legal hold, and lifting one, needs a reason")
    assert told(*hold, "customer=alice", "--reason", "case 7").endswith(
        ": 2 predictions of small, and those that come, stay until it is lifted\n"
    )
    assert findings() == []
    assert examine("small").waiting == 0, "it is signed at once"
    assert told(*hold).startswith("customer=alice: legal hold ")
    assert "is held already: legal hold" in told(*hold, "customer=alice", "--reason", "again")
    assert told(*hold, "nobody=1", "--reason", "x").startswith("'nobody=1': the log has no field 'nobody'")
    assert "no legal hold of 'small' is on customer=bob" in told(*hold, "customer=bob", "--lift", "--reason", "x")
    assert "are under legal hold" in told("log", "erase", "small", "--where", "customer=alice", "--yes")
    assert told("history", "small").count("legal hold") == 1
    assert "is lifted: settled" in told(*hold, "customer=alice", "--lift", "--reason", "settled")
    moves = [(entry["move"], entry["by"]) for entry in read_history("small", "hold")]
    assert [move for move, _ in moves] == ["placed", "lifted"]
    assert told("log", "erase", "small", "--where", "customer=alice", "--yes").startswith("Erased 2 predictions")


def test_a_hold_is_an_auditors_to_place(home, written):
    put_person(Person(name="ann", account=pwd.getpwuid(os.geteuid()).pw_name, roles=("operator",)))
    with pytest.raises(NotAllowed, match="needs the role 'auditor', and ann has operator"):
        CliRunner().invoke(app, ["audit", "hold", "small", "customer=1", "--reason", "x"], catch_exceptions=False)
    with pytest.raises(InputError, match="no legal hold of 'small'"):
        lift("small", [], "x", "ann")
