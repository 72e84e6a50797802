"""What people see of a rollout: every look is kept, shown on a page, and told once."""

import re
from datetime import timedelta

import pytest

from configs.schema import Notify
from configs.settings import use_case_home
from console import guard
from tasks.monitoring.alerts.tell_rollout import news_of, tell_rollout
from tasks.rollouts import guard_rails
from tasks.rollouts.course import courses, spent
from tasks.rollouts.how_long import how_long
from tasks.rollouts.looks import keep_look, looks_of
from tasks.rollouts.page import page_address, write_page
from tasks.rollouts.state import begin
from tasks.rollouts.values import Look
from tasks.verdicts.judge import judged
from tests.unit.test_outbox import posts, with_channels
from tests.unit.test_rollout import HOUR, NOW, declared, said, state

__all__ = ["posts"]  # a fixture


def look(hour, stage=0):
    """An equal challenger, known better by the hour."""
    half = 0.1 / (hour + 1)
    errors = judged("errors", 0.05, 0.01, (500, 500), (0.0, -half, half))
    loss = judged("loss", 0.02, 0.01, (5, 5), None)
    return Look(at=NOW + timedelta(hours=hour), stage=stage, requests=500 * (hour + 1), verdicts=[errors, loss])


def test_every_look_is_kept_whatever_a_crash_has_torn(home):
    rollout, looks = state(), [look(hour) for hour in range(3)]
    for each in [*looks[:2], looks[1]]:
        keep_look(rollout, each)
    file = use_case_home("loans") / "rollouts" / rollout.id / "looks.jsonl"
    with file.open("ab") as torn:
        torn.write(looks[2].model_dump_json().encode()[:40])
    assert looks_of(rollout) == looks[:2], "a look kept twice is one, a torn one is none"
    keep_look(rollout, looks[2])
    assert looks_of(rollout) == looks
    assert looks_of(state(id="another")) == []


CHECKS = [{"measure": name, "margin": 0.05} for name in ("errors", "loss", "changed")]


def test_the_page_holds_every_check_and_loads_nothing(home):
    rollout = state(2, words=[said("pause")])
    looks = [look(hour, stage) for stage, hours in enumerate([range(24), range(24, 25), range(25, 30)]) for hour in hours]
    for each in looks:
        keep_look(rollout, each)
    text = write_page(declared(checks=CHECKS), rollout, "it <stands>").read_text()
    for check in CHECKS:
        assert f"<h2>{check['measure']}: how much worse the challenger is</h2>" in text
    assert text.count("<svg") == len(CHECKS)
    assert "it &lt;stands&gt;" in text
    assert "her reason" in text
    assert all(f">{strategy}<" in text.replace("> ", ">") for strategy in ("shadow", "canary")), "stages are marked"
    assert not re.search(r"<script|<link|<img|@import|url\((?!#)|(src|href)=\"(?!#)", text), "nothing is loaded"
    assert page_address(rollout).startswith("file:///"), "the service of reports was never started"


def test_a_stage_spends_its_part_of_the_budget_once(home):
    rollout = declared(checks=CHECKS)
    found = courses(rollout, [look(0), look(1), look(2, stage=1), look(3, stage=2)])
    assert [(course.place, len(course.looks)) for course in found] == [(0, 2), (1, 2)], "an approval moves no traffic"
    assert [spent(course) for course in found] == pytest.approx([0.02, 0.02]), "two checks said something, at 1 % each"


@pytest.mark.parametrize(
    ("standing", "says"),
    [
        (
            state(1, ran=HOUR / 2),
            "It ends at 2026-03-01 00:30 UTC. With .* at 2026-03-01 03:30 UTC: then it waits for a person",
        ),
        (state(1, ran=2 * HOUR), "Its time is over; for what is missing it goes on until 2026-03-01 02:00 UTC, then"),
        (state(1, phase="waiting"), "It waits for a person, however long"),
        (state(1, words=[said("pause")]), "Its time stands still"),
        (state(2), "Unless a person answers until 2026-03-08 00:00 UTC, it is as if reject"),
        (state(3), "or as soon as every required check is decided"),
        (state(phase="failed"), "^$"),
    ],
)
def test_people_know_how_long_at_most(standing, says):
    assert re.search(says, how_long(declared(), standing))


def test_people_are_told_once_that_they_are_waited_for_and_how_it_ended(home, tmp_path, quiet, posts, monkeypatch):
    address, received = posts
    monkeypatch.setenv("OUR_HOOK", f"{address}/elsewhere")  # which answers 500
    case = with_channels(tmp_path, Notify(by="webhook", url="OUR_HOOK")).model_copy(update={"rollout": declared()})
    waits = state(2, use_case="small", phase="waiting", waits="an approval; within 7 days", look=look(1))

    def told(standing):
        return tell_rollout.fn(case, standing, waits=())

    assert told(waits) == {"webhook OUR_HOOK": "answered 500"}
    received.clear()
    monkeypatch.setenv("OUR_HOOK", f"{address}/hook")
    assert told(waits.model_copy(update={"waits": "an approval; within 6 days"})) == {}, "the next look tries again"
    assert told(waits) == {}
    for _ in range(2):
        told(waits.model_copy(update={"phase": "failed", "outcome": "ann said reject: her reason"}))
    assert [post["cause"] for post in received] == ["3-approval", "failed"]
    assert "slipway rollout small approve --reason" in received[0]["reason"]
    assert received[1]["reason"] == "ann said reject: her reason"
    assert received[1]["page"].endswith("/small/rollouts/loans-v1-v2.html")
    assert [each["check"] for each in received[0]["verdicts"]] == ["errors", "loss"]


def test_of_what_the_guard_takes_back_people_are_told_at_once(home, tmp_path, quiet, posts, monkeypatch):
    address, received = posts
    monkeypatch.setenv("OUR_HOOK", f"{address}/hook")
    case = with_channels(tmp_path, Notify(by="webhook", url="OUR_HOOK")).model_copy(update={"rollout": declared()})
    monkeypatch.setattr("configs.load.load_use_case", lambda _: case)
    monkeypatch.setattr(guard_rails, "count", lambda _, now: {"challenger": guard_rails.Counts(now, 40, 30, 0, 40, 0, 0)})
    monkeypatch.setattr(guard_rails, "broken", lambda _: "an error burst: a test")
    begin(state(use_case="small"))
    guard._look({}, "small")
    assert [post["cause"] for post in received] == ["failed"]
    assert received[0]["reason"] == "the guard rails: an error burst: a test"


@pytest.mark.parametrize(
    ("standing", "key"),
    [
        (state(), None),
        (state(phase="waiting", words=[said("pause")], waits="paused by ann: a holiday"), None),
        (state(phase="waiting", waits="undecided: errors after 4 days; 'promote' or 'abort' decides"), "1-undecided"),
        (state(phase="waiting", waits="the shares are not those declared: few of 400", look=look(1)), "1-mismatch"),
        (state(2, phase="waiting", waits="an approval; within 7 days", look=look(1)), "3-approval"),
        (state(phase="succeeded", outcome="version 2 serves all requests"), "succeeded"),
    ],
)
def test_what_is_news(standing, key):
    if standing.look:  # the shares of the traffic may be wrong while a person, who knows, is asked for an approval
        standing = standing.model_copy(update={"look": standing.look.model_copy(update={"mismatch": "few of 400"})})
    news = news_of(declared(), standing)
    assert (news and news.key) == key
