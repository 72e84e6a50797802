"""A floor that rises with what a model has shown: kept as often as stated, and it sees a fall that the holdout hides."""

import numpy as np

from tasks.monitoring.floor import raised
from tasks.monitoring.measured import Labelled, measure
from tasks.problems.metrics import BINARY


def window(generator, days, noise):
    """Days with a weather of their own, and a model whose scores are as good as `noise` is small."""
    weather = np.repeat(generator.normal(0, 0.5, days), 40)
    truth = weather + generator.normal(size=40 * days)
    target = (truth + generator.normal(0, 0.5, len(truth)) > 0).astype(float)
    probability = 1 / (1 + np.exp(-(truth + generator.normal(0, noise, len(truth)))))
    blocks = np.repeat(np.arange(days), 40)
    return measure(BINARY["brier"], Labelled(target, probability, np.ones(len(target)), blocks))


def test_windows_without_change_fall_under_a_raised_floor_no_more_often_than_stated():
    generator, rate = np.random.default_rng(0), 0.05
    fell = []
    for _ in range(20):
        seen = [window(generator, 14, 0.5) for _ in range(6)]
        fell += [seen[k][0] > raised("brier", seen[k], seen[:k], 14, rate)[0] for k in range(1, 6)]
    assert np.mean(fell) <= 2 * rate, f"{sum(fell)} of {len(fell)} windows fell"


def test_a_model_that_falls_back_to_its_worst_month_is_under_its_floor():
    generator = np.random.default_rng(1)
    seen = [window(generator, 30, 0.3) for _ in range(3)]
    worse = window(generator, 30, 3.0)
    floor, expected = raised("brier", worse, seen, 30, 0.001)
    assert worse[0] > floor > expected


def test_windows_of_a_day_have_no_interval_so_the_spread_between_them_counts():
    generator = np.random.default_rng(2)
    seen = [window(generator, 1, 0.5) for _ in range(9)]
    assert seen[0][1] == seen[0][2], "one day resampled is that day"
    assert np.isnan(raised("brier", seen[3], seen[:3], 1, 0.01)[0])
    floor, expected = raised("brier", seen[8], seen[:8], 1, 0.01)
    assert floor > max(value for value, _, _ in seen)
    assert min(seen)[0] < expected < max(seen)[0]
