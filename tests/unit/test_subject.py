"""`slipway audit subject`: what is held on a person is found, said, and recorded as read; and what erasure leaves."""

import json
import os
import pwd
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pytest
from typer.testing import CliRunner

from configs.errors import CheckFailed, InputError
from configs.settings import prediction_log, store, use_case_home
from console.cli import app
from serving.log.writer import PredictionLog, Sensitive
from tasks.audit.checkpoint import sign_record
from tasks.audit.examine import examine
from tasks.history import read_history, record
from tasks.log.collected import keep_window, windows_of
from tasks.log.conditions import parse_condition
from tasks.log.reviews import note_event, reviewing
from tasks.log.table_rows import rows_of
from tasks.people import NotAllowed, Person, put_person
from tasks.store import put_parquet
from tests.conftest import RICH, SMALL, chain, small_frame, small_use_case
from tests.unit.test_log_maintenance import label, prediction, rotate_and_compact
from tests.unit.test_why import shadow

HERS = [5, 100, 599]  # rows of the source that are customer 42's; the last is held out


@pytest.fixture(scope="module")
def released(tmp_path_factory):
    """A home in which version 1 was made from a source with customers."""
    from prefect.logging import disable_run_logger

    import tasks.training.evaluate
    from tasks.packaging.bundle import bundle
    from tasks.packaging.convert import convert
    from tasks.registry.lineage import lineage

    folder = tmp_path_factory.mktemp("released")
    frame = small_frame()
    frame["customer"] = np.where(frame.index.isin(HERS), 42, 1000 + frame.index)
    with pytest.MonkeyPatch.context() as patch, disable_run_logger():
        patch.setenv("SLIPWAY_HOME", str(folder / "home"))
        patch.setattr(tasks.training.evaluate, "create_table_artifact", lambda **_: None)
        case = small_use_case(folder, frame, **{"{numeric: [a, b], categorical: [c]}": RICH})
        snapshot, contract, parts, fitted = chain(case)
        evaluation = tasks.training.evaluate.evaluate.fn(case, parts, contract, fitted)
        onnx = convert.fn(parts, contract, case.features, fitted)
        made = bundle.fn(case, snapshot, contract, onnx, evaluation, lineage(case, parts, None, contract, onnx))
    return folder, made, snapshot, parts


