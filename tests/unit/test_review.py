"""People decide: which answers wait for them, what they may say of one, what holds in the end, and where it goes."""

import base64
import json
import re
import shutil
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from typer.testing import CliRunner

from configs.errors import CheckFailed, InputError
from configs.review import Review
from configs.schema import UseCase
from configs.settings import PROJECT, prediction_log, store
from console.cli import app
from serving.log.writer import Prediction, PredictionLog
from tasks.audit.checkpoint import sign_record
from tasks.audit.examine import examine
from tasks.audit.tree import read_entries
from tasks.audit.why import asked_of
from tasks.history import record
from tasks.log import folded
from tasks.log.conditions import parse_condition
from tasks.log.erase import erase
from tasks.log.read import open_log
from tasks.log.retain import drop_old
from tasks.log.reviews import forget_events, journal_path, move_bookmark, note_event, read_events, reviewing
from tasks.onboarding.check import _review
from tasks.people import NotAllowed, Person, put_person
from tasks.review.decide import Over, confirm, override
from tasks.review.queue import standing
from tasks.review.rules import check_rules
from tasks.review.settle import final_of, settle
from tasks.review.values import Decision, Item
from tasks.review.votes import agreed
from tests.conftest import RICH, small_frame, small_use_case
from tests.unit.test_log_maintenance import KEY, rotate_and_compact
from tests.unit.test_people import ME

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
DECLARED = {"when": {"sample": 0.1}, "reasons": ["x"], "within": "30 hours"}
REVIEW = """
review:
  when: {uncertain: {margin: 0.1}, rules: {large: "a > 90 and prediction = 'yes'"}, groups: {c: [red]}}
  reasons: [new documents, model is wrong]
  within: 2 days
"""
CONTRACT = {"use_case": "small", "columns": [], "target": "y", "classes": ["no", "yes"]}


def reviewed(folder, text=REVIEW, **replace):
    return small_use_case(
        folder, **{"{numeric: [a, b], categorical: [c]}": RICH + "\nlog: {sensitive: keep}" + text, **replace}
    )


