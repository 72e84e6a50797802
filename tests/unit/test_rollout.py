"""What a look leads to, who may change a rollout, and what its traffic is: without servers."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from configs.errors import InputError
from configs.rollout import Rollout
from configs.schema import UseCase
from console.commands import rolling
from serving.traffic.plan import read_plan
from tasks.deploying.values import Release, Replica
from tasks.packaging.values import BundleRef
from tasks.registry.values import Version
from tasks.rollouts.carry_out import traffic_of, wants_baseline
from tasks.rollouts.decide import decide
from tasks.rollouts.state import Moved, begin, change, last_rollout, under_way
from tasks.rollouts.values import Look, State, Word
from tasks.verdicts.values import Verdict

NOW = datetime(2026, 3, 1, tzinfo=UTC)
STAGES = [
    {"shadow": {"for": "1 day"}},
    {"canary": {"share": 0.1, "for": "1 hour"}},
    "approval",
    {"ab": {"for": "2 days"}},
    {"canary": {"share": 1.0, "for": "1 hour"}},
]


def version(number):
    return Version(use_case="loans", version=number, run_id="r", bundle=BundleRef(digest="0" * 64), golden="g")


def release(number, variant=""):
    replica = Replica(address=f"http://127.0.0.1:80{number}0", handle="h")
    return Release(
        name=f"loans-v{number}{variant}",
        use_case="loans",
        version=number,
        bundle="0" * 64,
        platform="local",
        image="",
        log="predictions",
        settings={},
        replicas=(replica,),
    )


def declared(*stages, **more):
    return Rollout(stages=list(stages or STAGES), **more)


def state(stage=0, **more):
    fields = {
        "id": "loans-v1-v2",
        "use_case": "loans",
        "champion": version("1"),
        "challenger": version("2"),
        "reason": "a test",
        "began": NOW,
        "began_at_epoch": 0,
        "phase": "progressing",
        "stage": stage,
        "stage_began": NOW,
        "seen": NOW,
        "release": release("2"),
        "baseline": release("1", "-baseline"),
    }
    return State(**{**fields, **more})


def verdict(says, check="errors"):
    return Verdict.model_construct(check=check, verdict=says, reason=f"{check} {says}")


def look(*verdicts, requests=1000, stage=0, mismatch=""):
    return Look.model_construct(at=NOW, stage=stage, requests=requests, verdicts=list(verdicts), mismatch=mismatch)


def said(word, stage=0):
    return Word(said=word, by="ann", at=NOW, reason="her reason", stage=stage)


HOUR = 3600.0
FINE = verdict("equivalent")


@pytest.mark.parametrize(
    ("step", "rollout", "standing", "seen"),
    [
        ("stay", declared(), state(ran=HOUR), look(FINE)),
        ("next", declared(), state(ran=24 * HOUR), look(FINE)),
        ("back", declared(), state(), look(FINE, verdict("worse", "loss"))),
        ("back", declared(), state(words=[said("pause")]), look(verdict("worse"))),
        ("back", declared(), state(words=[said("promote")]), look(verdict("worse"))),
        ("wait", declared(), state(ran=99 * HOUR, words=[said("pause")]), look(FINE)),
        ("next", declared(), state(words=[said("promote")]), look(verdict("undecided"), requests=0)),
        ("stay", declared(), state(1, words=[said("promote")]), look(FINE)),
        ("wait", declared(), state(ran=24 * HOUR), look(FINE, mismatch="the challenger gets too few")),
        ("next", declared(), state(ran=24 * HOUR, words=[said("resume")]), look(FINE, mismatch="too few")),
        # Undecided, or too few: longer, then what is declared; but too few never promote.
        ("stay", declared(), state(ran=25 * HOUR), look(verdict("undecided"))),
        ("wait", declared(), state(ran=97 * HOUR), look(verdict("undecided"))),
        ("next", declared(undecided="promote"), state(ran=97 * HOUR), look(verdict("undecided"))),
        ("back", declared(undecided="roll back"), state(ran=97 * HOUR), look(verdict("undecided"))),
        ("stay", declared(), state(ran=25 * HOUR), look(FINE, requests=99)),
        ("wait", declared(undecided="promote"), state(ran=97 * HOUR), look(FINE, requests=99)),
        ("back", declared(undecided="roll back"), state(ran=97 * HOUR), look(requests=0)),
        ("next", declared(), state(ran=24 * HOUR), look(FINE, verdict("undecided", "loss"))),
        # A/B ends when it is known; an approval when somebody says so, or nobody did for long enough.
        ("stay", declared(), state(3), look(verdict("undecided"))),
        ("next", declared(), state(3), look(verdict("better"))),
        ("stay", declared(), state(3), look(verdict("better"), requests=99)),
        ("wait", declared(), state(2), look(FINE)),
        ("next", declared(), state(2, words=[said("approve", 2)]), look(FINE)),
        ("back", declared(), state(2, words=[said("approve", 2), said("reject", 2)]), look(FINE)),
        ("back", declared(), state(2, ran=169 * HOUR), look(FINE)),
        ("next", declared({"approval": {"otherwise": "approve"}}), state(ran=169 * HOUR), look(FINE)),
        ("next", declared("blue_green"), state(), look(requests=0)),
    ],
)
def test_a_look_leads_to(step, rollout, standing, seen):
    found = decide(rollout, standing, standing.words, seen)
    assert found.move == step, found
    assert found.why


@given(
    ran=st.floats(0, 1e7),
    requests=st.integers(0, 99),
    says=st.sampled_from(["better", "equivalent", "undecided"]),
    undecided=st.sampled_from(["promote", "roll back", "ask"]),
    stage=st.sampled_from([0, 1, 3, 4]),
)
def test_too_few_requests_never_promote(ran, requests, says, undecided, stage):
    found = decide(declared(undecided=undecided), state(stage, ran=ran), [], look(verdict(says), requests=requests))
    assert found.move != "next"


def test_the_traffic_of_each_stage():
    plans = [traffic_of(declared(key="customer"), state(stage)) for stage in range(5)]
    assert [(arm.name, arm.share) for arm in plans[0].shadows] == [("challenger", 1.0)]
    assert plans[0].arms == ()
    shares = [[(arm.name, arm.share) for arm in plan.arms] for plan in plans[1:]]
    canary = [("challenger", 0.1), ("baseline", 0.1)]
    assert shares == [canary, canary, [("challenger", 0.5)], [("challenger", 1.0)]], "an approval leaves it as it is"
    assert {plan.salt for plan in plans} == {"loans-v1-v2"}, "who met the challenger meets it again"
    assert [plan.id for plan in plans] == [f"loans-v1-v2.{stage}" for stage in (1, 2, 2, 4, 5)]
    assert wants_baseline(declared())
    assert not wants_baseline(declared({"ab": {"for": "1 day"}}))


def test_a_cohort_meets_the_challenger_and_an_ended_rollout_nobody():
    import msgspec

    pilot = declared({"cohort": {"column": "store", "values": ["a", "b"], "for": "1 day"}})
    plan = traffic_of(pilot, state())
    assert [(cohort.column, cohort.values, cohort.arm) for cohort in plan.cohorts] == [("store", ("a", "b"), "challenger")]
    assert [(arm.name, arm.share) for arm in plan.arms] == [("challenger", 0.0)]
    assert read_plan(msgspec.json.encode(plan)) == plan
    for phase in ("initialising", "promoting", "finalising", "succeeded", "failed"):
        assert traffic_of(pilot, state(phase=phase)) is None


def test_who_decided_on_what_is_no_longer_so_changes_nothing(home):
    seen = begin(state())
    later = change(seen, ran=1.0)
    with pytest.raises(Moved):
        change(seen, stage=1)
    assert last_rollout("loans") == later
    with pytest.raises(InputError, match="version 2 of 'loans' is being rolled out"):
        begin(state(id="another"))
    change(later, phase="failed")
    assert under_way("loans") is None
    begin(state(id="another"))


def test_after_a_rollback_a_rollout_moves_nothing(home):
    from tasks.fence import Fenced, emergency

    seen = begin(state())
    with emergency("loans", "rolled back", "a test", print):
        pass
    with pytest.raises(Fenced):
        change(seen, stage=1)


@pytest.mark.parametrize(
    ("days", "standing"),
    [
        (1, state()),
        (0.75, state(ran=6 * HOUR)),
        (1, state(ran=86400.0)),  # something is undecided: a day more
        (0, state(phase="waiting")),  # a person may have said something by now
        (0, state(2)),
        (1, state(phase="finalising")),
    ],
)
def test_the_main_job_replays_until_a_look_can_lead_to_something(days, standing, monkeypatch):
    monkeypatch.setattr(rolling, "now", lambda _: NOW)
    case = UseCase.model_construct(rollout=declared())
    assert rolling._due(case, standing) == NOW + timedelta(days=days)


WRONG = {
    "a share that falls": ({"stages": [STAGES[3], STAGES[1]]}, "'stages.1': the share falls from 0.5 to 0.1"),
    "an unknown strategy": ({"stages": [{"canry": {"share": 0.1}}]}, "does not match any of the expected tags: 'shadow'"),
    "no time": ({"stages": [{"shadow": {"for": "0 days"}}]}, "'for' must be above zero"),
    "no stage": ({"stages": []}, "at least 1 item"),
    "a check twice": ({"stages": STAGES, "checks": [{"measure": "errors", "margin": 0}] * 2}, "'errors' stands there twice"),
    "no check": ({"stages": STAGES, "checks": []}, "nothing could ever take a challenger back"),
    "a KPI without its name": ({"stages": STAGES, "checks": [{"measure": "kpi", "margin": 0}]}, "needs both"),
    "errors by slice": (
        {"stages": STAGES, "checks": [{"measure": "errors", "margin": 0, "by": "a"}]},
        "is compared on the whole",
    ),
    "a slice of numbers": ({"stages": STAGES, "checks": [{"measure": "loss", "margin": 0, "by": "a"}]}, "is no categorical"),
    "what need not be found": (
        {"stages": STAGES, "checks": [{"measure": "loss", "margin": 0, "detect": 1}]},
        "'required: true'",
    ),
    "a key that no request has": ({"stages": STAGES, "key": "customer"}, "'rollout.key': 'customer' is neither a feature"),
    "a cohort of nothing": (
        {"stages": [{"cohort": {"column": "shop", "values": ["a"], "for": "1 day"}}]},
        "'rollout.stages.0': 'shop' is neither a feature",
    ),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_what_cannot_be_is_one_error(wrong):
    rollout, told = WRONG[wrong]
    with pytest.raises(ValueError, match=told):
        UseCase(
            name="loans",
            source={"tables": {"rows": "rows.csv"}},
            target={"column": "y"},
            features={"numeric": ["a"]},
            evaluation={"gates": [{"metric": "roc_auc", "at_least": 0.5}]},
            rollout=rollout,
        )