@pytest.fixture
def home(released, tmp_path, monkeypatch):
    """A copy of it, with the use case as a file."""
    import shutil

    folder, made, *_ = released
    shutil.copytree(folder / "home", tmp_path / "home")
    (tmp_path / "use_cases").mkdir()
    text = SMALL.format(path=folder / "rows.csv").replace("{numeric: [a, b], categorical: [c]}", RICH)
    (tmp_path / "use_cases" / "small.yaml").write_text(text)
    monkeypatch.setenv("SLIPWAY_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("SLIPWAY_USE_CASES", str(tmp_path / "use_cases"))
    record("small", "deploy", "the first", version="1", bundle=made.digest)
    return tmp_path / "home"


@pytest.fixture
def log(home):
    made = PredictionLog(prediction_log("small"))
    yield made
    made.close()


def logged(log):
    log.append([prediction(n, day=1 + n % 2, customer=42 if n in (3, 4) else n) for n in range(9)])
    log.append([label(3), label(4), label(5), shadow(4)])
    rotate_and_compact(log)
    window = pa.table({"prediction_id": [f"p{n:03d}" for n in range(9)], "feature.a": np.arange(9.0)})
    keep_window("small", window)
    keep_window("small", window.slice(5))


def told(*words, status=0):
    done = CliRunner().invoke(app, words)
    assert (done.exception is None) == (status == 0), (done.output, done.exception)
    return done.output if status == 0 else str(done.exception)


def asked(*words):
    return json.loads(told("audit", "subject", *words, "--json"))


def learned_and_held_out(released):
    import pyarrow.parquet as pq

    *_, snapshot, parts = released
    customers = pq.read_table(snapshot.path, columns=["customer"])["customer"].to_pylist()
    hers = [row for row, customer in enumerate(customers) if customer == 42]
    return sum(row < parts.final for row in hers), sum(row >= parts.cut for row in hers)


def test_everything_that_is_held_on_a_person_is_found(log, released):
    logged(log)
    (found,) = asked("small", "customer=42")["found"]
    assert (found["use_case"], found["predictions"], found["versions"]) == ("small", 2, {"1": 2})
    assert (found["first"][:10], found["last"][:10]) == ("2026-01-01", "2026-01-02")
    assert {kind: len(rows) for kind, rows in found["records"].items()} == {"prediction": 2, "feedback": 2, "shadow": 1}
    assert all(each["features"]["customer"] == 42 for each in found["records"]["prediction"])
    learned, held_out = learned_and_held_out(released)
    assert learned + held_out >= 3 > 0, "each of her rows was learned from, or judged on"
    _, made, snapshot, _ = released
    (trained,) = found["trained"]
    assert (trained["bundle"], trained["versions"], trained["snapshot"]) == (made.digest, ["1"], snapshot.digest)
    assert (trained["learned"], trained["held_out"]) == (learned, held_out)
    rows = {place["kind"]: place["rows"] for place in found["places"]}
    holdout = {"holdout": held_out} if held_out else {}
    assert rows == {"snapshot": 3, "reference": 3, "window": 2, **holdout}
    assert any(each.startswith("outside of this home") for each in found["cannot"])


def test_who_read_is_recorded_without_the_value_and_signed(log):
    logged(log)
    sign_record("small")
    told("audit", "subject", "small", "customer=42", "--reason", "her letter")
    shown = told("audit", "subject", "customer=42", "--reason", "her second letter")
    assert "read " in shown
    assert "her letter" in shown
    assert "her second letter" not in shown, "what is shown are those before"
    assert "version 1 learned from" in shown
    assert "her letter" not in told("audit", "subject", "small", "customer=5")
    first, second, _ = read_history("small", "subject-read")
    assert (first["reason"], first["predictions"], first["by"]) == ("her letter", 2, pwd.getpwuid(os.geteuid()).pw_name)
    assert first["where"] == second["where"]
    assert first["where"]["customer"].startswith("hmac:")
    found = examine("small")
    assert (found.findings, found.waiting) == ([], 0)
    path = use_case_home("small") / "history.jsonl"
    path.write_bytes(b"".join(line for line in path.read_bytes().splitlines(keepends=True) if b"her letter" not in line))
    assert [each.what for each in examine("small").findings] == ["dropped"], "a read that was taken out is missed"


def test_a_file_of_all_of_it_is_for_its_owner_only_and_never_written_over(log, tmp_path):
    logged(log)
    told("audit", "subject", "customer=42", "--to", str(tmp_path / "hers.json"))
    assert oct((tmp_path / "hers.json").stat().st_mode)[-3:] == "600"
    assert json.loads((tmp_path / "hers.json").read_text())["found"][0]["predictions"] == 2
    assert "is there already; name a new file" in told(
        "audit", "subject", "customer=42", "--to", str(tmp_path / "hers.json"), status=2
    )


def test_a_hashed_column_is_looked_up_by_its_hash(home, log):
    from tasks.log.keys import pepper

    sensitive = Sensitive(["c"], "hash", pepper("small").encode())
    rows = [
        prediction(n, features=sensitive.guard({"a": 1.0, "c": "red" if n else "green", "customer": n})) for n in range(3)
    ]
    log.append(rows)
    (found,) = asked("c=red")["found"]
    assert found["predictions"] == 2
    assert found["records"]["prediction"][0]["features"]["c"].startswith("hmac:")


def test_what_a_source_calls_a_value_is_found_whatever_its_type(home, tmp_path):
    case = small_use_case(tmp_path, **{"{numeric: [a, b], categorical: [c]}": RICH})
    customer, number = parse_condition("customer=42", case), parse_condition("a=0.1", case)
    for values, hits in [
        ([42, 43], [0]),
        ([42.0, 42.5], [0]),
        (["42", "042"], [0]),
        ([None, 42], [1]),
        ([None, 42.0], [1]),
    ]:
        path = store("snapshots") / f"{put_parquet('snapshots', pa.table({'customer': values}))}.parquet"
        assert rows_of(path, [customer]).tolist() == hits, values
    path = store("snapshots") / f"{put_parquet('snapshots', pa.table({'a': [0.1, float(np.float32(0.1)), 0.2]}))}.parquet"
    assert rows_of(path, [number]).tolist() == [0, 1]
    assert rows_of(path, [customer]) is None


def test_places_that_cannot_be_searched_are_named(home, log):
    logged(log)
    (found,) = asked("small", "caller=shop")["found"]
    assert found["predictions"] == 9
    assert found["trained"] == []
    assert any("have no 'caller', which is a request's" in each for each in found["cannot"])
    for snapshot in store("snapshots").glob("*.parquet"):
        snapshot.write_bytes(b"torn")
    (found,) = asked("small", "customer=42")["found"]
    assert any("cannot be read: " in each for each in found["cannot"])
    for snapshot in store("snapshots").glob("*.parquet"):
        snapshot.unlink()
    (found,) = asked("small", "customer=42")["found"]
    assert any("is not in this home any more" in each for each in found["cannot"])
    (home / "use_cases" / "gone").mkdir()
    assert asked("customer=42")["cannot"] == ["use case gone: its file is gone, so nobody knows what its fields mean"]


def test_erasure_says_what_still_holds_them(log, released):
    logged(log)
    shown = told("log", "erase", "small", "--where", "customer=42", "--yes")
    assert "Erased 2 predictions, 2 labels and 1 collected windows" in shown
    assert "snapshot" in shown
    assert "version 1 learned from" in shown
    assert "backups" in shown
    assert len(list(windows_of("small"))) == 1
    (found,) = asked("small", "customer=42")["found"]
    assert found["predictions"] == 0
    (erased,) = found["erasures"]
    assert erased["predictions"] == 2
    assert "says what holds them" in told("log", "erase", "small", "--where", "customer=42", "--yes", status=2)
    with pytest.raises(InputError, match=r"no prediction of small has customer=43$"):
        CliRunner().invoke(app, ["log", "erase", "small", "--where", "customer=43", "--yes"], catch_exceptions=False)


def test_a_window_whose_predictions_are_gone_is_dropped_too(home, log):
    window = pa.table({"prediction_id": ["x", "y"], "identifier.customer": ["42", "7"]})
    keep_window("small", window)
    assert "Erased 0 predictions, 0 labels and 1 collected windows" in told(
        "log", "erase", "small", "--where", "customer=42", "--yes"
    )
    assert list(windows_of("small")) == []
    keep_window("small", window)
    told("audit", "hold", "small", "customer=42", "--reason", "case 7")
    with pytest.raises(CheckFailed, match="are under legal hold"):
        CliRunner().invoke(app, ["log", "erase", "small", "--where", "customer=42", "--yes"], catch_exceptions=False)
    assert len(list(windows_of("small"))) == 1
    assert "legal hold" in told("audit", "subject", "customer=42")


def test_bad_input_is_told_and_roles_hold(home, log):
    assert told("audit", "subject", "small", status=2) == "write FIELD=VALUE, for example customer=42"
    assert "no use case of" in told("audit", "subject", "custmer=42", status=2)
    assert "did you mean 'customer'" in told("audit", "subject", "custmer=42", status=2)
    assert "the log has no field 'custmer'" in told("audit", "subject", "small", "custmer=42", status=2)
    put_person(Person(name="ann", account=pwd.getpwuid(os.geteuid()).pw_name, roles=("operator",)))
    with pytest.raises(NotAllowed, match="needs the role 'auditor'"):
        CliRunner().invoke(app, ["audit", "subject", "customer=42"], catch_exceptions=False)
    assert read_history("small", "subject-read") == []


def test_what_people_decided_about_somebody_is_told(log):
    log.append([prediction(n, customer=42 if n in (3, 4) else n) for n in range(9)])
    ids = [prediction(n).prediction_id for n in (3, 5)]
    with reviewing("small"):
        for name in ids:
            said = {
                "prediction_id": name,
                "model_answer": "no",
                "answer": "yes",
                "reason": "new documents",
                "text": "a slip",
            }
            note_event("small", "decision", "ann", datetime(2026, 12, 1, tzinfo=UTC), **said)
    done = CliRunner().invoke(app, ["audit", "subject", "small", "customer=42", "--json"])
    (held,) = json.loads(done.output)["found"]
    assert [(each["prediction_id"], each["by"], each["text"]) for each in held["reviews"]] == [(ids[0], "ann", "a slip")]
    shown = CliRunner().invoke(app, ["audit", "subject", "small", "customer=42"]).output
    assert "what people decided" in shown
    assert "a slip" in shown
