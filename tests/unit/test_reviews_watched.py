"""Reviews are watched: people who begin to overrule the model, and answers that nobody decided in time, alarm."""

from datetime import timedelta

import numpy as np
import pytest

from configs.files import write_atomically
from tasks.log.reviews import note_event, reviewing
from tasks.log.values import Window
from tasks.monitoring.alerts.alarms import alarms
from tasks.monitoring.conclude import _judged, review_causes
from tasks.monitoring.drift.null import OTHER_SHARE
from tasks.monitoring.findings import describe, finding_path, told
from tasks.monitoring.reviews import by_chance, measure_reviews
from tasks.monitoring.values import Finding, Service
from tasks.review.values import Share
from tests.unit.test_review import NOW, asked, case, log

__all__ = ["case", "log"]  # fixtures


def window(number, look="first"):
    return Window(use_case="small", name=f"w{number}", start="0", end="1", rows=10, labelled=0, data="d", look=look)


def look(case, number, now=NOW, **more):
    """A look at a window; what it found of reviews is kept as the flow keeps it."""
    found = measure_reviews.fn(case, window(number), now)
    finding = Finding(
        use_case="small", window=f"w{number}", until=(NOW + timedelta(days=number)).isoformat(), version="1", rows=10,
        service=Service(kpis={}), reviewed=found, causes=list(review_causes(found)), alarms={}, report="http://x",
        false_alarm_rate=0.01, **more,
    )  # fmt: skip
    write_atomically(finding_path("small", finding.window), finding.model_dump_json().encode())
    return found, finding


def decided(first, count, overridden):
    """So many final decisions, of which so many overrode the model."""
    with reviewing("small"):
        for n in range(first, first + count):
            how = "overridden" if n - first < overridden else "confirmed"
            said = {"prediction_id": f"d{n}", "model_answer": "no", "answer": "yes" if how == "overridden" else "no"}
            note_event("small", "final", "ann", NOW, **said, people=["ann"], how=how, reason="")


def test_people_who_begin_to_override_alarm_and_as_often_as_before_do_not(case, log):
    decided(0, 50, overridden=10)
    first, finding = look(case, 1)
    assert (first.found.finals, first.before.finals, first.chance) == (50, 0, None), "nothing to compare with"
    assert finding.causes == []
    decided(50, 40, overridden=9)
    second, finding = look(case, 2)
    assert (second.found.finals, second.before.finals, second.more) == (40, 50, False)
    assert "people overrode 22% of 40 answers; 20% of 50 before" in told(finding)
    decided(90, 40, overridden=30)
    third, finding = look(case, 3)
    assert third.before.finals == 90
    assert finding.causes == ["review"]
    assert told(finding).startswith("people override more than they did: 75% of 40 answers; 21% of 90 before")
    page = describe(finding)
    assert "| overridden | 0.750 (" in page
    assert "So many overrides come by chance in 0.00% of such looks." in page
    again, _ = look(case, 3)
    assert again == third, "a look that is done again counts the same decisions"
    decided(130, 5, overridden=0)
    assert look(case, 3)[0] == third


def test_what_was_decided_before_anybody_counted_is_what_later_looks_are_held_against(case, log):
    """As after an upgrade: findings are there, and none of them knows of reviews."""
    decided(0, 50, overridden=10)
    before = Finding(
        use_case="small", window="w0", until=NOW.isoformat(), version="1", rows=10, service=Service(kpis={}), causes=[],
        alarms={}, report="http://x", false_alarm_rate=0.01,
    )  # fmt: skip
    write_atomically(finding_path("small", "w0"), before.model_dump_json().encode())
    first, finding = look(case, 1)
    assert (first.found.finals, first.before.finals, first.late, finding.causes) == (0, 50, 0, [])
    decided(50, 40, overridden=30)
    assert look(case, 2)[1].causes == ["review"]


def test_what_nobody_decided_in_time_alarms_and_what_waits_is_told(case, log):
    log.append([asked(1, c="red", hours=3), asked(2, c="red", hours=1)])
    found, finding = look(case, 1)
    assert (found.waiting, round(found.oldest), found.late, finding.causes) == (2, 3, 0, [])
    assert "2 answers wait for people, the oldest for 3 hours" in told(finding)
    found, finding = look(case, 2, NOW + timedelta(hours=46))
    assert (found.waiting, found.late, finding.causes) == (1, 1, ["review"])
    opened = alarms({}, review_causes(found), set(), NOW, timedelta(days=1), "w2")
    assert opened["review"].severity == "warning"
    assert "nobody decided in time on 1; 1 answer waits" in opened["review"].reason
    assert look(case, 3, NOW + timedelta(hours=46, minutes=1))[0].late == 0, "each is told once"


def test_where_nobody_reviews_there_is_nothing_to_say_and_a_look_with_labels_leaves_the_alarm(case, log, tmp_path):
    assert measure_reviews.fn(case.model_copy(update={"review": None}), window(1)) is None
    assert measure_reviews.fn(case, window(1, "labels")) is None
    assert "review" in _judged(case, window(1), None, Service(kpis={}))
    assert "review" not in _judged(case, window(1, "labels"), None, Service(kpis={}))


@pytest.mark.parametrize(("before", "now", "rate"), [(400, 20, 0.1), (60, 60, 0.3), (30, 8, 0.02)])
def test_the_test_is_exact_so_chance_alarms_no_more_often_than_said(before, now, rate):
    draws = np.random.default_rng(3)
    level = 0.3 * OTHER_SHARE
    counts = zip(draws.binomial(before, rate, 2000), draws.binomial(now, rate, 2000), strict=True)
    share = [
        by_chance(
            Share(value=new / now, lower=0, upper=1, count=now), Share(value=old / before, lower=0, upper=1, count=before)
        )
        <= level
        for old, new in counts
    ]
    assert np.mean(share) <= level + 3 * np.sqrt(level / 2000)
