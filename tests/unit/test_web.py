"""Pages: who gets in, for how long, which forms count, and what a page shows; through the application, without a browser."""

import re
import time
from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace
from starlette.testclient import TestClient

from console.web import session
from console.web.app import app
from serving.security.keys import new_key
from tasks.log.conditions import parse_condition
from tasks.log.erase import erase
from tasks.people import Person, key_id_of, put_person
from tasks.review.queue import standing
from tests.unit.test_log_maintenance import rotate_and_compact
from tests.unit.test_review import asked, log, reviewed  # noqa: F401 - a fixture

BASE = "http://127.0.0.1:8082"


@pytest.fixture
def case(home, tmp_path, monkeypatch):
    """A use case with a review, found by its name."""
    found = reviewed(tmp_path)
    monkeypatch.setattr("console.web.review.load_use_case", lambda _: found)
    monkeypatch.setattr("console.web.review.use_case_names", lambda: ["small"])
    return found


@pytest.fixture
def browser(case):
    return TestClient(app(), base_url=BASE, follow_redirects=False)


@pytest.fixture
def key(home):
    """The API key of ann, a reviewer; bob may see nothing."""
    import msgspec

    from serving.security.keys import KeyFile

    made = {name: new_key(name, ("predict",), "2026-01-01T00:00:00Z") for name in ("ann", "bob")}
    folder = home / "use_cases" / "small" / "keys"
    folder.mkdir(parents=True)
    (folder / "keys.json").write_bytes(msgspec.json.encode(KeyFile([each for each, _ in made.values()])))
    put_person(Person(name="ann", keys=(made["ann"][0].id,), roles=("reviewer",)))
    put_person(Person(name="bob", keys=(made["bob"][0].id,), roles=("viewer",)))
    return {name: text for name, (_, text) in made.items()}


def token(page):
    return re.search(r'name="token" value="([0-9a-f]+)"', page.text)[1]


def sign_in(browser, key, then="/"):
    form = {"token": token(browser.get("/sign-in")), "key": key}
    return browser.post(f"/sign-in?next={then}", data=form)


def waits(log, **fields):  # noqa: F811
    """An answer that waits for people now."""
    moment = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    entry = replace(asked(1, positive=0.55, **fields), time=moment, event_time=moment)
    log.append([entry])
    return entry.prediction_id


def test_nobody_sees_anything_before_they_signed_in_and_then_what_they_asked_for(browser, key):
    for path in ("/", "/review/small", "/review/small/p001"):
        answer = browser.get(path)
        assert (answer.status_code, answer.headers["location"]) == (303, f"/sign-in?next={path}")
    assert sign_in(browser, "slipway_nobody_wrong").status_code == 401
    assert sign_in(browser, key["ann"], "/review/small").headers["location"] == "/review/small"
    page = browser.get("/")
    assert page.status_code == 200
    assert "ann" in page.text
    assert browser.get("/review/small").status_code == 200


@pytest.mark.parametrize("then", ["//evil.example", "/\\evil.example", "https://evil.example", "javascript:alert(1)"])
def test_signing_in_leads_to_no_other_site(browser, key, then):
    assert sign_in(browser, key["ann"], then).headers["location"] == "/"


def test_a_session_ends(browser, key, monkeypatch):
    sign_in(browser, key["ann"])
    cookie = browser.get("/").headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert key["ann"].rpartition("_")[2] not in cookie, "the key is kept nowhere"
    now = time.time()
    monkeypatch.setattr(session.time, "time", lambda: now + session.IDLE - 60)
    assert browser.get("/").status_code == 200
    for later in (session.IDLE + 60, session.LIFETIME + 60):
        monkeypatch.setattr(session.time, "time", lambda later=later: now + later)
        other = TestClient(app(), base_url=BASE, follow_redirects=False, cookies=dict(browser.cookies))
        assert other.get("/").status_code == (303 if later > session.LIFETIME else 200), (
            "each page begins the half hour anew"
        )


def test_half_an_hour_without_a_click_signs_out(browser, key, monkeypatch):
    sign_in(browser, key["ann"])
    now = time.time()
    monkeypatch.setattr(session.time, "time", lambda: now + session.IDLE + 60)
    assert browser.get("/").status_code == 303


