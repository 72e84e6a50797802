"""Intervals that hold at all times: known answers, edges, and how often they miss when they are looked at often."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.verdicts import means, pairs, ratio
from tasks.verdicts.judge import LEAST, judged

LOOKS = np.linspace(60, 3000, 30).astype(int)


def said(found, margin=0.0, points=(1000, 1000)):
    return judged("a check", margin, 0.05, points, found).verdict


@pytest.mark.parametrize("rate", [0.001, 0.01, 0.3])
def test_equal_groups_are_told_apart_at_no_more_looks_than_stated(rate):
    missed = 0
    for seed in range(300):
        one, other = (np.random.default_rng(seed).random((2, 3000)) < rate).astype(float)
        found = [said(means.difference(one[:n], other[:n], 0.05, bounded=True)) for n in LOOKS]
        missed += bool({"better", "worse"} & set(found))
    assert missed <= 300 * 0.05


def test_equal_pairs_are_told_apart_at_no_more_looks_than_stated():
    dice = np.random.default_rng(0)
    rare = np.where(dice.random((300, 3000)) < 0.01, 0.5, -0.005 / 0.99)  # small losses that rare gains outweigh
    centre, half = pairs.sequence((rare + 1) / 2, 0.05)
    missed = (np.abs(centre - 0.5) > half).any(axis=1).sum()
    assert missed <= 300 * 0.05


def test_the_interval_is_that_of_the_paper():
    """Theorem 2.2 of Waudby-Smith et al., written out once more for one mean of n points with standard deviation 1."""
    n, level, tightest = 700, 0.05, means.TIGHTEST
    rho = np.sqrt((-2 * np.log(level) + np.log(-2 * np.log(level) + 1)) / tightest)
    radius = np.sqrt(2 * (n * rho**2 + 1) / (n**2 * rho**2) * np.log(np.sqrt(n * rho**2 + 1) / level))
    assert means.widening(n, level) / np.sqrt(n) == pytest.approx(radius)


def test_empirical_bernstein_is_that_of_the_paper():
    """Theorem 2 of Waudby-Smith and Ramdas, step by step."""
    values, level = np.random.default_rng(1).beta(2, 5, 200), 0.05
    mean, variance, bets, costs, weighted = 0.5, 0.25, 0.0, 0.0, 0.0
    seen, squares = 0.5, 0.25
    for t, x in enumerate(values, start=1):
        bet = min(np.sqrt(2 * np.log(2 / level) / (variance * t * np.log(1 + t))), pairs.MOST)
        bets, weighted = bets + bet, weighted + bet * x
        costs += 4 * (x - mean) ** 2 * (-np.log(1 - bet) - bet) / 4
        seen += x
        mean = seen / (t + 1)
        squares += (x - mean) ** 2
        variance = squares / (t + 1)
    centre, half = pairs.sequence(values[None], level)
    assert centre[0, -1] == pytest.approx(weighted / bets)
    assert half[0, -1] == pytest.approx((np.log(2 / level) + costs) / bets)


def test_edges_have_their_answer():
    zeros, ones = np.zeros(1000), np.ones(1000)
    assert said(means.difference(zeros, zeros, 0.05, bounded=True), margin=0.05) == "equivalent"
    assert said(means.difference(zeros, zeros, 0.05, bounded=True), margin=0.0001) == "undecided"
    rising = np.r_[np.zeros(960), np.ones(40)]
    assert said(means.difference(rising, zeros, 0.05, bounded=True)) == "worse"
    assert said(means.difference(ones, zeros, 0.05, bounded=True), points=(LEAST - 1, 1000)) == "undecided"
    assert means.difference(ones[:1], zeros, 0.05) is None
    assert pairs.mean(zeros[:0], 0.05) is None
    assert said(pairs.mean(zeros[:LEAST], 0.05), margin=0.02) == "undecided", "thirty equal pairs prove little"


@given(n=st.integers(2, 400), keys=st.integers(1, 50), seed=st.integers(0, 99))
def test_points_of_clusters_keep_the_mean(n, keys, seed):
    dice = np.random.default_rng(seed)
    values, key = dice.random(n), dice.integers(keys, size=n)
    points = means.clusters(values, key)
    assert len(points) == len(set(key))
    assert points.mean() == pytest.approx(values.mean())


def test_shares_that_are_as_declared_alarm_nobody_and_others_say_what_is_wrong():
    declared = {"challenger": 0.1, "baseline": 0.1, "champion": 0.8}
    alarms = 0
    for seed in range(500):
        drawn = np.random.default_rng(seed).choice(3, p=list(declared.values()), size=5000)
        for n in range(100, 5001, 100):
            if ratio.mismatch(dict(zip(declared, np.bincount(drawn[:n], minlength=3).tolist(), strict=True)), declared):
                alarms += 1
                break
    assert alarms <= 2
    told = ratio.mismatch({"challenger": 300, "baseline": 500, "champion": 4200}, declared)
    assert told.startswith("challenger has 300 of 5,000 (6.0%) where 0.1 of them were declared")