def asked(number, a=1.0, c="blue", positive=0.9, hours=0.0, **fields):
    """A prediction that nothing sends to people, unless it is asked for."""
    time = (NOW - timedelta(hours=hours)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    record = {"a": a, "b": 0.5, "c": c, "customer": f"k{number}"}
    said = {"caller": "shop", "prediction": "yes" if positive >= 0.5 else "no", "variant": "champion", **fields}
    return Prediction(
        f"p{number:03d}",
        time,
        time,
        "1",
        "r",
        said["variant"],
        said["caller"],
        record,
        said["prediction"],
        [1 - positive, positive],
        10,
        "d",
    )


@pytest.fixture
def log(home):
    """The log of a use case whose version 1 is known to the home."""
    (store("bundles") / "d1").mkdir()
    (store("bundles") / "d1" / "contract.json").write_text(json.dumps(CONTRACT))
    record("small", "deploy", "the first", version="1", previous="", release="r", bundle="d1", by="")
    made = PredictionLog(prediction_log("small"))
    yield made
    made.close()


@pytest.fixture
def case(home, tmp_path):
    return reviewed(tmp_path)


@pytest.fixture
def acting(home):
    """Whoever acts, by name; all are reviewers unless said."""

    def switch(name, *roles):
        (home / "people.json").unlink(missing_ok=True)
        for other in ("ann", "bob", "cem"):
            account = ME if other == name else f"{other}-account"
            put_person(Person(name=other, account=account, roles=roles or ("reviewer",)))

    home.mkdir(exist_ok=True)
    return switch


def ids(items):
    return [item.prediction_id for item in items]


def decisions_in_log():
    with open_log("small") as records:
        query = "select prediction_id, prediction, decision, caller from log where kind = 'review' order by prediction_id"
        return records.execute(query).fetchall()


def test_what_goes_to_people_and_why(log, case):
    log.append(
        [
            asked(1),
            asked(2, positive=0.45),
            asked(3, a=91),
            asked(4, a=91, positive=0.1),
            asked(5, c="red", positive=0.55, hours=1),
            asked(6, c="red", caller="integration-test"),
            asked(7, positive=0.9, prediction=None),
            asked(8, prediction=None, variant="halt"),
            asked(9, c="red", hours=49),
        ]
    )
    log.append([asked(2, positive=0.9)])  # sent again
    items = settle(case, NOW)
    assert {item.prediction_id: item.why for item in items} == {
        "p005": ("uncertain: within 0.1 of 0.5", "group c = red"),
        "p002": ("uncertain: within 0.1 of 0.5",),
        "p003": ("rule large",),
        "p007": ("left to a person",),
    }, "not what a test asked, nor what was over time when the queue was first looked at"
    assert items[0].prediction_id == "p005", "the most urgent first"
    assert items[0].due == NOW + timedelta(hours=47)
    assert [item.model_answer for item in items] == ["yes", "no", "yes", None]
    rotate_and_compact(log)
    assert settle(case, NOW) == items, "the same of what is Parquet"


def test_a_sample_is_the_same_whoever_looks(log, tmp_path):
    log.append([asked(n) for n in range(400)])
    sampled = [
        set(ids(settle(reviewed(tmp_path, REVIEW.replace("groups: {c: [red]}", f"sample: {share}")), NOW)))
        for share in (0.05, 0.2, 0.2, 1)
    ]
    assert sampled[0] < sampled[1] == sampled[2] < sampled[3]
    assert 50 < len(sampled[1]) < 110
    assert len(sampled[3]) == 400


def test_a_decision_is_written_down_and_goes_into_the_log(log, case, acting):
    acting("ann")
    log.append([asked(n, c="red") for n in range(3)])
    assert confirm(case, "p000", "looks right", now=NOW).how == "confirmed"
    made = override(case, "p001", "no", "new documents", now=NOW)
    assert (made.by, made.model_answer, made.answer, made.how) == ("ann", "yes", "no", "overridden")
    assert ids(settle(case, NOW)) == ["p002"]
    assert decisions_in_log() == [("p000", "yes", "confirmed", "review"), ("p001", "no", "overridden", "review")]
    final = standing("small").finals["p001"].told("small")
    assert final == {
        "use_case": "small",
        "state": "final",
        "prediction_id": "p001",
        "time": "2026-01-01T12:00:00Z",
        "people": ["ann"],
        "how": "overridden",
        "model_answer": "yes",
        "answer": "no",
        "reason": "new documents",
    }
    with open_log("small") as records:
        assert records.sql("select count(*) from log where kind = 'feedback'").fetchall() == [(0,)], "no label unless said"


def test_only_what_people_decided_becomes_a_label(log, tmp_path, acting):
    acting("ann")
    case = reviewed(tmp_path, REVIEW + "  is_label: true\n  answer_when_late: 'no'\n")
    log.append([asked(1, c="red"), asked(2, c="red")])
    override(case, "p001", "no", "new documents", now=NOW)
    assert settle(case, NOW + timedelta(days=3)) == []
    assert decisions_in_log() == [("p001", "no", "overridden", "review"), ("p002", "no", "late", "review")]
    with open_log("small") as records:
        labels = records.sql("select prediction_id, label, caller from log where kind = 'feedback'").fetchall()
    assert labels == [("p001", "no", "review")]


def test_a_row_that_the_model_left_open_is_decided_without_a_reason(log, tmp_path, acting):
    acting("ann")
    confident = {'positive: "yes"': 'positive: "yes", confidence: 0.8'}
    case = reviewed(tmp_path, REVIEW + "  answer_when_late: 'no'\n", **confident)
    log.append([asked(1, prediction=None)])
    with pytest.raises(InputError, match="the model left it to a person, so there is nothing to confirm"):
        confirm(case, "p001", now=NOW)
    assert override(case, "p001", "yes", "", now=NOW).how == "decided"
    assert decisions_in_log() == [("p001", "yes", "decided", "review")]


@pytest.mark.parametrize(
    ("answer", "reason", "told"),
    [
        ("no", "", r"an override needs a reason of 'review.reasons': 'new documents', 'model is wrong'"),
        ("no", "new document", r"'new document' is none of 'review.reasons'; did you mean 'new documents'\?"),
        ("maybe", "new documents", r"'maybe' is no answer of small: 'maybe' is not one of 'no', 'yes'"),
        ("yes", "new documents", r"prediction p001: 'yes' is the model's own answer; confirm it"),
    ],
)
def test_an_override_that_says_too_little_changes_nothing(log, case, answer, reason, told):
    log.append([asked(1, c="red")])
    with pytest.raises(InputError, match=told):
        override(case, "p001", answer, reason, now=NOW)
    assert read_events("small") == []
    assert decisions_in_log() == []
    assert ids(settle(case, NOW)) == ["p001"]


def test_what_cannot_be_decided_is_told(log, case, acting):
    acting("ann")
    log.append([asked(1, c="red"), asked(2), asked(3, c="red", hours=47), asked(4, c="red", hours=60)])
    with pytest.raises(InputError, match=r"no prediction 'p9' is in the log of small$"):
        confirm(case, "p9", now=NOW)
    with pytest.raises(InputError, match=r"prediction 'p002' is not in the queue: nothing in 'review.when' sends it"):
        confirm(case, "p002", now=NOW)
    with pytest.raises(Over, match=r"p004 was answered on 2025-12-30T00:00, and its time for review is over"):
        confirm(case, "p004", now=NOW)
    settle(case, NOW)
    with pytest.raises(Over, match=r"p003 was to be decided by 2026-01-01 13:00, and nobody did; 'yes' stands"):
        confirm(case, "p003", now=NOW + timedelta(hours=1, seconds=1))
    assert decisions_in_log() == [("p003", "yes", "late", "review")], "which is written down then"
    confirm(case, "p001", now=NOW)
    with pytest.raises(Over, match=r"p001 was decided already, on 2026-01-01 12:00 by ann: 'yes'"):
        override(case, "p001", "no", "new documents", now=NOW)
    acting("ann", "viewer", "operator")
    with pytest.raises(NotAllowed, match="ann may not decide on an answer: that needs the role 'reviewer'"):
        confirm(case, "p001", now=NOW)
    with pytest.raises(InputError, match="use case 'small' has no 'review', so no answer goes to people"):
        confirm(case.model_copy(update={"review": None}), "p001")


def test_two_different_people_must_agree(log, tmp_path, acting):
    case = reviewed(tmp_path, REVIEW + "  persons: 2\n")
    log.append([asked(1, c="red"), asked(2, c="red")])
    acting("ann")
    override(case, "p001", "no", "new documents", now=NOW)
    with pytest.raises(Over, match=r"ann has decided on prediction p001 already \('no', on 2026-01-01 12:00\)"):
        confirm(case, "p001", now=NOW)
    assert {item.prediction_id: item.said for item in settle(case, NOW)} == {"p001": ("ann",), "p002": ()}
    acting("bob")
    confirm(case, "p001", now=NOW)
    assert ids(settle(case, NOW)) == ["p001", "p002"], "they disagree, so it waits for a third"
    acting("cem")
    override(case, "p001", "no", "model is wrong", now=NOW + timedelta(hours=1))
    final = standing("small").finals["p001"]
    assert (final.people, final.answer, final.reason, final.time) == (
        ("ann", "cem"),
        "no",
        "new documents",
        NOW + timedelta(hours=1),
    )
    assert decisions_in_log() == [("p001", "no", "overridden", "review")]


def test_a_decision_that_was_killed_before_it_was_final_is_finished_by_the_next_look(log, case):
    log.append([asked(1, c="red")])
    settle(case, NOW)
    with reviewing("small"):
        said = {"prediction_id": "p001", "model_answer": "yes", "answer": "no", "reason": "new documents", "text": ""}
        note_event("small", "decision", "ann", NOW, **said)
    assert settle(case, NOW + timedelta(days=9)) == []
    assert decisions_in_log() == [("p001", "no", "overridden", "review")]
    (journal_path("small").with_name("logged")).unlink()  # as where it was killed between the log and the mark
    assert settle(case, NOW + timedelta(days=9)) == []
    assert len(decisions_in_log()) == 1


EVENTS = st.lists(
    st.tuples(st.sampled_from("abcd"), st.sampled_from(["no", "yes", "maybe"]), st.integers(0, 50)), max_size=9
)


@given(EVENTS, st.sampled_from([1, 2]))
def test_who_agrees_decides_and_nobody_agrees_with_themselves(said, persons):
    times = sorted(hours for *_, hours in said)
    made = [
        Decision(prediction_id="p", by=by, time=NOW + timedelta(hours=hours), model_answer="yes", answer=answer)
        for (by, answer, _), hours in zip(said, times, strict=True)
    ]
    found = agreed(made, persons)
    assert len({each.by for each in found}) == len(found) == (persons if found else 0)
    assert len({each.answer for each in found}) <= 1
    for answer in ("no", "yes", "maybe"):
        people = {each.by for each in made if each.answer == answer}
        assert not (len(people) >= persons and not found), "enough people agree, so it is decided"
    if found:
        before = made[: made.index(found[-1])]
        assert agreed(before, persons) == (), "and it was not before"
        assert agreed([*made, made[0]], persons) == found, "what is said later changes nothing"


@given(EVENTS, st.sampled_from([1, 2]), st.integers(0, 60))
def test_what_is_final_does_not_depend_on_who_looks_when(said, persons, hours):
    """Whatever look first finds it final, later ones find the same; in time it is people's, and then it is the clock's."""
    case = SimpleNamespace(name="small", review=Review.model_validate(DECLARED | {"persons": persons}))
    known = {"prediction_id": "p", "model_answer": "yes"}
    item = Item(**known, asked=NOW, due=NOW + timedelta(hours=30), version="1", why=("sample",))
    made = sorted(
        (Decision(**known, by=by, time=NOW + timedelta(hours=at), answer=answer) for by, answer, at in said), key=when
    )
    look = NOW + timedelta(hours=hours)
    first = final_of(case, item, [each for each in made if each.time <= look], look)
    last = final_of(case, item, made, NOW + timedelta(days=9))
    assert last is not None, "nothing waits for ever"
    assert first in (None, last)
    if first is None:
        assert look <= item.due
    if last.how == "late":
        assert (last.time, last.answer, last.people) == (item.due, "yes", ())
    else:
        assert last.time <= item.due
        assert len(last.people) == persons


def when(decision):
    return decision.time


def test_erasure_and_retention_take_it_out_and_the_record_holds(log, case):
    log.append([asked(n, c="red") for n in (1, 2)])
    override(case, "p001", "no", "new documents", "she called", now=NOW)
    confirm(case, "p002", now=NOW)
    sign_record("small")
    rotate_and_compact(log)
    done = erase("small", [parse_condition("customer=k1", case)], "asked")
    assert done.reviews == 2, "a decision, and that it was final"
    left = journal_path("small").read_text()
    assert "p001" not in left
    assert "she called" not in left
    assert decisions_in_log() == [("p002", "yes", "confirmed", "review")]
    sign_record("small")
    assert examine("small").findings == []
    with pytest.raises(CheckFailed, match="prediction p001 of small was erased on"):
        confirm(case, "p001", now=NOW)
    assert [each.by for each in read_events("small")] == [ME] * 4, "who decided something is known, and when"
    assert settle(case, NOW) == []
    drop_old(case.model_copy(update={"log": case.log.model_copy(update={"keep": timedelta(days=1)})}))
    assert "p002" not in journal_path("small").read_text()
    sign_record("small")
    assert examine("small").findings == []


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [("new documents", "no documents!", "changed"), (journal_path, None, "cut")],
)
def test_who_changes_what_was_decided_is_found(log, case, old, new, told):
    log.append([asked(1, c="red")])
    override(case, "p001", "no", "new documents", now=NOW)
    sign_record("small")
    sources = [json.loads(entry)["source"] for entry in read_entries("small")]
    assert sources.count("reviews") == 2
    path = journal_path("small")
    path.write_text(path.read_text().replace(old, new) if new else "")
    assert {(found.what, "reviews" in found.why) for found in examine("small").findings} == {(told, True)}
    if new:
        with pytest.raises(CheckFailed, match=r"journal.jsonl:1: cannot be read as an event of reviews: it was changed"):
            settle(case, NOW)