def test_a_cookie_that_was_changed_or_is_of_another_home_is_nobody_s(browser, key, home):
    sign_in(browser, key["ann"])
    held = browser.cookies[session.COOKIE]
    (home / "signing" / "sessions.key").write_bytes(b"another secret of thirty-two byte")
    assert browser.get("/").status_code == 303
    assert oct((home / "signing" / "sessions.key").stat().st_mode & 0o777) == "0o600"
    browser.cookies.set(session.COOKIE, f"x{held}")
    assert browser.get("/").status_code == 303


def test_whose_key_is_revoked_or_who_is_taken_out_is_out_at_once(browser, key, home):
    from tasks.people import drop_person

    sign_in(browser, key["ann"])
    assert browser.get("/").status_code == 200
    path = home / "use_cases" / "small" / "keys" / "keys.json"
    kept = path.read_text()
    path.write_text(kept.replace('"name":"ann"', '"revoked":"2026-01-02T00:00:00Z","name":"ann"'))
    assert browser.get("/").status_code == 303
    path.write_text(kept)
    assert browser.get("/").status_code == 200
    drop_person("ann")
    assert browser.get("/").status_code == 303


def test_who_has_not_the_role_sees_no_record(browser, key, log):  # noqa: F811
    name = waits(log)
    sign_in(browser, key["bob"])
    for path in ("/", "/review/small", f"/review/small/{name}"):
        answer = browser.get(path)
        assert answer.status_code == 403
        assert "needs the role &#39;reviewer&#39;" in answer.text
        assert "k1" not in answer.text


def test_a_decision_is_kept_and_one_that_another_site_sends_is_not(browser, key, log):  # noqa: F811
    name = waits(log)
    sign_in(browser, key["ann"])
    path = f"/review/small/{name}"
    page = browser.get(path)
    assert page.status_code == 200
    assert "the model is right" in page.text
    for forged in ({}, {"token": "0" * 64}):
        answer = browser.post(path, data={"answer": "confirm", **forged})
        assert answer.status_code == 403
    assert not standing("small").decisions
    wrong = browser.post(path, data={"token": token(page), "answer": "is no"})
    assert wrong.status_code == 422
    assert "an override needs a reason" in wrong.text
    said = {"token": token(page), "answer": "is no", "reason": "new documents", "text": "<b>she</b> sent them"}
    answer = browser.post(path, data=said)
    assert answer.status_code == 303
    assert f"Kept: your decision on {name}" in browser.get(answer.headers["location"]).text
    (decision,) = standing("small").decisions[name]
    assert (decision.by, decision.answer, decision.reason) == ("ann", "no", "new documents")
    again = browser.post(path, data=said)
    assert again.status_code == 409
    assert "was decided already" in again.text
    shown = browser.get(path).text
    assert "&lt;b&gt;she&lt;/b&gt; sent them" in shown
    assert "<b>she" not in shown


def test_where_nobody_is_in_a_table_whoever_runs_it_decides_and_forms_have_a_token_all_the_same(browser, log):  # noqa: F811
    name = waits(log)
    page = browser.get(f"/review/small/{name}")
    assert page.status_code == 200
    assert browser.post(f"/review/small/{name}", data={"answer": "confirm"}).status_code == 403
    assert browser.post(f"/review/small/{name}", data={"answer": "confirm", "token": token(page)}).status_code == 303


def test_another_name_that_leads_here_is_no_way_in(case):
    assert TestClient(app(), base_url="http://evil.example").get("/").status_code == 400


def test_every_page_forbids_what_it_does_not_need(browser, key):
    for answer in (browser.get("/sign-in"), browser.get("/")):
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert answer.headers["cache-control"] == "no-store"


def test_a_form_that_is_too_large_is_none(browser, key):
    sign_in(browser, key["ann"])
    assert browser.post("/review/small/p", data={"text": "x" * 100_000}).status_code == 403


def test_one_use_case_that_cannot_be_read_hides_no_other(browser, case, monkeypatch):
    from configs.errors import InputError

    def load(name):
        if name == "broken":
            raise InputError("configs/broken.yaml:1: is none")
        return case

    monkeypatch.setattr("console.web.review.use_case_names", lambda: ["broken", "small"])
    monkeypatch.setattr("console.web.review.load_use_case", load)
    page = browser.get("/").text
    assert "configs/broken.yaml:1: is none" in page
    assert "/review/small" in page


