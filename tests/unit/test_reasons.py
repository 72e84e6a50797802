"""Reasons: the same values as shap's, which add up to what the model answers, from a file that holds no row of data."""

import math

import numpy as np
import pandas as pd
import pytest

from configs.schema import Model
from serving.reasons.reasons import Reasons, read, written
from serving.reasons.shapley import shapley
from serving.reasons.trees import Trees
from tasks.data.derive_contract import derive_contract
from tasks.data.frames import contract_of, encode, model_input, read_rows
from tasks.packaging.explain import ReasonsError, additive, check_sums, explain, plain
from tasks.training.fitted import load
from tests.conftest import chain, small_frame, small_use_case
from tests.unit.test_problems import ASKED, GATE, frame_of

TREES = {
    "hist_gradient_boosting": {"max_iter": 20},
    "random_forest": {"n_estimators": 8, "min_samples_leaf": 5},
    "lightgbm": {"n_estimators": 20},
    "xgboost": {"n_estimators": 20},
}
FEATURES = (
    "{numeric: [a, b], categorical: [c], boolean: [d], datetime: [at], rules: {a: {nullable: true}, c: {nullable: true}}}"
)
LINEAR = {"binary": "logistic_regression", "multiclass": "logistic_regression", "regression": "ridge"}


def gappy(problem, rows=500, seed=0):
    """The small frame with gaps, a boolean and a moment, for a problem."""
    generator = np.random.default_rng(seed + 7)
    frame = small_frame(rows, seed) if problem == "binary" else frame_of(problem, rows, seed)
    days = generator.integers(0, 400, rows).astype("timedelta64[D]") + generator.integers(0, 24, rows).astype(
        "timedelta64[h]"
    )
    frame = frame.assign(d=generator.random(rows) < 0.3, at=np.datetime64("2026-01-01", "s") + days)
    frame.loc[generator.random(rows) < 0.1, "a"] = np.nan
    frame.loc[generator.random(rows) < 0.1, "c"] = None
    return frame


def explained(folder, problem, model, features=FEATURES, frame=None):
    """A fitted pipeline, what explains it after a journey through the file, and rows to explain, encoded."""
    target, gate = ASKED.get(problem, ('{column: y, positive: "yes"}', GATE))
    asked = {'{column: y, positive: "yes"}': target, GATE: gate, "{numeric: [a, b], categorical: [c]}": features}
    case = small_use_case(folder, gappy(problem) if frame is None else frame, **asked).model_copy(update={"model": model})
    _, contract, parts, fitted = chain(case)
    pipeline, columns = plain(load(fitted)), contract_of(contract)
    found = written(additive(pipeline, case.recipe, parts, columns))
    rows = encode(columns, read_rows(parts.snapshot, parts.cut, parts.snapshot.rows))[case.features.all]
    return pipeline, Reasons(read(found), columns), rows, case, parts


def every_output(reasons, rows):
    """Base (k,) and contributions (rows, columns, k)."""
    each = [
        reasons.explain(model_input(rows), np.eye(reasons.outputs)[[place] * len(rows)]) for place in range(reasons.outputs)
    ]
    return np.array([one.base[0] for one in each]), np.stack([one.contributions for one in each], axis=2)


def by_column(reasons, values, outputs):
    """Shap's values of encoded numbers (rows, width[, k]) summed to columns, shape (rows, columns, k)."""
    values = np.stack(values, axis=2) if isinstance(values, list) else np.asarray(values)
    values = values.reshape(*values.shape[:2], -1)[:, :, -outputs:]
    owners = reasons._encoding.owners
    return np.stack([values[:, owners == column].sum(axis=1) for column in range(len(reasons.columns))], axis=1)


@pytest.mark.parametrize("problem", ["binary", "multiclass", "regression"])
@pytest.mark.parametrize("estimator", TREES)
def test_trees_have_the_values_of_shap(home, quiet, tmp_path, monkeypatch, estimator, problem):
    import shap

    pipeline, reasons, rows, _, _ = explained(tmp_path, problem, Model(estimator=estimator, parameters=TREES[estimator]))
    explainer = shap.TreeExplainer(pipeline[-1], feature_perturbation="tree_path_dependent")
    expected = by_column(
        reasons, explainer.shap_values(pipeline[:-1].transform(rows), check_additivity=False), reasons.outputs
    )
    base, found = every_output(reasons, rows)
    assert np.abs(expected).max() > 0.01
    np.testing.assert_allclose(found, expected, atol=1e-5)
    np.testing.assert_allclose(base, np.ravel(explainer.expected_value)[-reasons.outputs :], atol=1e-5)


@pytest.mark.parametrize("problem", LINEAR)
def test_linear_models_have_the_values_of_shap(home, quiet, tmp_path, problem):
    import shap

    pipeline, reasons, rows, case, parts = explained(tmp_path, problem, Model(estimator=LINEAR[problem]))
    learned = read_rows(parts.snapshot, 0, parts.final)
    numbers = pipeline[:-1].transform(
        encode(contract_of(derive_contract.fn(case, parts.snapshot)), learned)[case.features.all]
    )
    masker = shap.maskers.Independent(numbers, max_samples=len(numbers))
    explainer = shap.LinearExplainer(pipeline[-1], masker)
    expected = by_column(reasons, explainer.shap_values(pipeline[:-1].transform(rows)), reasons.outputs)
    base, found = every_output(reasons, rows)
    assert np.abs(expected).max() > 0.01
    np.testing.assert_allclose(found, expected, atol=1e-5)
    np.testing.assert_allclose(base, np.ravel(explainer.expected_value), atol=1e-5)