def test_it_is_sealed_where_the_log_is(home, case, monkeypatch, log):
    log.close()
    shutil.rmtree(prediction_log("small"))
    monkeypatch.setenv("SLIPWAY_LOG_KEY", KEY)
    sealed = PredictionLog(prediction_log("small"), base64.b64decode(KEY))
    sealed.append([asked(1, c="red")])
    override(case, "p001", "no", "new documents", "she called", now=NOW)
    assert "p001" not in journal_path("small").read_text()
    assert standing("small").finals["p001"].answer == "no"
    assert decisions_in_log() == [("p001", "no", "overridden", "review")]
    sign_record("small")
    assert examine("small").findings == []
    monkeypatch.delenv("SLIPWAY_LOG_KEY")
    with pytest.raises(CheckFailed, match=r"journal.jsonl:1: .* set SLIPWAY_LOG_KEY"):
        standing("small")
    sealed.close()


def test_the_end_of_a_long_journal_says_what_the_whole_does(home):
    names = ["p1", "p11", 'say "p1"', "a\\b", "\u00e9", "p1\n"]
    moments = [NOW + timedelta(hours=n) for n in range(30)]
    with reviewing("small"):
        for n, moment in enumerate(moments):
            note_event("small", "decision", "ann", moment, prediction_id=names[n % len(names)], text='"p1"')
        journal_path("small").open("ab").write(b'{"time":"2026-')  # which a crash tore
        everything = read_events("small")
        assert [event.number for event in everything] == list(range(1, 31))
        for name in names:
            found = [event.time for event in read_events("small", about=name)]
            assert found == [event.time for event in everything if event.about == name]
        for hours in (0, 7, 29, 40):
            move_bookmark("small", NOW + timedelta(hours=hours))
            assert read_events("small", since=NOW + timedelta(hours=hours)) == everything[hours:]
            assert read_events("small", after=3) == everything[3:], "also what is before the bookmark"
            assert read_events("small", after=29) == everything[29:]
        note_event("small", "decision", "ann", moments[-1], prediction_id="new")
    forget_events("small", lambda about, _: about == "p1")
    assert [event.number for event in read_events("small", after=29)] == [30, 31], "lines moved, numbers did not"
    assert read_events("small", about="p1") == []


