"""Performance without labels: the same as with them where chances are 0 and 1, and right under covariate shift."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tasks.monitoring.estimate import Estimator
from tasks.monitoring.labels import label_weights
from tasks.monitoring.measured import bound
from tasks.problems.binary import Binary
from tasks.problems.metrics import BINARY, MULTICLASS, REGRESSION
from tasks.problems.multiclass import Multiclass
from tasks.problems.regression import Regression

METRICS = list(BINARY)


@pytest.mark.parametrize("metric", METRICS)
@given(st.lists(st.tuples(st.booleans(), st.integers(1, 99)), min_size=2, max_size=60))
def test_with_certain_labels_it_is_the_plain_metric(metric, rows):
    target, probability = (np.array(part) for part in zip(*rows, strict=True))
    target, probability = target.astype(int), probability / 100
    assume(0 < target.sum() < len(target))
    value, certain = BINARY[metric].value, target.astype(float)
    found = value(certain, probability, np.ones(len(target)))
    assert found == pytest.approx(value(target, probability), nan_ok=True)
    doubled = value(certain, probability, np.full(len(target), 2.0))
    assert doubled == pytest.approx(value(target, probability), nan_ok=True)


@pytest.mark.parametrize("metric", METRICS)
def test_a_resample_scores_to_the_bit_what_its_rows_score_alone(metric):
    """With many rows, since sums of few round alike in any order; with ties, weights and scores that are not drawn."""
    generator = np.random.default_rng(3)
    chance, weight = generator.random(5000), generator.integers(1, 4, 5000) / 3
    probability = generator.integers(0, 700, 5000).astype(np.float32) / 701
    resampled = BINARY[metric].resampled(chance, probability, weight)
    for rows in (np.arange(5000), generator.integers(0, 5000, 9000), generator.integers(0, 40, 300)):
        assert resampled(rows) == BINARY[metric].value(chance[rows], probability[rows], weight[rows])
    if metric in {"roc_auc", "average_precision"}:
        assert np.isnan(BINARY[metric].resampled(np.array([1.0, 0.0]), np.array([0.1, 0.2]))(np.array([0, 0])))


def scored(generator, rows, spread, tilt=1.0):
    """Labels, and scores that are wrong by a bent scale which the calibrator has to find."""
    chance = 1 / (1 + np.exp(-generator.normal(0, spread, rows)))
    return (generator.random(rows) < chance).astype(int), chance**tilt


@pytest.mark.parametrize("metric", ["roc_auc", "brier"])
@pytest.mark.parametrize("spread", [0.5, 1.0, 2.0])
def test_the_interval_holds_what_the_labels_say(metric, spread):
    generator, inside = np.random.default_rng(1), 0
    target, probability = scored(generator, 6000, 1.0, tilt=2.0)
    chances = Binary().chances(target, probability)
    estimator = Estimator(Binary(), BINARY[metric], chances, (target, probability), np.arange(6000), draws=1000, level=0.95)
    for _ in range(40):
        target, probability = scored(generator, 1000, spread, tilt=2.0)
        estimate = estimator.estimate(probability)
        inside += estimate.lower <= BINARY[metric].value(target, probability) <= estimate.upper
    assert inside >= 34, f"{inside} of 40"


def test_a_floor_is_lower_the_fewer_days_it_rests_on():
    values = np.random.default_rng(2).normal(0.7, 0.02, 400)
    assert bound("roc_auc", values, 0.01, 10) < bound("roc_auc", values, 0.01, 1000) < 0.67
    assert bound("brier", values, 0.01, 10) > bound("brier", values, 0.01, 1000) > 0.73


def test_labels_that_came_for_high_scores_only_are_corrected_for():
    generator = np.random.default_rng(3)
    target, probability = scored(generator, 20000, 1.5)
    labelled = generator.random(20000) < np.where(probability > 0.5, 0.9, 0.1)
    weight = label_weights(probability, labelled)[labelled]
    brier = BINARY["brier"].value
    truth = brier(target, probability)
    plain = brier(target[labelled].astype(float), probability[labelled])
    weighted = brier(target[labelled].astype(float), probability[labelled], weight)
    assert abs(weighted - truth) < abs(plain - truth) / 2 or abs(plain - truth) < 0.002


def of_classes(generator, rows, spread, tilt=1.0):
    """Four classes of unequal share, and probabilities that are too sure by `tilt`."""
    logits = generator.normal(0, spread, (rows, 4)) + np.array([1.0, 0.0, 0.0, -1.0])
    chance = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    target = (chance.cumsum(axis=1) < generator.random((rows, 1))).sum(axis=1)
    wrong = chance**tilt
    return target, wrong / wrong.sum(axis=1, keepdims=True)


def of_numbers(generator, rows, spread, tilt=1.0):
    """Numbers whose errors grow with a power of the interval, which is as wide as `spread` says."""
    number, width = generator.normal(100, 20, rows), np.exp(generator.normal(spread, 0.5, rows))
    target = number + generator.standard_t(6, rows) * width ** min(tilt, 1.0)
    return target, np.column_stack([number, number - 2 * width, number + 2 * width])


@pytest.mark.parametrize(
    ("problem", "metric", "make"),
    [(Multiclass(), name, of_classes) for name in MULTICLASS] + [(Regression(), name, of_numbers) for name in REGRESSION],
)
@pytest.mark.parametrize(("spread", "tilt"), [(0.5, 2.0), (1.0, 0.6), (1.5, 1.0)])
def test_the_interval_of_classes_and_numbers_holds_what_the_labels_say(problem, metric, make, spread, tilt):
    """Of 40 windows, ten a holdout: what a holdout got wrong, all its windows have wrong."""
    generator, inside, metric = np.random.default_rng(1), 0, problem.metrics[metric]
    for _ in range(4):
        holdout = make(generator, 4000, 1.0, tilt)
        chances = problem.chances(*holdout)
        estimator = Estimator(problem, metric, chances, holdout, np.arange(4000), draws=1000, level=0.95)
        for _ in range(10):
            target, output = make(generator, 1000, spread, tilt)
            estimate = estimator.estimate(output)
            inside += estimate.lower <= metric.value(target, output) <= estimate.upper
    assert inside >= 34, f"{inside} of 40"


@pytest.mark.parametrize("metric", MULTICLASS.values(), ids=lambda metric: metric.name)
def test_of_certain_classes_it_is_the_plain_metric(metric):
    target, output = of_classes(np.random.default_rng(2), 300, 1.0)
    assert metric.value(np.eye(4)[target], output, np.ones(300)) == pytest.approx(metric.value(target, output))


@pytest.mark.parametrize("metric", REGRESSION.values(), ids=lambda metric: metric.name)
def test_of_certain_numbers_it_is_the_plain_metric(metric):
    target, output = of_numbers(np.random.default_rng(2), 301, 1.0)
    weight = np.random.default_rng(3).integers(1, 4, 301)
    found = metric.value(np.repeat(target[:, None], 7, axis=1), output, weight)
    assert found == pytest.approx(metric.value(target, output, weight))


def test_a_number_without_an_interval_has_no_estimate():
    assert Regression().chances(np.arange(9.0), np.arange(9.0)) is None


@pytest.mark.parametrize("metric", ["balanced_accuracy", "f1_macro", "roc_auc_ovr"])
def test_classes_of_which_no_row_is_expected_do_not_count(metric):
    """As with labels: of fifty classes a window of forty rows has a few, and the others say nothing."""
    generator = np.random.default_rng(0)
    own = generator.integers(0, 4, 40)
    chance = np.full((40, 50), 1e-4)
    chance[np.arange(40), own] = 1 - 49e-4
    value = MULTICLASS[metric].value
    assert value(chance, chance, np.ones(40)) == pytest.approx(value(own, chance), abs=0.02)
