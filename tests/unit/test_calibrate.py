"""Calibrated probabilities: closer to what happens, exactly the same in the graph, and shown before and after."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from configs.errors import InputError
from configs.load import parse_use_case
from serving.scoring.onnx import Scorer
from tasks.data.frames import contract_of, encode, model_input
from tasks.packaging.bundle import bundle
from tasks.packaging.convert import convert
from tasks.registry.lineage import lineage
from tasks.training.calibrate import Isotonic, isotonic, scores_of, sigmoid
from tasks.training.evaluate import evaluate
from tasks.training.fitted import load
from tasks.training.reliability import reliability
from tests.conftest import SMALL, chain, small_frame, small_use_case
from tests.unit.test_problems import frame_of

TREES = "model: {calibration: %s, parameters: {max_iter: 60, min_samples_leaf: 5, learning_rate: 0.3}}"
LINE = "model: {calibration: %s, estimator: logistic_regression}"
SEVERAL = {
    '{column: y, positive: "yes"}': "{column: y, problem: multiclass}",
    "metric: roc_auc, at_least: 0.6": "metric: accuracy, at_least: 0.5",
}


@pytest.mark.parametrize(
    ("model", "replaced"),
    [
        (TREES % "sigmoid", {}),
        (TREES % "isotonic", {}),
        (LINE % "isotonic", {}),
        (TREES % "sigmoid", SEVERAL),
        (LINE % "sigmoid", SEVERAL),
    ],
)
def test_the_graph_says_what_was_fitted_and_probabilities_are_nearer_to_what_happens(home, quiet, tmp_path, model, replaced):
    frame = frame_of("multiclass") if replaced else small_frame(1500)
    frame.loc[::7, "b"] = np.nan
    case = small_use_case(tmp_path, frame, **replaced, **{"monitoring: {": f"{model}\nmonitoring: {{"})
    snapshot, contract, parts, fitted = chain(case)
    evaluation = evaluate.fn(case, parts, contract, fitted)
    found = evaluation.calibration
    if model.startswith("model: {calibration: sigmoid, parameters") and not replaced:  # trees that are far too sure
        assert found.after.brier < found.before.brier
        assert found.after.error < found.before.error / 2
    onnx = convert.fn(parts, contract, case.features, fitted)  # raises where a row of the holdout, or one made, differs
    assert onnx.max_difference < 5e-6
    columns, encoded = contract_of(contract), encode(contract_of(contract), frame)[case.features.all]
    served = Scorer(onnx.path, columns).outputs(model_input(encoded))
    assert np.abs(served.sum(axis=1) - 1).max() < 1e-6
    built = bundle.fn(case, snapshot, contract, onnx, evaluation, lineage(case, parts, None, contract, onnx))
    assert f"| Brier score | {found.before.brier:.4f} | {found.after.brier:.4f} |" in (built.path / "card.md").read_text()
    (plot,) = (home / "reports" / "small" / "training").glob("reliability-*.png")
    assert plot.read_bytes().startswith(b"\x89PNG")


def test_the_curve_is_fitted_on_rows_that_no_model_knew(home, quiet, tmp_path):
    """Trees that know every row by heart would be calibrated perfectly on those rows, and not at all."""
    text = "model: {calibration: sigmoid, parameters: {max_iter: 300, min_samples_leaf: 2, learning_rate: 0.5}}"
    case = small_use_case(tmp_path, small_frame(1000), **{"monitoring: {": f"{text}\nmonitoring: {{"})
    _, contract, _, fitted = chain(case)
    model = load(fitted)
    frame = encode(contract_of(contract), small_frame(1000))[case.features.all]
    assert np.abs(scores_of(model.model, frame, 2)).mean() > 5
    assert model.curve.slope[0] < 0.5


@given(st.integers(0, 10_000), st.floats(0.1, 30))
def test_an_isotonic_curve_never_falls_and_is_never_steeper_than_32_bits_can_follow(seed, spread):
    generator = np.random.default_rng(seed)
    scores = generator.normal(0, spread, (300, 1))
    target = (scores[:, 0] > 0).astype(int) if seed % 2 else generator.integers(0, 2, 300)
    if target.min() == target.max():
        return
    curve = isotonic(scores, target, np.ones(300))
    slopes = np.diff(curve.values) / np.diff(curve.knots)
    assert (slopes >= -1e-12).all()
    assert (slopes <= max(1, 10 / np.abs(scores).max()) + 1e-9).all()
    assert 0 < curve.values.min() <= curve.values.max() < 1


def test_a_few_wild_scores_do_not_flatten_the_curve_of_all():
    generator = np.random.default_rng(0)
    scores = generator.normal(0, 3, (4000, 1))
    target = (generator.random(4000) < 1 / (1 + np.exp(-scores[:, 0]))).astype(int)
    scores[:5] *= 200
    at = np.linspace(-4, 4, 9)[:, None]
    assert np.abs(isotonic(scores, target, np.ones(4000)).of(at) - 1 / (1 + np.exp(-at))).max() < 0.1


def test_a_curve_of_one_level_is_one():
    curve = isotonic(np.linspace(3, -3, 200)[:, None], np.arange(200) // 100, np.ones(200))
    assert isinstance(curve, Isotonic)
    assert np.allclose(curve.of(np.array([[-5.0], [0.0], [5.0]])), 0.5)


def test_rows_count_by_their_weight():
    scores, target = np.repeat([[-1.0], [1.0]], 200, axis=0), np.tile([0, 1], 200)
    even, heavy = (sigmoid(scores, target, weights) for weights in (np.ones(400), np.where(target == 1, 3.0, 1.0)))
    at = np.array([[0.0]])
    assert even.of(at)[0, 0] == pytest.approx(0.5, abs=0.01)
    assert heavy.of(at)[0, 0] == pytest.approx(0.75, abs=0.01)


def test_the_error_of_calibration_equals_what_it_is_by_hand():
    target, judged = np.array([0, 1, 1, 1]), np.array([0.15, 0.15, 0.95, 0.85])
    found = reliability(target, judged)
    assert found.error == pytest.approx((2 * 0.35 + 0.05 + 0.15) / 4)
    assert found.brier == pytest.approx(((judged - target) ** 2).mean())
    several = reliability(np.array([0, 2]), np.array([[0.6, 0.3, 0.1], [0.2, 0.5, 0.3]]))
    assert several.brier == pytest.approx((0.16 + 0.09 + 0.01 + 0.04 + 0.25 + 0.49) / 2)


@pytest.mark.parametrize(
    ("replaced", "told"),
    [
        ({"": "model: {calibration: isotonc}\n"}, "'model.calibration'"),
        ({"": "model: {calibration: isotonic}\n", **SEVERAL}, "problem 'multiclass' has sigmoid"),
        ({"": "model: {calibration: sigmoid, pipeline: 'm:build'}\n"}, "CalibratedClassifierCV"),
    ],
)
def test_what_does_not_fit_is_told(replaced, told):
    text = SMALL.format(path="rows.csv") + replaced.pop("")
    for old, new in replaced.items():
        text = text.replace(old, new)
    with pytest.raises(InputError, match=told):
        parse_use_case(text, "small.yaml")
