"""What each check says of a stage's records, made by hand."""

from datetime import datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from configs.rollout import Check, Rollout
from configs.schema import Target
from serving.contract.contract import Column, Contract
from tasks.problems.problem import problem_of
from tasks.rollouts.checks.choose import CHECKS
from tasks.rollouts.evidence import Evidence
from tasks.rollouts.look import level_of

CONTRACT = Contract("demo", (Column("a", "numeric"),), "y", (0, 1))
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
        }
    )


def said(measure, challenger, reference, paired=False, shares=SPLIT, margin=0.02, keyed=False, **more):
    problem = problem_of(Target(column="y", positive=1))
    evidence = Evidence(paired, challenger, reference, problem, CONTRACT, {}, shares, keyed)
    return CHECKS[measure](evidence, Check(measure=measure, margin=margin, **more), 0.01)


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


def test_the_way_to_another_server_is_no_fault_of_a_challenger():
    assert said("latency", rows(slower=1.3), USUAL, shares={"challenger": 0.5, "champion": 0.5}) is None


def test_the_budget_is_shared_out():
    stages = [{"shadow": {"for": "1 day"}}, "approval", {"canary": {"share": 0.1, "for": "1 day"}}]
    assert level_of(Rollout(stages=stages, false_rollbacks=0.06)) == pytest.approx(0.06 / (3 * 2))
