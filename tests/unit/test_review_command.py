"""`slipway review`, and what goes back to the caller: by webhook over real HTTP, and on asking."""

import json
import shutil
from datetime import UTC, datetime, timedelta

import pytest
from typer.testing import CliRunner

from configs.errors import CheckFailed, InputError
from configs.load import load_use_case
from configs.settings import prediction_log, store
from console.cli import app
from serving.log.writer import Feedback, PredictionLog
from serving.scoring.bundle import read_bundle
from serving.scoring.onnx import Scorer
from tasks.history import read_history, record
from tasks.monitoring.alerts.outbox import waiting
from tasks.monitoring.alerts.tell_reviews import settle_reviews, tell
from tasks.review.decide import confirm, override
from tasks.review.decision import decision
from tasks.review.settle import settle
from tasks.review.show import show
from tasks.review.summary import summary
from tests.conftest import RICH, SMALL, small_frame
from tests.unit.test_outbox import posts
from tests.unit.test_people import ME
from tests.unit.test_review import NOW, REVIEW, acting, asked, log, reviewed

__all__ = ["acting", "log", "posts"]  # fixtures


@pytest.fixture
def case(home, tmp_path, monkeypatch):
    """In a file, so that the command finds it."""
    folder = tmp_path / "use-cases"
    folder.mkdir()
    small_frame().to_csv(folder / "rows.csv", index=False)
    text = SMALL.format(path=folder / "rows.csv").replace("{numeric: [a, b], categorical: [c]}", RICH)
    fairness = "fairness: {protected: [c, town], criteria: {selection_rate: {ratio: 0.8}}}\n"
    (folder / "small.yaml").write_text(text + "log: {sensitive: keep}\n" + fairness + REVIEW)
    monkeypatch.setenv("SLIPWAY_USE_CASES", str(folder))
    return load_use_case("small")


def said(*words, status=0):
    done = CliRunner().invoke(app, ["review", "small", *words])
    raised = done.exception if isinstance(done.exception, InputError | CheckFailed) else None
    assert (done.exit_code == 0 and status == 0) or raised is not None, (done.output, done.exception)
    return done.output if raised is None else str(raised)


def fresh(number, minutes, **fields):
    """An answer of so many minutes ago, by the real clock."""
    ago = (NOW - datetime.now(UTC)) / timedelta(hours=1) + minutes / 60
    return asked(number, hours=ago, **fields)


def test_the_way_of_a_reviewer(log, case):
    assert said() == "No answer of small waits for a person\n"
    log.append([fresh(1, 10, c="red"), fresh(2, 60, positive=0.55), fresh(3, 5)])
    shown = said()
    for words in ("2 answers of small wait", "p002", "10 minutes ago", "uncertain: within", "group c = red", "47 hours"):
        assert words in shown, words
    assert "p003" not in shown
    assert [item["prediction_id"] for item in json.loads(said("--json"))] == ["p002", "p001"], "the most urgent first"
    one = said("show", "p001")
    for words in ("customer", "k1", "Answers: no, yes", "'new documents', 'model is wrong'", "No reasons:", "group c = red"):
        assert words in one, words
    assert said("decision", "p001").startswith("Prediction p001 waits for people until")
    assert f"Prediction p001 is overridden by {ME}: 'no'" in said(
        "override", "p001", "--answer", "no", "--reason", "new documents", "--text", "a slip"
    )
    assert "confirmed" in said("confirm", "p002")
    assert said() == "No answer of small waits for a person\n"
    told = json.loads(said("decision", "p001", "--json"))
    assert (told["state"], told["answer"], told["model_answer"], told["people"]) == ("final", "no", "yes", [ME])
    assert "text" not in told, "a note for colleagues, not for the caller"
    assert json.loads(said("decision", "p003", "--json"))["state"] == "not reviewed"
    assert "a slip" in said("show", "p001")
    assert said("confirm", "p001", status=1).startswith("prediction p001 was decided already, on")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["accept", "p001"], "'accept' is nothing that a review does; use list, show, confirm, override, decision, summary"),
        (["confirm"], "'confirm' is about one answer: slipway review NAME confirm PREDICTION_ID"),
        (["list", "p001"], "'list' is about all answers; leave 'p001' out"),
        (["override", "p001"], "'override' gives another answer than the model's: --answer ... --reason '...'"),
        (["confirm", "p001", "--answer", "no"], "'confirm' takes no --answer"),
        (["show", "p9"], "no prediction 'p9' is in the log of small"),
    ],
)
def test_what_cannot_be_meant_is_told(log, case, words, told):
    assert said(*words, status=2) == told


def with_webhook(folder):
    return reviewed(folder, REVIEW + "  webhook: CALLER_HOOK\n")


def test_the_caller_is_told_once(log, tmp_path, posts, monkeypatch):
    address, received = posts
    monkeypatch.setenv("CALLER_HOOK", f"{address}/hook")
    case = with_webhook(tmp_path)
    log.append([asked(n, c="red") for n in (1, 2)])
    override(case, "p001", "no", "new documents", "she called", now=NOW)
    assert tell(case) == {}
    assert tell(case) == {}
    assert received == [decision(case, "p001", NOW)]
    settle(case, NOW + timedelta(days=3))
    assert tell(case) == {}
    assert [(each["prediction_id"], each["how"], each["answer"]) for each in received] == [
        ("p001", "overridden", "no"),
        ("p002", "late", "yes"),
    ]
    titles = [entry["reason"] for entry in read_history("small", "told")]
    assert titles == ["[review] small: decision 2", "[review] small: decision 3"], "which names no prediction"


