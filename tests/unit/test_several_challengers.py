"""Several challengers at once: who meets whom, who leaves, and who goes on; without servers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from configs.rollout import Ab, Rollout
from serving.traffic.assign import bound, intervals
from tasks.quarantine import quarantined
from tasks.rollouts import guard_rails
from tasks.rollouts.carry_out import traffic_of
from tasks.rollouts.declared import level_of
from tasks.rollouts.guard_rails import Counts, Watched
from tasks.rollouts.state import begin
from tasks.rollouts.values import Look, Variant
from tasks.rollouts.variants import choose, without_the_worse
from tasks.verdicts.values import Verdict
from tests.unit.test_rollout import NOW, release, state, version

RACE = {"ab": {"variants": 3, "share": 0.2, "for": "2 days"}}
NUMBERS = ("2", "3", "4")


def declared(*later, **more):
    return Rollout(stages=[RACE, *(later or [{"canary": {"share": 1.0, "for": "1 hour"}}])], **more)


def race(out=()):
    found = [Variant(version=version(n), release=release(n), out="worse" if n in out else "") for n in NUMBERS]
    return state(variants=found, release=release("2"))


def said(number, says, check="errors", estimate=None):
    fields = {"margin": 0.01, "level": 0.01, "points": (500, 500), "estimate": estimate, "variant": f"v{number}"}
    return Verdict(check=check, verdict=says, reason=f"{check} {says}", **fields)


def look(*verdicts):
    return Look(at=NOW, stage=0, requests=500, verdicts=list(verdicts))


def test_what_a_stage_of_several_may_say():
    assert Ab.model_validate({"strategy": "ab", "for": "1 day"}).all_of_them == 0.5
    with pytest.raises(ValueError, match="the champion has none"):
        Rollout(stages=[{"ab": {"variants": 2, "share": 0.5, "for": "1 day"}}])
    with pytest.raises(ValueError, match=r"'stages.1': an 'ab' of several variants must be the first stage"):
        Rollout(stages=[{"shadow": {"for": "1 day"}}, RACE])
    with pytest.raises(ValueError, match=r"'stages.1': the share falls from 0.6 to 0.5"):
        declared({"canary": {"share": 0.5, "for": "1 day"}})
    assert level_of(declared(false_rollbacks=0.04)) == pytest.approx(0.04 / (3 * (3 + 1))), "each is a comparison of its own"


@given(share=st.floats(0.01, 0.24), out=st.sets(st.sampled_from(NUMBERS), max_size=2))
def test_who_leaves_moves_nobody_else_and_who_goes_on_keeps_everybody(share, out):
    rollout = Rollout(stages=[RACE | {"ab": {**RACE["ab"], "share": share}}, {"canary": {"share": 1.0, "for": "1 hour"}}])
    whole, some = traffic_of(rollout, race()), traffic_of(rollout, race(out))
    assert intervals(whole.arms) == intervals(some.arms)
    off = {arm.name for arm in some.arms if not arm.addresses}
    assert off == {f"v{number}" for number in out}, "the champion answers them"
    then = traffic_of(rollout, state(1))
    assert intervals(then.arms) == [(0, bound(1.0), "challenger")]


def test_those_that_are_worse_leave_and_the_others_go_on(home):
    standing = begin(race())
    after, seen = without_the_worse(
        standing,
        look(said("2", "worse"), said("2", "undecided", "loss"), said("3", "equivalent"), said("4", "worse", "loss")),
    )
    assert [each.version.version for each in after.left] == ["3"]
    assert after.challenger.version == "3", "a page never speaks of one that is out"
    assert after.release == release("3")
    assert [each.title for each in seen.verdicts] == ["errors (v3)"]
    assert [n for n in NUMBERS if quarantined("loans", n)] == ["2", "4"]
    same = without_the_worse(after, look(said("3", "worse")))
    assert same == (after, look(said("3", "worse"))), "the last one is taken back as any challenger is"


@pytest.mark.parametrize(
    ("verdicts", "best"),
    [
        ([], "2"),
        (
            [
                said("2", "equivalent", estimate=0.002),
                said("3", "better", estimate=-0.01),
                said("4", "better", estimate=-0.02),
            ],
            "4",
        ),
        # A required check is asked first; one that does not know all of them is not asked.
        (
            [said(n, "better", "errors", estimate=e) for n, e in zip(NUMBERS, (0, -1, 0), strict=True)]
            + [said(n, "better", "loss", estimate=e) for n, e in zip(NUMBERS, (-3, -1, -2), strict=True)],
            "3",
        ),
        ([said("2", "undecided"), said("3", "better", estimate=-1.0)], "2"),
    ],
)
def test_the_best_is_chosen(home, verdicts, best):
    chosen = choose(declared(), begin(race()), look(*verdicts))
    assert (chosen.challenger.version, chosen.release) == (best, release(best))
    assert chosen.left == []
    assert all(f"version {best} was chosen" in each.out for each in chosen.variants)
    assert [arm.name for arm in traffic_of(declared(), chosen.model_copy(update={"stage": 1})).arms] == ["challenger"]


def test_the_guard_drops_the_broken_one_and_takes_back_when_all_are(home, monkeypatch):
    split = []
    monkeypatch.setattr(guard_rails, "split_of", lambda _: traffic_of(declared(), race()))
    monkeypatch.setattr(guard_rails, "split", lambda _, plan: split.append(plan))
    standing, watched = begin(race()), Watched()
    fine, burst = {"v2": 0, "v3": 0, "v4": 0}, {"v2": 0, "v3": 30, "v4": 0}
    counted = iter([fine, burst])

    def count(_, now):
        return {arm: Counts(now, 40 if now else 0, failed, 0, 40, 0, 0) for arm, failed in next(counted).items()}

    monkeypatch.setattr(guard_rails, "count", count)
    assert watched.look(standing, 0) == ""
    assert "error burst" in watched.look(standing, 3)
    (plan,) = split
    assert {arm.name: bool(arm.addresses) for arm in plan.arms} == {"v2": True, "v3": False, "v4": True, "baseline": True}
    assert [n for n in NUMBERS if quarantined("loans", n)] == ["3"]

    from tasks.rollouts.state import last_rollout

    left, watched, counted = last_rollout("loans"), Watched(), iter([{"v2": 0, "v4": 0}, {"v2": 30, "v4": 35}])
    assert left is not None
    watched.look(left, 0)
    assert "error burst" in watched.look(left, 3)
    assert last_rollout("loans").phase == "failed"
    assert all(quarantined("loans", n) for n in NUMBERS)
