"""The audit run: each check finds what is wrong and says what it cannot look at; people are told once."""

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner

import tasks.containers.since_release
from configs.errors import CheckFailed
from configs.files import write_atomically
from configs.settings import prediction_log, reports, use_case_home
from console.cli import app
from serving.log.writer import PredictionLog
from serving.security.keys import KeyFile, new_key
from tasks.audit.checkpoint import sign_record
from tasks.history import read_history, record
from tasks.log.conditions import parse_condition
from tasks.log.hold import place
from tasks.monitoring.alerts.outbox import waiting
from tasks.monitoring.audit_checks import CHECKS
from tasks.monitoring.audit_run import looked, page_of, page_path
from tasks.monitoring.findings import finding_path
from tasks.monitoring.run_audit import run_audit, told_before
from tasks.monitoring.values import Alarm, Finding, Service
from tasks.quarantine import let_out, put_in
from tasks.routing.halted import keep_halted
from tests.conftest import RICH, small_frame, small_use_case
from tests.unit.test_log_maintenance import prediction, rotate_and_compact

BUNDLE = "b" * 64


@pytest.fixture
def case(home, tmp_path, monkeypatch):
    """A use case that serves version 2, whose record is signed."""
    small_frame().to_csv(tmp_path / "rows.csv", index=False)
    found = small_use_case(tmp_path, **{"{numeric: [a, b], categorical: [c]}": RICH + "\nlog: {keep: 30 days}"})
    record("small", "deploy", "the first", version="2", previous="", release="r", bundle=BUNDLE, by="")
    log = PredictionLog(prediction_log("small"))
    now = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"
    log.append([msgspec.structs.replace(prediction(n), time=now, event_time=now) for n in range(3)])
    rotate_and_compact(log)
    log.close()
    sign_record("small")
    return found


def states(case, now=None):
    return {check.name: check.state for check in looked(case, now).checks}


def told(case, name, now=None):
    return next(f"{check.state}: {check.told}" for check in looked(case, now).checks if check.name == name)


def test_where_all_is_well_nothing_needs_anybody_and_what_is_not_known_is_said(case):
    found = states(case)
    assert list(found) == list(CHECKS)
    assert {name for name, state in found.items() if state != "holds"} == {"witness", "vulnerabilities"}
    assert told(case, "witness").startswith("unknown: none is set, so whoever holds this home could write")
    assert told(case, "vulnerabilities") == "unknown: no inventory of the version that serves is kept"


def test_a_record_that_was_changed_or_not_signed_and_a_witness_that_is_gone_are_wrong(case, tmp_path, monkeypatch):
    later = datetime.now(UTC) + timedelta(days=3)
    assert "and it should be each night" in told(case, "record", later)
    path = use_case_home("small") / "audit" / "entries.jsonl"
    kept = path.read_bytes()
    path.write_bytes(kept.replace(b"the first", b"the other"))
    assert told(case, "record").startswith("wrong: changed: entr")
    path.write_bytes(kept)
    monkeypatch.setenv("SLIPWAY_AUDIT_WITNESS", f"{tmp_path}/witness")
    assert told(case, "witness") == "holds: it has 0 checkpoints"
    monkeypatch.setenv("SLIPWAY_AUDIT_WITNESS", "nothing-of-the-kind://there")
    assert told(case, "witness").startswith("wrong: SLIPWAY_AUDIT_WITNESS=nothing-of-the-kind://there: ")


def test_keys_grow_old(case):
    made, _ = new_key("shop", ("predict",), "2025-01-01T00:00:00+00:00")
    gone, _ = new_key("gone", ("predict",), "2020-01-01T00:00:00+00:00")
    folder = use_case_home("small") / "keys"
    folder.mkdir()
    keys = KeyFile([made, msgspec.structs.replace(gone, revoked="2021-01-01T00:00:00+00:00")])
    (folder / "keys.json").write_bytes(msgspec.json.encode(keys))
    age = (datetime.now(UTC) - datetime(2025, 1, 1, tzinfo=UTC)).days
    assert told(case, "keys") == f"wrong: API key shop is {age} days old; older than 365 days"
    (folder / "keys.json").unlink()
    os.utime(use_case_home("small").parents[1] / "signing" / "audit.pem", (0, 0))
    assert told(case, "keys").startswith("wrong: the audit key is 2")


def inventory(*components, audit=None, bundle=BUNDLE):
    """What a release has kept of its image, and what was known against it then."""
    path = reports("small", "sbom") / "12345678.cdx.json"
    root = {"name": "small", "properties": [{"name": "slipway:bundle", "value": bundle}]}
    parts = [{"name": name, "version": number, "purl": f"pkg:pypi/{name}@{number}"} for name, number in components]
    parts.append({"name": "openssl", "version": "3", "purl": "pkg:deb/debian/openssl@3"})
    path.write_text(json.dumps({"metadata": {"component": root}, "components": parts}))
    if audit is not None:
        path.with_suffix(".audit.json").write_text(json.dumps(audit))