def test_a_caller_that_does_not_answer_is_told_later(log, tmp_path, posts, monkeypatch, quiet):
    address, received = posts
    monkeypatch.setenv("CALLER_HOOK", f"{address}/broken")
    case = with_webhook(tmp_path)
    log.append([asked(1, c="red")])
    confirm(case, "p001", now=NOW)
    assert "500" in tell(case)["webhook CALLER_HOOK"]
    assert waiting("small")["webhook CALLER_HOOK"][0] == 1
    monkeypatch.setenv("CALLER_HOOK", f"{address}/hook")
    received.clear()
    assert settle_reviews.fn(case, waits=()) == {}
    assert [each["prediction_id"] for each in received] == ["p001"]
    assert waiting("small") == {}
    assert settle_reviews.fn(case.model_copy(update={"review": None})) == {}


def test_a_reviewer_sees_reasons_and_cases_like_it(built_bundle, home, tmp_path):
    """The record, the exact reasons of the version's bundle, and the nearest cases with what came of them."""
    digest = built_bundle[0].name
    shutil.copytree(built_bundle[0], store("bundles") / digest)
    record("small", "deploy", "the first", version="1", previous="", release="r", bundle=digest, by="")
    case = reviewed(tmp_path)
    log = PredictionLog(prediction_log("small"))
    bundle = read_bundle(built_bundle[0])
    row = bundle.contract.encode([{"a": 1.0, "b": 0.5, "c": "red"}])
    positive = float(Scorer(bundle.model, bundle.contract).outputs(row)[0, 1])
    log.append([asked(n, a=n / 10, c="red" if n < 50 else "blue", positive=positive) for n in range(100)])
    log.append([Feedback("p009", "2026-01-01T12:30:00.000000Z", "no", "shop"), asked(100, a=None, c="red")])
    override(case, "p011", "no", "new documents", now=NOW)
    found = show(case, "p010", NOW)
    assert (found.model_answer, found.output["yes"], found.choices) == ("yes", positive, ["no", "yes"])
    assert found.reasons is not None
    assert set(found.reasons["contributions"]) == {"a", "b", "c"}
    near = {each["prediction_id"]: each for each in found.similar}
    assert list(near) == ["p009", "p011", "p008", "p012", "p007"]
    assert near["p009"]["label"] == "no"
    assert (near["p011"]["decision"], near["p011"]["decided"]) == ("overridden", "no")
    assert near["p009"]["distance"] == pytest.approx(0.1 / 9.9 / 3, abs=1e-4)
    assert found.waits is not None
    assert found.decisions == []
    log.append([asked(101, c="hmac:0123")])
    hidden = show(case, "p101", NOW)
    assert hidden.no_reasons == "the log has hashed c, and without the values nobody can say why"
    log.close()


def test_the_first_of_two_people_is_not_told_before_it_is_final(log, tmp_path, acting):
    case = reviewed(tmp_path, REVIEW + "  persons: 2\n")
    log.append([asked(1, c="red")])
    acting("ann")
    override(case, "p001", "no", "new documents", now=NOW)
    assert "no" not in str(decision(case, "p001", NOW))
    found = show(case, "p001", NOW)
    assert (found.decisions, found.waits.said) == ([], ("ann",))
    acting("bob")
    override(case, "p001", "no", "model is wrong", now=NOW)
    assert [each.by for each in show(case, "p001", NOW).decisions] == ["ann", "bob"]


def test_how_often_people_override_and_agree_by_group(log, case, acting):
    two = case.model_copy(update={"review": case.review.model_copy(update={"persons": 2})})
    rows = [asked(n, c="red", positive=0.55 if n % 2 else 0.9) for n in range(6)]
    rows += [asked(n, c="blue", positive=0.55) for n in range(6, 10)]
    log.append(rows)
    for person, against in (("ann", (0, 1, 2)), ("bob", (0, 1, 3)), ("cem", (2, 3))):
        acting(person)
        for n in range(10):
            if person == "cem" and n not in (2, 3):
                continue
            if n == 9:
                continue
            name = f"p{n:03d}"
            if n in against:
                override(two, name, "no", "new documents", now=NOW)
            else:
                confirm(two, name, now=NOW)
    found = summary(two, NOW + timedelta(days=3))
    assert (found.decided, found.waiting) == (10, 0)
    assert (found.whole.overridden.value, found.whole.overridden.count) == (4 / 9, 9)
    assert found.whole.late.value == 0.1
    assert found.whole.agreement.value == 7 / 9
    assert found.whole.agreement.lower < 7 / 9 < found.whole.agreement.upper
    chance = (6 / 18) ** 2 + (12 / 18) ** 2
    assert found.whole.beyond_chance.value == pytest.approx((7 / 9 - chance) / (1 - chance))
    red, blue = found.groups["c"]["red"], found.groups["c"]["blue"]
    assert (red.overridden.value, blue.overridden.value) == (4 / 6, 0)
    assert blue.beyond_chance is None, "all said the same"
    assert found.unseen == {"town": "the log has no values of it"}
    shown = said("summary")
    for words in ("all", "c red", "c blue", "Not by town: the log has no values of it", "0.444"):
        assert words in shown, words


@pytest.mark.parametrize(("role", "reads"), [("reviewer", True), ("auditor", True), ("operator", False)])
def test_reading_needs_a_role(log, case, acting, role, reads):
    log.append([fresh(1, 10, c="red")])
    acting("ann", role)
    for words in ([], ["show", "p001"], ["summary"]):
        told = said(*words, status=0 if reads else 2)
        assert ("ann may not see" in told) != reads
        assert ("needs the role 'reviewer' or 'auditor', and ann has operator" in told) != reads
    if role == "auditor":
        assert "needs the role 'reviewer', and ann has auditor" in said("confirm", "p001", status=2)