def test_why_tells_who_decided(log, case, monkeypatch):
    log.append([asked(1, c="red")])
    override(case, "p001", "no", "new documents", "she called", now=NOW)
    first, final = asked_of("p001", "small").reviews
    assert (first["what"], first["by"], first["text"], first["answer"]) == ("decision", ME, "she called", "no")
    assert (final["what"], final["how"], final["people"]) == ("final", "overridden", [ME])
    monkeypatch.setattr("console.commands.audit.screen", Console(width=200))
    shown = CliRunner().invoke(app, ["audit", "why", "p001"]).output
    for words in ("what people decided", "decision", "she called", "final", "overridden"):
        assert words in shown, words


KILLED = """
import sys
from configs.schema import UseCase
from tasks.review.decide import override
case = UseCase.model_validate_json(sys.argv[1])
for number in range(1000):
    override(case, f"p{number:03d}", "no", "new documents")
    print(f"p{number:03d}", flush=True)
"""


def test_what_was_decided_outlives_a_kill(log, case):
    """Whoever was told that it counts finds it in the journal, and in the log once, wherever the process was killed."""
    now = datetime.now(UTC)
    late = (NOW - now) / timedelta(hours=1)
    log.append([asked(n, c="red", hours=late) for n in range(1000)])
    running = subprocess.Popen(
        [sys.executable, "-c", KILLED, case.model_dump_json()], cwd=PROJECT, stdout=subprocess.PIPE, text=True
    )
    told = [running.stdout.readline().strip() for _ in range(7)]
    time.sleep(0.03)
    running.send_signal(signal.SIGKILL)
    told += running.stdout.read().split()
    running.wait()
    items = settle(case, now)
    finals = standing("small").finals
    assert len(told) >= 7
    assert {*told} <= {*finals}
    assert len(finals) <= len(told) + 1
    assert len(items) == 1000 - len(finals)
    assert [row[0] for row in decisions_in_log()] == sorted(finals)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"when": {}}, "'review.when' names no answer; give one of 'uncertain', 'rules', 'groups' and 'sample'"),
        ({"when": {"uncertain": {}}}, "give one of 'margin' (0.1: from 0.4 to 0.6) and 'confidence' (0.8)"),
        ({"when": {"groups": {"d": ["x"]}}}, "'review.when.groups': 'd' is neither a feature nor an identifier"),
        ({"reasons": ["x", "x"]}, "'reasons': 'x' is listed twice"),
        ({"reasons": []}, "at least 1 item"),
        ({"within": "0 days"}, "'within' is a length of time above zero"),
        ({"persons": 3}, "less than or equal to 2"),
        ({"webhook": "https://example.com"}, "should match pattern"),
    ],
)
def test_a_review_that_cannot_be_is_told(case, changed, told):
    said = {"when": {"sample": 0.1}, "reasons": ["x"], "within": "2 days", **changed}
    with pytest.raises(ValueError, match=re.escape(told)):
        UseCase.model_validate({**case.model_dump(), "review": said})


