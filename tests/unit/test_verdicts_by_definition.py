"""The intervals of verdicts against their papers' definitions, worked out the slow way.

Nothing here shares a formula with `tasks/verdicts`: a mixture is integrated numerically, an interval is found by asking of
each truth whether the capital of who bets against it has reached 1 / level, and counts are bet on one request at a time. The
packages that know such intervals cannot be locked for Python 3.11: `expectation` needs 3.12, and `confseq` comes as C++
source that wants Boost.
"""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import brentq

from tasks.verdicts import means, pairs, ratio


def mixture(total, points, rho):
    """The capital of who bets that the mean of unit normal values is not 0: a normal mixture over the sizes of bets."""

    def wins(bet):
        return np.exp(bet * total - bet**2 * points / 2 - bet**2 / (2 * rho**2)) / (rho * np.sqrt(2 * np.pi))

    middle, wide = total / (points + rho**-2), 12 / np.sqrt(points + rho**-2)  # where the integrand is not nothing
    return quad(wins, middle - wide, middle + wide, epsabs=0, epsrel=1e-10)[0]


@pytest.mark.parametrize("level", [0.05, 0.001])
@pytest.mark.parametrize("points", [60, 5_000, 400_000])
def test_the_asymptotic_sequence_is_where_a_normal_mixture_reaches_its_capital(points, level):
    """Waudby-Smith et al. (2024), theorem 2.2, is Robbins's mixture of normal bets."""
    rho = np.sqrt((-2 * np.log(level) + np.log(-2 * np.log(level) + 1)) / means.TIGHTEST)
    edge = brentq(lambda total: np.log(mixture(total, points, rho) * level), 0, 20 * np.sqrt(points))
    assert means.widening(points, level) == pytest.approx(edge / np.sqrt(points), rel=1e-6)


def test_the_interval_of_a_difference_is_tightest_where_it_was_tuned():
    at = np.arange(200, 100_000, 100)
    assert abs(at[means.widening(at, 0.05).argmin()] - means.TIGHTEST) < means.TIGHTEST / 10


def capital(values, truth, level, side):
    """Log, of who bets that the mean of values in [0, 1] is above (`side` 1) or below it; Waudby-Smith and Ramdas (2024)."""
    log, past, squares = 0.0, [0.5], [0.25]
    for t, value in enumerate(values, start=1):
        guess, variance = np.mean(past), np.mean(squares)
        bet = min(np.sqrt(2 * np.log(2 / level) / (variance * t * np.log(1 + t))), pairs.MOST)
        log += side * bet * (value - truth) - (value - guess) ** 2 * (-np.log(1 - bet) - bet)
        past.append(value)
        squares.append((value - np.mean(past)) ** 2)
    return log


@pytest.mark.parametrize("seed", range(3))
def test_the_sequence_of_pairs_is_where_a_bet_against_the_mean_reaches_its_capital(seed):
    values, level = np.random.default_rng(seed).beta(1 + seed, 4, 150), 0.02
    _, lower, upper = pairs.mean(values, level, low=0.0, high=1.0)
    won = np.log(2 / level)
    assert capital(values, lower, level, 1) == pytest.approx(won) or lower == 0
    assert capital(values, upper, level, -1) == pytest.approx(won) or upper == 1
    assert 0 < upper - lower < 1


def test_the_test_of_shares_is_a_bet_on_one_request_after_another():
    """Lindon and Malek (2022): each request is forecast by what was seen before it, against the declared shares."""
    shares = np.array([0.1, 0.1, 0.8])
    drawn = np.random.default_rng(0).choice(3, p=[0.12, 0.1, 0.78], size=2500)
    seen, won = np.zeros(3), 0.0
    for who in drawn:
        forecast = (ratio.CONCENTRATION * shares + seen) / (ratio.CONCENTRATION + seen.sum())
        won += np.log(forecast[who] / shares[who])
        seen[who] += 1
    assert won > 0, "else both are 1"
    assert ratio.p_value(seen, shares) == pytest.approx(np.exp(-won))


def test_persons_who_come_again_spread_as_leaving_one_out_says():
    """The variance of the delta method against the jackknife, which knows nothing of derivatives."""
    dice = np.random.default_rng(0)
    rates = dice.beta(1, 4, 300)
    keys = np.repeat(np.arange(300), dice.poisson(5, 300) + 1)
    values = (dice.random(len(keys)) < rates[keys]).astype(float)
    sums, counts = np.bincount(keys, values), np.bincount(keys)
    without = (values.sum() - sums) / (len(values) - counts)
    jackknife = (len(without) - 1) * without.var()
    points = means.clusters(values, keys)
    assert points.var(ddof=1) / len(points) == pytest.approx(jackknife, rel=0.02)
    assert points.var(ddof=1) / len(points) > 1.5 * values.var() / len(values), "requests would have been too sure"
