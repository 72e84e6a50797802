"""What each check says of a stage's records, made by hand."""

from datetime import datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from configs.errors import InputError
from configs.rollout import Check, Rollout
from configs.schema import Target
from serving.contract.contract import Column, Contract
from tasks.problems.problem import problem_of
from tasks.rollouts.checks.choose import checked
from tasks.rollouts.declared import level_of
from tasks.rollouts.evidence import Evidence

SHOPS = ("north", "south", "west")
COLUMNS = (Column("a", "numeric"), Column("shop", "categorical", categories=SHOPS), Column("free", "categorical"))
CONTRACT = Contract("demo", COLUMNS, "y", (0, 1))
SPLIT = {"challenger": 0.3, "baseline": 0.3, "champion": 0.4}
ROWS = 2000


def rows(seed=0, positives=0.3, errors=0.0, slower=1.0, kpi=10.0, keys=None, labelled=True):
    """Answers of a model that knows the truth nearly; with `positives` it says so much oftener than is right."""
    dice = np.random.default_rng(seed)
    target = (dice.random(ROWS) < 0.3).astype(float)
    probability = np.clip(np.abs(target - 0.2) + dice.normal(0, 0.05, ROWS) + positives - 0.3, 0, 1)
    return pd.DataFrame(
        {
            "prediction_id": [f"p{i}" for i in range(ROWS)],
            "key": [f"k{i % keys}" for i in range(ROWS)] if keys else [f"p{i}" for i in range(ROWS)],
            "fallback": np.where(dice.random(ROWS) < errors, "late", ""),
            "latency_us": dice.lognormal(8, 0.5, ROWS) * slower,
            "output": list(np.stack([1 - probability, probability], axis=1)),
            "target": target if labelled else np.full(ROWS, np.nan),
            "told": [datetime(2026, 1, 1) + timedelta(seconds=i) for i in range(ROWS)],
            "kpi.revenue": dice.lognormal(0, 1, ROWS) * kpi,
            "feature.shop": [(*SHOPS, "new")[i % 4] for i in range(ROWS)],
        }
    )


def said(
    measure, challenger, reference, paired=False, shares=SPLIT, margin=0.02, keyed=False, past=None, before=None, **more
):
    problem = problem_of(Target(column="y", positive=1))
    evidence = Evidence(paired, challenger, reference, problem, CONTRACT, {}, shares, keyed, past, before)
    return checked(evidence, Check(measure=measure, margin=margin, **more), 0.01)


USUAL = rows(1)
REVENUE = {"kpi": "revenue", "better": "higher", "margin": 0.5}
CASES = {
    "as good": [("errors", {}, "equivalent", {}), ("latency", {}, "undecided", {}), ("loss", {}, "equivalent", {})],
    "fails": [("errors", {"errors": 0.08}, "worse", {})],
    "slow": [("latency", {"slower": 2.0}, "worse", {"margin": 0.1})],
    "wrong": [("loss", {"positives": 0.6}, "worse", {})],
    "earns less": [("kpi", {"kpi": 5.0}, "worse", REVENUE)],
    "earns more": [("kpi", {"kpi": 20.0}, "better", REVENUE)],
    "no labels": [("loss", {"labelled": False}, "undecided", {})],
    "few persons": [("errors", {"errors": 0.08, "keys": 20}, "undecided", {"keyed": True})],
    "few persons, no errors": [("errors", {"keys": 40}, "undecided", {"keyed": True})],
    "many persons": [("errors", {"errors": 0.12, "keys": 500}, "worse", {"keyed": True})],
}


@pytest.mark.parametrize("case", CASES)
def test_groups_are_compared(case):
    for measure, challenger, says, more in CASES[case]:
        found = said(measure, rows(**challenger), USUAL, **more)
        assert found.verdict == says, found


def test_pairs_are_compared_on_the_same_requests():
    same = rows(1)
    worse = rows(1, positives=0.6)
    assert said("loss", worse, same, paired=True).verdict == "worse"
    assert said("loss", same, same, paired=True, margin=0.05).verdict == "equivalent"
    assert said("changed", same, same, paired=True, margin=0.02).verdict == "equivalent"
    assert said("changed", worse, same, paired=True, margin=0.02).verdict == "worse"
    assert said("errors", worse, same, paired=True) is None, "a shadow that fails leaves no pair"
    assert said("changed", worse, same) is None, "of different requests nobody knows what the other would have said"