@pytest.mark.parametrize(
    ("problem", "when", "told"),
    [
        ("ranking", {"sample": 0.1}, "'review' does not fit problem 'ranking'"),
        ("regression", {"uncertain": {"confidence": 0.8}}, "'review.when.uncertain' is about probabilities"),
        ("multiclass", {"uncertain": {"margin": 0.1}}, "'review.when.uncertain.margin' is that of two classes"),
    ],
)
def test_a_review_fits_its_problem(problem, when, told):
    review = Review.model_validate({"when": when, "reasons": ["x"], "within": "2 days"})
    with pytest.raises(ValueError, match=told):
        review.fits(problem, False, ["a"], ["a"])


def test_rows_that_are_left_to_a_person_need_an_answer_when_it_is_late():
    review = Review.model_validate({"reasons": ["x"], "within": "2 days"})
    with pytest.raises(ValueError, match=r"'review.answer_when_late' is missing: with 'target.confidence'"):
        review.fits("binary", True, [], [])


def test_a_rule_that_is_none_is_told(log, tmp_path):
    check_rules(reviewed(tmp_path))
    wrong = reviewed(tmp_path, REVIEW.replace("a > 90", "amount > 90") + "  answer_when_late: maybe\n")
    found = list(_review(wrong, small_frame()))
    assert "'large'" in found[0]
    assert found[1:] == ["review.answer_when_late: 'maybe' is no value of 'y'; found 'no', 'yes'"]
    assert list(_review(reviewed(tmp_path), small_frame())) == []
    told = r"'review.when.rules': 'large': .*amount.*; it must be a SQL condition on c, a, b, customer, prediction, output"
    with pytest.raises(InputError, match=told):
        check_rules(wrong)
    with pytest.raises(InputError, match=told):
        settle(wrong, NOW)