def test_what_became_known_since_the_release_is_told(case, monkeypatch):
    old, new = {"id": "CVE-1", "fix_versions": []}, {"id": "CVE-2", "fix_versions": ["1.1"]}
    asked = []

    def ask(words):
        asked.append((Path(words[1]).read_text(), words[2]))
        return [{"name": "good", "version": "1", "vulns": []}, {"name": "bad", "version": "1.0", "vulns": [old, new]}], ""

    monkeypatch.setattr(tasks.containers.since_release, "ask", ask)
    inventory(("good", "1"), ("bad", "1.0"), bundle="another")
    assert told(case, "vulnerabilities") == "unknown: no inventory of the version that serves is kept"
    inventory(("good", "1"), ("bad", "1.0"), audit=[{"name": "bad", "version": "1.0", "vulns": [old]}])
    assert told(case, "vulnerabilities") == "wrong: since version 2 was released: bad 1.0: CVE-2 (fixed in 1.1)"
    with monkeypatch.context() as skipping:
        skipped = [{"name": "bad", "skip_reason": "not on PyPI"}]
        skipping.setattr(tasks.containers.since_release, "ask", lambda _: (skipped, ""))
        assert told(case, "vulnerabilities") == "unknown: pip-audit knows none of the 1 packages"
    assert asked == [("bad==1.0\ngood==1", "--no-deps")]
    inventory(("good", "1"), ("bad", "1.0"), audit=[{"name": "bad", "version": "1.0", "vulns": [old, new]}])
    assert told(case, "vulnerabilities") == "holds: 2 packages, nothing new; 2 were known when it was released"


def test_where_no_list_is_reached_that_is_told_by_the_real_scanner(case, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    inventory(("msgspec", "0.19.0"))
    assert told(case, "vulnerabilities").startswith("unknown: pip-audit reached no list of vulnerabilities (")


def test_alarms_halts_and_quarantines_wait_for_somebody(case):
    alarm = Alarm(severity="warning", reason="a moved", since="w1", told="2026-01-01T00:00:00+00:00")
    finding = Finding(
        use_case="small", window="w1", until="2026-01-01T00:00:00+00:00", version="2", rows=1, service=Service(kpis={}),
        causes=["drift"], alarms={"drift": alarm}, report="", false_alarm_rate=0.01,
    )  # fmt: skip
    write_atomically(finding_path("small", "w1"), finding.model_dump_json().encode())
    assert told(case, "alarms") == "wrong: drift (warning) since window w1: a moved"
    keep_halted("small", "it denies everybody", "ann", None)
    assert told(case, "halt").endswith("by ann: it denies everybody; nobody has lifted it")
    put_in("small", "1", "worse", "rollout 1")
    assert told(case, "quarantine") == "holds: 1 versions, each older than what serves"
    put_in("small", "3", "worse", "rollout 2")
    assert told(case, "quarantine").startswith("wrong: version 3 since ")
    let_out("small", "3", "looked at", "ann")
    assert told(case, "quarantine").startswith("holds")


def test_holds_and_retention(case):
    later = datetime.now(UTC) + timedelta(days=40)
    assert told(case, "retention") == "holds: nothing is older than 30 days"
    assert told(case, "retention", later).startswith("wrong: 1 days are older than 30 days, from ")
    place("small", [parse_condition("customer=k1", case)], "case 1", "ann")
    assert told(case, "legal holds").startswith("holds: 1 stand, the oldest for ")
    assert told(case, "retention", later).endswith("have records under legal hold")
    (use_case_home("small") / "holds.json").unlink()
    assert told(case, "legal holds").startswith("wrong: dropped: legal hold ")
    forever = case.model_copy(update={"log": case.log.model_copy(update={"keep": None})})
    assert told(forever, "retention").startswith("unknown: 'log.keep' is not set")


def test_the_command_says_it_all_and_its_status_tells(case, monkeypatch):
    monkeypatch.setattr("console.commands.audit.load_use_case", lambda _: case)
    done = CliRunner().invoke(app, ["audit", "run", "small"])
    assert done.exit_code == 0, done.exception
    assert "small: holds: record: " in done.output
    assert "small: 0 of 9 checks need somebody, 7 hold, 2 cannot be said; the page is " in " ".join(done.output.split())
    keep_halted("small", "<b>stop</b>", "ann", None)
    done = CliRunner().invoke(app, ["audit", "run", "small", "--json"])
    assert isinstance(done.exception, CheckFailed)
    assert str(done.exception) == "small: halt"
    (found,) = json.loads(done.output)
    assert len(found["checks"]) == 9
    runs = read_history("small", "audit-run")
    assert [[*run["wrong"]] for run in runs] == [[], ["halt"]]
    page = page_path(looked(case)).parent
    assert len([*page.glob("*.html")]) == 2
    assert "&lt;b&gt;stop" in page_of(looked(case))


def test_people_are_told_of_what_is_new_and_again_after_the_cooldown(case, quiet, monkeypatch):
    monkeypatch.setattr("tasks.monitoring.run_audit.create_markdown_artifact", lambda **_: None)
    monkeypatch.setattr("tasks.monitoring.run_audit.report_address", str)
    sent = []
    monkeypatch.setattr("tasks.monitoring.run_audit.tell_at_once", lambda *words, **_: sent.append(words[2]))
    run_audit.fn(case)
    assert sent == []
    keep_halted("small", "stop", "ann", None)
    run_audit.fn(case)
    run_audit.fn(case)
    assert sent == ["audit: halt"]
    put_in("small", "3", "worse", "rollout 2")
    run_audit.fn(case)
    assert sent == ["audit: halt", "audit: quarantine"]
    assert waiting("small") == {}


def test_what_was_mended_and_comes_back_is_told_again():
    def run(day, wrong, told=()):
        return {
            "time": f"2026-01-{day:02d}T00:00:00+00:00",
            "checks": ["a", "b"],
            "wrong": dict.fromkeys(wrong, ""),
            "told": told,
        }

    since = datetime(2026, 1, 2, tzinfo=UTC)
    assert told_before([], since) == set()
    assert told_before([run(3, "ab", "ab"), run(4, "ab")], since) == {"a", "b"}
    assert told_before([run(3, "ab", "ab"), run(4, "b")], since) == {"b"}, "a was mended"
    assert told_before([run(1, "ab", "ab"), run(4, "ab")], since) == set(), "the cooldown is over"