def test_who_gets_everything_is_compared_with_nobody():
    everything, nobody = {"challenger": 1.0}, USUAL.iloc[:0]
    assert said("errors", rows(), nobody, shares=everything).verdict == "equivalent"
    assert said("errors", rows(errors=0.2), nobody, shares=everything).verdict == "worse"
    for measure, more in (("latency", {}), ("loss", {}), ("kpi", REVENUE)):
        assert said(measure, rows(), nobody, shares=everything, **more) is None


def test_what_the_past_of_persons_explains_need_not_be_waited_out():
    usual = np.random.default_rng(5).lognormal(2, 1.5, 1000)
    theirs, ours = (rows(seed, kpi=1.0, keys=500) for seed in (0, 1))
    ours["key"] = "o" + ours["key"]
    persons = [*(f"k{i}" for i in range(500)), *(f"ok{i}" for i in range(500))]
    spends = dict(zip(persons, usual, strict=True))
    for side, share in ((theirs, 0.8), (ours, 1.0)):
        side["kpi.revenue"] = side["key"].map(spends) * share
    past = pd.DataFrame({"kpi.revenue": usual * 4, "count.revenue": 4}, index=persons).drop(index=persons[::50])
    assert said("kpi", theirs, ours, keyed=True, **REVENUE).verdict == "undecided"
    assert said("kpi", theirs, ours, keyed=True, past=past, **REVENUE).verdict == "worse"
    equal = theirs.assign(**{"kpi.revenue": theirs["kpi.revenue"] / 0.8})
    assert said("kpi", equal, ours, keyed=True, past=past, **REVENUE).verdict != "worse"
    assert said("kpi", theirs, ours, keyed=True, past=past.iloc[:0], **REVENUE).verdict == "undecided", "nobody has a past"


def test_chosen_groups_are_compared_by_how_their_difference_changed():
    """A pilot that always earned half as much, and whose rows are harder, is no proof against the challenger."""
    poor, usual, hard, easy = rows(2, kpi=5.0), rows(3, kpi=10.0), rows(4, positives=0.6), rows(5)
    for measure, before, more in (("kpi", (poor, usual), REVENUE), ("loss", (hard, easy), {})):
        same = {"kpi": (rows(6, kpi=5.0), rows(7, kpi=10.0)), "loss": (rows(6, positives=0.6), rows(7))}[measure]
        worse = {"kpi": (rows(6, kpi=1.0), rows(7, kpi=10.0)), "loss": (rows(6, positives=0.9), rows(7))}[measure]
        assert said(measure, *same, shares={}, **more).verdict == "worse", "as if they had been drawn"
        assert said(measure, *same, shares={}, before=before, **more).verdict != "worse"
        found = said(measure, *worse, shares={}, before=before, **more)
        assert found.verdict == "worse", found
        assert "the groups were chosen" in found.reason
        assert said(measure, *worse, shares={}, before=(usual.iloc[:0], usual), **more).verdict == "undecided"


def test_worse_in_one_slice_is_worse_and_the_slice_is_named():
    ours, dice = rows(1), np.random.default_rng(0)
    flipped = (ours["feature.shop"] == "south") & (dice.random(ROWS) < 0.5)
    theirs = ours.assign(output=[each[::-1] if wrong else each for each, wrong in zip(ours["output"], flipped, strict=True)])
    for measure, margin in (("changed", 0.15), ("loss", 0.07)):
        assert said(measure, theirs, ours, paired=True, margin=margin).verdict != "worse", "on the whole it is no matter"
        found = said(measure, theirs, ours, paired=True, margin=margin, by="shop")
        assert found.verdict == "worse", found
        assert found.reason.startswith(f"shop south: {measure} by shop: ")
        assert "north" not in found.reason
        assert found.level == pytest.approx(0.01 / 3), "what the model has not learned is no slice"
        assert said(measure, ours, ours, paired=True, margin=0.2, by="shop").verdict == "equivalent"
    assert said("changed", theirs, ours, by="shop") is None
    assert said("loss", theirs.iloc[:100], ours.iloc[:100], by="shop").verdict == "undecided"
    with pytest.raises(InputError, match="'loss by free': 'free' has 0 values that the model has learned"):
        said("loss", theirs, ours, by="free")


def test_the_way_to_another_server_is_no_fault_of_a_challenger():
    assert said("latency", rows(slower=1.3), USUAL, shares={"challenger": 0.5, "champion": 0.5}) is None


def test_the_budget_is_shared_out():
    stages = [{"shadow": {"for": "1 day"}}, "approval", {"canary": {"share": 0.1, "for": "1 day"}}]
    assert level_of(Rollout(stages=stages, false_rollbacks=0.06)) == pytest.approx(0.06 / (3 * 2))