def test_a_feature_may_be_called_as_a_column_of_the_log(log, tmp_path):
    review = REVIEW.replace("a > 90 and prediction = 'yes'", "prediction > 90 and model_version = '1'")
    features = RICH.replace("[a, b]", "[prediction, b]") + "\nlog: {sensitive: keep}" + review
    case = small_use_case(tmp_path, **{"{numeric: [a, b], categorical: [c]}": features})
    made = asked(1)
    made.features["prediction"] = 91
    log.append([made, asked(2, a=91)])
    assert {item.prediction_id: item.why for item in settle(case, NOW)} == {"p001": ("rule large",)}


@pytest.fixture
def short_tables(monkeypatch):
    monkeypatch.setattr(folded, "LINES", 4)


def noted(numbers, use_case="small"):
    with reviewing(use_case):
        for n in numbers:
            said = {"prediction_id": f"p{n:03d}", "model_answer": "no", "answer": "yes"}
            note_event(use_case, "decision", "ann", NOW + timedelta(hours=n), **said)
            note_event(use_case, "final", "ann", NOW + timedelta(hours=n), **said, people=["ann"], how="overridden")


def folded_events(use_case="small"):
    """What the tables and the rest of the journal have, as the journal alone has it."""
    with reviewing(use_case):
        table = folded.everything(use_case, journal_path(use_case)).sort_by("number")
    return [*zip(*(table[name].to_pylist() for name in ("number", "what", "prediction_id")), strict=True)]


