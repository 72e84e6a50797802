"""Alarms, who is told, and when a finding may start a retraining."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from configs.schema import Notify, Retraining
from tasks.history import read_history, record
from tasks.log.values import Refusal
from tasks.monitoring.alerts.alarms import alarms, to_tell
from tasks.monitoring.alerts.tidings import events
from tasks.monitoring.conclude import causes
from tasks.monitoring.values import ColumnDrift, Drift, Finding, Kpi, Performance, Service
from tasks.training.may_retrain import held_back, may_retrain
from tests.conftest import small_use_case

START = datetime(2026, 1, 1, tzinfo=UTC)
GOOD = Performance(
    metric="roc_auc", value=0.8, lower=0.7, upper=0.9, floor=0.6, expected=0.8, labelled=10, rows=10, weighted=False,
    fell=False, rose={}, estimate=0.8, estimate_lower=0.7, estimate_upper=0.9, estimate_floor=0.6, estimate_fell=False,
    answers={"positives": 0.5, "confidence": 0.8}, answers_expected={"positives": 0.5, "confidence": 0.8},
)  # fmt: skip

QUIET = Service(kpis={})


def drift(persists=True, **columns):
    quiet = ColumnDrift(score=0.1, distance=0.0)
    return Drift(columns={"a": quiet, **columns}, joint=quiet, prediction=quiet, blocks=9, persists=persists, tolerance=0.01)


def finding(number, open_alarms, **more):
    until = (START + timedelta(days=number)).isoformat()
    return Finding(
        use_case="small", window=str(number), until=until, version="1", rows=10, drift=drift(), performance=GOOD, report="http://x",
        service=QUIET,
        causes=list(open_alarms), alarms=open_alarms, false_alarm_rate=0.01, **more,
    )  # fmt: skip


CAUSES = st.sets(st.sampled_from(["drift", "fault", "performance"]))


@given(st.lists(st.tuples(CAUSES, CAUSES), max_size=30), st.integers(1, 10))
def test_an_alarm_a_cause_told_once_and_again_only_after_the_cooldown(windows, cooldown):
    open_now, last_told = {}, {}
    for number, (shown, lingering) in enumerate(windows):
        until = START + timedelta(days=number)
        before, open_now = (
            open_now,
            alarms(open_now, dict.fromkeys(shown, "because"), lingering, until, timedelta(days=cooldown), str(number)),
        )
        assert shown <= set(open_now) <= shown | (lingering & set(before))
        for cause in set(open_now) & set(before):
            assert open_now[cause].since == before[cause].since
        for cause in to_tell(open_now, until):
            assert cause in shown
            if cause in before:
                assert number - last_told[cause] >= cooldown
            last_told[cause] = number
        assert set(open_now) - set(before) == set(to_tell(open_now, until)) - set(before)


def test_causes_are_told_apart():
    assert causes(drift(), GOOD, QUIET) == {}
    harmless = ColumnDrift(score=2, distance=0.3, cost=0.002)
    assert causes(drift(x=harmless), GOOD, QUIET) == {}
    assert list(causes(drift(x=harmless.model_copy(update={"cost": 0.02})), GOOD, QUIET)) == ["drift"]
    unknown = ColumnDrift(score=2, distance=0.3, cost=0.0, outside=0.2)
    assert "20% of its rows lie where the reference has none" in causes(drift(x=unknown), GOOD, QUIET)["drift"]
    assert causes(drift(persists=False, x=unknown), GOOD, QUIET) == {}
    broken = unknown.model_copy(update={"fault": "every value is 0"})
    assert causes(drift(x=broken), GOOD, QUIET) == {"fault": "x: every value is 0"}
    refused = Service(kpis={"refused": Kpi(value=0.12, rows=0)}, refused=[Refusal(status=422, feature="a", requests=12)])
    assert causes(drift(), GOOD, refused) == {"fault": "12% of the requests were refused by the contract, most for a"}
    slow = Service(kpis={"latency_p99": Kpi(value=80.0, rows=9, objective="at most 50", missed=True)})
    assert causes(drift(), GOOD, slow) == {"objective": "latency_p99 80, objective at most 50"}
    fell = GOOD.model_copy(update={"fell": True, "value": 0.5})
    assert list(causes(drift(), fell, QUIET)) == ["performance"]
    assert list(causes(drift(), GOOD.model_copy(update={"estimate_fell": True}), QUIET)) == ["estimate"]


@pytest.mark.parametrize(
    ("found", "labels"),
    [
        (["performance", "drift"], {"slipway.performance": "yes", "slipway.drift": "no"}),
        (["drift"], {"slipway.drift": "yes"}),
        (["fault", "performance", "drift"], dict.fromkeys(["slipway.fault", "slipway.performance", "slipway.drift"], "no")),
        (["estimate"], {"slipway.estimate": "no"}),
        ([], {"slipway.healthy": "no"}),
    ],
)
def test_one_window_asks_for_one_retraining_and_for_none_while_a_source_is_broken(tmp_path, found, labels):
    case = small_use_case(tmp_path)
    case = case.model_copy(update={"retraining": Retraining(on=["drift", "performance"])})
    made = events(case, finding(0, {}).model_copy(update={"causes": found}))
    assert {event["event"]: event["resource"]["slipway.retrain"] for event in made} == labels


@pytest.mark.parametrize(
    ("labels", "found", "asks"),
    [
        (99, [], []),
        (100, [], ["labels"]),
        (100, ["drift"], ["drift"]),
        (100, ["fault"], []),
        (100, ["estimate"], ["labels"]),
    ],
)
def test_enough_new_labels_ask_for_a_retraining_where_nothing_graver_does(tmp_path, labels, found, asks):
    case = small_use_case(tmp_path)
    case = case.model_copy(update={"retraining": Retraining(on=["drift"], new_labels=100)})
    made = events(case, finding(0, {}, new_labels=labels).model_copy(update={"causes": found}))
    asking = [event for event in made if event["resource"]["slipway.retrain"] == "yes"]
    assert [event["event"] for event in asking] == [f"slipway.{cause}" for cause in asks]
    assert [event["payload"]["cause"] for event in asking] == asks


def verdict(day, better=False, cause="drift"):
    return {"until": (START + timedelta(days=day)).isoformat(), "cause": cause, "better": better, "reason": "r"}


def test_retraining_waits_longer_after_each_challenger_that_lost():
    rules = Retraining(cooldown=timedelta(days=2))
    for lost, days in ((1, 4), (2, 8), (3, 16)):
        verdicts = [verdict(day) for day in range(lost)]
        last = START + timedelta(days=lost - 1)
        assert "in a row that did not come to serve" in held_back(rules, verdicts, last + timedelta(days=days - 1))
        assert held_back(rules, verdicts, last + timedelta(days=days)) is None
    won = [verdict(0), verdict(1), verdict(2, better=True)]
    assert "after the last one" in held_back(rules, won, START + timedelta(days=3))
    assert held_back(rules, won, START + timedelta(days=4)) is None


def test_a_budget_a_week():
    rules = Retraining(cooldown=timedelta(hours=1), budget=2)
    verdicts = [verdict(0, better=True), verdict(3, better=True)]
    assert held_back(rules, verdicts, START + timedelta(days=5)) == "the budget of 2 a week is spent"
    assert held_back(rules, verdicts, START + timedelta(days=8)) is None


def test_a_storm_of_500_events_starts_one_retraining(home, tmp_path, quiet):
    case, started = small_use_case(tmp_path), 0
    for number in range(500):
        if may_retrain.fn(case, START + timedelta(minutes=number % 3), "drift") is None:
            started += 1
            record("small", "verdict", "r", cause="drift", until=START.isoformat(), better=False)
    assert started == 1
    assert len(read_history("small", "declined")) == 3
    assert may_retrain.fn(case, START, "a person") is None
    assert may_retrain.fn(case, START, "schedule") is None


@pytest.mark.parametrize(
    ("rules", "told"),
    [({"by": "email"}, "needs 'server'"), ({"by": "slack"}, "needs 'url'"), ({"by": "slack", "url": "https://x"}, "match")],
)
def test_a_channel_that_lacks_something_is_told(rules, told):
    with pytest.raises(ValueError, match=told):
        Notify(**rules)