def test_reasons_add_up_on_any_row(home, quiet, tmp_path):
    """Also where a number is missing that never was, and for a category that nobody has seen."""
    for estimator in (*TREES, "logistic_regression"):
        model = Model(estimator=estimator, parameters=TREES.get(estimator, {}))
        pipeline, reasons, rows, case, parts = explained(tmp_path, "binary", model)
        generator = np.random.default_rng(5)
        rows = rows.sample(300, replace=True, random_state=1).reset_index(drop=True)
        for name in ("a", "b", "d"):
            rows[name] = generator.permutation(rows[name].to_numpy()) * np.float32(generator.choice([-3, 1, 30]))
            rows.loc[generator.random(300) < 0.2, name] = np.nan
        rows.loc[generator.random(300) < 0.2, "c"] = "violet"
        rows.loc[generator.random(300) < 0.2, "at"] = ""
        assert check_sums(reasons, contract_of(derive_contract.fn(case, parts.snapshot)), pipeline, rows) < 1e-5


def test_texts_too(home, quiet, tmp_path):
    """Two columns of texts share one length."""
    words = np.random.default_rng(3).choice(["late", "card", "fee", "lost", "thanks"], (400, 2, 3))
    texts = [[" ".join(text) for text in row] for row in words]
    frame = pd.DataFrame(texts, columns=["title", "body"]).assign(a=np.arange(400.0) % 7)
    frame["y"] = np.where(frame["body"].str.contains("lost") ^ (np.arange(400) % 11 == 0), "yes", "no")
    model, features = (
        Model(estimator="logistic_regression"),
        "{numeric: [a], text: [title, body]}\nmodel: {estimator: logistic_regression}",
    )
    pipeline, reasons, rows, case, parts = explained(tmp_path, "binary", model, features, frame)
    assert check_sums(reasons, contract_of(derive_contract.fn(case, parts.snapshot)), pipeline, rows) < 1e-5
    found = reasons.explain(model_input(rows), np.zeros((len(rows), 2))).contributions
    assert (
        np.abs(found[:, reasons.columns.index("body")]).min() > 3 * np.abs(found[:, reasons.columns.index("title")]).mean()
    )


@pytest.mark.parametrize(
    ("loss", "estimator"), [("poisson", "hist_gradient_boosting"), ("gamma", "lightgbm"), ("tweedie", "x")]
)
def test_a_logarithm_is_named(home, quiet, tmp_path, loss, estimator):
    parameters = {"hist_gradient_boosting": {"loss": loss}, "lightgbm": {"objective": loss}}.get(estimator)
    model = Model(
        estimator="xgboost" if parameters is None else estimator, parameters=parameters or {"objective": "reg:tweedie"}
    )
    frame = gappy("regression")
    frame["y"] = frame["y"] - frame["y"].min() + 0.5
    pipeline, reasons, rows, case, parts = explained(tmp_path, "regression", model, frame=frame)
    assert reasons.scale == "log_value"
    assert check_sums(reasons, contract_of(derive_contract.fn(case, parts.snapshot)), pipeline, rows) < 1e-5


def brute(held, ratio):
    """Shapley values by their definition."""
    count, found = len(held), np.zeros(len(held))
    worth = lambda known: np.prod(np.where(known, held, ratio))  # noqa: E731
    for feature in range(count):
        for mask in range(2**count):
            known = np.array([mask >> place & 1 for place in range(count)], dtype=bool)
            if not known[feature]:
                also = known | (np.arange(count) == feature)
                size = known.sum()
                weight = math.factorial(size) * math.factorial(count - size - 1) / math.factorial(count)
                found[feature] += weight * (worth(also) - worth(known))
    return found


@pytest.mark.parametrize("count", [1, 2, 3, 6, 7])
def test_shapley_values_by_definition(count):
    generator = np.random.default_rng(count)
    for _ in range(5):
        held, ratio = generator.random(count) < 0.5, generator.random(count)
        np.testing.assert_allclose(shapley(held, ratio), brute(held, ratio), atol=1e-14)


def test_long_paths_need_no_tables(home, quiet, tmp_path):
    """They are the same computed for each row."""
    _, reasons, rows, _, _ = explained(tmp_path, "binary", Model(estimator="lightgbm", parameters={"n_estimators": 20}))
    encoded, owners = reasons._encoding.matrix(model_input(rows)), reasons._encoding.owners
    tabled, computed = (Trees(reasons._additive.paths, 0, owners, most) for most in (2**22, 0))
    assert any(group._table is not None for group in tabled._groups)
    assert all(group._table is None for group in computed._groups)
    np.testing.assert_allclose(computed.contributions(encoded), tabled.contributions(encoded), atol=1e-12)


def test_a_wrong_sum_stops_the_release(home, quiet, tmp_path):
    pipeline, reasons, rows, case, parts = explained(tmp_path, "binary", Model(estimator="hist_gradient_boosting"))
    wrong = reasons._additive._replace(intercept=reasons._additive.intercept + 0.01)
    contract = contract_of(derive_contract.fn(case, parts.snapshot))
    with pytest.raises(ReasonsError, match="add up to something else"):
        check_sums(Reasons(wrong, contract), contract, pipeline, rows)


def test_equal_models_have_equal_files_and_no_row_is_in_them(home, quiet, tmp_path):
    *_, case, parts = explained(tmp_path, "binary", Model(estimator="logistic_regression"))
    _, contract, _, fitted = chain(case)
    one = explain.fn(parts, contract, case.recipe, fitted)
    content = (home / "store" / "reasons" / f"{one}.npz").read_bytes()
    assert content == written(read(content))
    with np.load(home / "store" / "reasons" / f"{one}.npz", allow_pickle=False) as arrays:
        assert max(array.size for name, array in arrays.items() if name != "about") < 30