def in_journal(use_case="small"):
    return [(event.number, event.what, event.about) for event in read_events(use_case)]


def tables():
    return sorted((journal_path("small").parent / "folded").glob("*.parquet*"))


@pytest.mark.parametrize("sealed", [False, True])
def test_what_is_folded_says_what_the_journal_does(home, short_tables, monkeypatch, sealed):
    if sealed:
        monkeypatch.setenv("SLIPWAY_LOG_KEY", KEY)
    noted(range(5))
    with reviewing("small"):
        move_bookmark("small", NOW)
    assert len(tables()) == 2, "of ten lines eight are folded"
    assert all((b"p001" not in each.read_bytes()) for each in tables()) == sealed
    noted(range(5, 8))
    assert folded_events() == in_journal()
    for n in (0, 3, 4, 7):
        assert [event.what for event in read_events("small", about=f"p{n:03d}")] == ["decision", "final"]
    assert read_events("small", about="p00") == []
    if sealed:
        with monkeypatch.context() as without:
            without.delenv("SLIPWAY_LOG_KEY")
            with pytest.raises(CheckFailed, match=r"folded.*cannot be read: .* set SLIPWAY_LOG_KEY"):
                read_events("small", about="p001")
    for each in tables():
        each.unlink()
    assert folded_events() == in_journal(), "it is only a help"
    assert len(read_events("small", about="p001")) == 2


def test_what_is_erased_is_in_no_table_and_the_other_tables_stay(home, short_tables):
    noted(range(6))
    with reviewing("small"):
        move_bookmark("small", NOW)
    before = tables()
    assert len(before) == 3
    forget_events("small", lambda about, _: about == "p002")
    assert len(set(before) & set(tables())) == 2
    assert not any(b"p002" in each.read_bytes() for each in tables())
    assert folded_events() == in_journal()
    with reviewing("small"):
        move_bookmark("small", NOW)
    assert len(tables()) == 3
    assert folded_events() == in_journal()
    assert read_events("small", about="p002") == []
    assert len(read_events("small", about="p005")) == 2


def test_a_journal_that_is_another_one_is_folded_anew(home, short_tables):
    noted(range(4))
    with reviewing("small"):
        move_bookmark("small", NOW)
    path = journal_path("small")
    lines = path.read_bytes().splitlines(keepends=True)
    path.with_name("restored").write_bytes(b"".join([*lines[6:], *lines[:6]]))
    path.with_name("restored").rename(path)  # a back-up, say
    assert folded_events() == in_journal()
    for n in range(4):
        assert len(read_events("small", about=f"p{n:03d}")) == 2
    with reviewing("small"):
        move_bookmark("small", NOW)
    path.write_bytes(b"".join([*lines[2:], *lines[:2]]))  # the same file, written over
    assert folded_events() == in_journal()
    assert len(read_events("small", about="p003")) == 2
    path.write_bytes(b"".join(lines).replace(b"p000", b"p009"))  # in place: whoever sums up all looks at every byte
    with pytest.raises(CheckFailed, match=r"journal.jsonl:1: .* it was changed"):
        folded_events()