def test_what_is_in_the_queue_comes_a_page_at_a_time(browser, log):  # noqa: F811
    moment = datetime.now(UTC) - timedelta(hours=1)
    for number in range(60):
        at = (moment + timedelta(seconds=number)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        log.append([replace(asked(number, positive=0.55), time=at, event_time=at)])
    first, second = browser.get("/review/small").text, browser.get("/review/small?page=2").text
    assert "60 answers wait" in first
    assert [first.count("/review/small/p"), second.count("/review/small/p")] == [50, 10]
    assert "Page 2 of 2" in second


def test_an_auditor_reads_and_decides_nothing(log, browser, key):  # noqa: F811
    name = waits(log)
    put_person(Person(name="bob", keys=(key_id_of(key["bob"]),), roles=("auditor",)))
    sign_in(browser, key["bob"])
    page = browser.get(f"/review/small/{name}")
    assert "It waits for a reviewer." in page.text
    assert "<fieldset>" not in page.text
    sent = browser.post(f"/review/small/{name}", data={"token": token(page), "answer": "confirm"})
    assert sent.status_code == 403
    assert not standing("small", name).decisions


def decided_of(browser, monkeypatch, case, path, **headers):
    monkeypatch.setattr("console.web.decisions.load_use_case", lambda _: case)
    monkeypatch.setattr("console.web.decisions.use_case_names", lambda: ["small"])
    return browser.get(f"/decisions/{path}", headers=headers)


def test_where_keys_are_not_needed_any_program_may_ask(log, case, browser, monkeypatch):  # noqa: F811
    name = waits(log)
    found = decided_of(browser, monkeypatch, case, f"small/{name}")
    assert (found.status_code, found.json()["state"]) == (200, "waiting")
    assert decided_of(browser, monkeypatch, case, "small/p9").json() == {
        "error": "no prediction 'p9' is in the log of small"
    }
    assert decided_of(browser, monkeypatch, case, "none/p9").status_code == 404
    log.append([replace(asked(2), time=found.json()["due"][:19] + ".000000Z")])
    assert decided_of(browser, monkeypatch, case, "small/p002").json()["state"] == "not reviewed"


def test_what_was_erased_is_gone_and_keys_that_cannot_be_read_let_nobody_in(log, case, browser, key, monkeypatch, home):  # noqa: F811
    name = waits(log)
    bearer = {"Authorization": f"Bearer {key['ann']}"}
    assert decided_of(browser, monkeypatch, case, f"small/{name}").status_code == 401
    assert decided_of(browser, monkeypatch, case, f"small/{name}", **bearer).status_code == 200, "a reviewer's"
    rotate_and_compact(log)
    erase("small", [parse_condition("customer=k1", case)], "asked")
    gone = decided_of(browser, monkeypatch, case, f"small/{name}", **bearer)
    assert gone.status_code == 410
    assert "was erased on" in gone.json()["error"]
    (home / "use_cases" / "small" / "keys" / "keys.json").write_text("{")
    assert decided_of(browser, monkeypatch, case, f"small/{name}", **bearer).status_code == 503


def test_why_is_for_auditors(log, browser, key):  # noqa: F811
    name = waits(log)
    sign_in(browser, key["ann"])
    assert browser.get(f"/why/{name}").status_code == 403
    assert "/why" not in browser.get("/").text
    put_person(Person(name="ann", keys=(key_id_of(key["ann"]),), roles=("auditor",)))
    found = browser.get(f"/why?prediction_id={name}")
    assert (found.status_code, found.headers["location"]) == (303, f"/why/{name}")
    page = browser.get(f"/why/{name}")
    assert page.status_code == 200
    for words in (f"Why: {name} of small", "What was asked and answered", "Nobody decided anything", "not proven"):
        assert words in page.text, words
    assert f"/why/{name}?use_case=small" in browser.get(f"/review/small/{name}").text
    assert "no prediction &#39;p9&#39; is in the log" in browser.get("/why/p9").text
    assert browser.get("/why").status_code == 422
