"""What moves a model's answers: importance, effects, and where a release tells them."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tasks.explaining.measure_influence as measuring
from serving.reasons.reasons import Reasons
from serving.scoring.bundle import read_bundle
from tasks.columns.choose import KINDS
from tasks.data.frames import contract_of, encode, model_input, read_rows
from tasks.explaining.effects import by_level, in_order
from tasks.explaining.importance import importance, permuted
from tasks.explaining.measure_influence import measure_influence
from tasks.explaining.sample import affordable, runs, spaced
from tasks.explaining.values import Importance, Influence
from tasks.packaging.bundle import bundle
from tasks.packaging.convert import convert
from tasks.packaging.explain import additive, explain
from tasks.packaging.influence import section
from tasks.problems.chance import enough_blocks
from tasks.registry.lineage import lineage
from tasks.training.evaluate import evaluate
from tasks.training.fitted import load
from tests.conftest import chain, small_frame, small_use_case

NUMERIC, CATEGORICAL = KINDS["numeric"], KINDS["categorical"]
OTHERS = {"a": NUMERIC, "b": NUMERIC, "c": CATEGORICAL}


def correlated(rows, seed):
    generator = np.random.default_rng(seed)
    a = generator.normal(size=rows)
    level = np.array(["blue", "green", "red"], dtype=object)[
        np.clip((a + generator.normal(size=rows)).round() + 1, 0, 2).astype(int)
    ]
    frame = pd.DataFrame({"a": a, "b": 0.9 * a + 0.3 * generator.normal(size=rows), "c": level})
    return frame.astype({"a": np.float32, "b": np.float32})


@given(st.floats(-5, 5), st.floats(-5, 5), st.integers(0, 1000))
def test_the_effect_of_a_linear_model_is_its_line(slope, other, seed):
    """Whatever other column goes together with it, which partial dependence would need to be apart."""
    frame = correlated(300, seed)
    found = in_order(lambda rows: {"value": slope * rows["a"] + other * rows["b"]}, frame, "a", OTHERS)
    curve, at = np.array(found.answers["value"]), np.array(found.at)
    np.testing.assert_allclose(curve - curve[0], slope * (at - at[0]), atol=1e-3)
    assert abs(np.average(curve, weights=np.ones_like(curve))) < 10 * abs(slope) + 1e-6


@given(st.lists(st.floats(-5, 5), min_size=3, max_size=3), st.integers(0, 1000))
def test_the_effect_of_a_level_is_what_it_adds(adds, seed):
    frame = correlated(300, seed)
    added = dict(zip(("blue", "green", "red"), adds, strict=True))
    found = by_level(lambda rows: {"value": rows["c"].map(added).astype(float) + rows["a"]}, frame, "c", OTHERS)
    curve, expected = np.array(found.answers["value"]), np.array([added[level] for level in found.at])
    np.testing.assert_allclose(curve - curve[0], expected - expected[0], atol=1e-3)
    shares = frame["c"].value_counts(normalize=True)
    assert sum(shares[level] * value for level, value in zip(found.at, curve, strict=True)) == pytest.approx(0, abs=1e-6)


@given(st.integers(0, 1000))
def test_the_order_of_rows_changes_nothing(seed):
    frame = correlated(200, seed)
    frame.loc[::7, "a"] = np.nan

    def answers(rows):
        return {"value": np.sin(3 * rows["a"]) * rows["b"] + (rows["c"] == "red"), "other": rows["b"] ** 2}

    for way, name in ((in_order, "a"), (by_level, "c")):
        one, other = (way(answers, rows, name, OTHERS) for rows in (frame, frame.sample(frac=1, random_state=seed)))
        assert one.at == other.at
        for each in one.answers:
            np.testing.assert_allclose(one.answers[each], other.answers[each], atol=1e-6)


def test_partial_dependence_would_see_rows_that_cannot_be():
    """Of a model that is wild where no row is, the effect along a column knows nothing."""
    frame = correlated(500, 3)

    def wild(rows):
        return {"value": rows["a"] + 1000.0 * (np.abs(rows["a"] - rows["b"]) > 3)}

    found = in_order(wild, frame, "a", OTHERS)
    assert np.ptp(found.answers["value"]) < 10
    partial = [wild(frame.assign(a=np.float32(at)))["value"].mean() for at in found.at]
    assert np.ptp(partial) > 50


def test_levels_stand_beside_those_that_are_like_them():
    rows = np.repeat([0.0, 10.0, 5.0], 50)
    frame = pd.DataFrame({"a": (rows + np.random.default_rng(0).normal(size=150)).astype(np.float32)})
    frame["c"] = np.repeat(["low", "high", "middle"], 50)
    found = by_level(lambda rows: {"value": rows["a"]}, frame, "c", OTHERS)
    assert found.at in (["low", "middle", "high"], ["high", "middle", "low"])


@pytest.mark.parametrize("name", ["self", "a|b"])
def test_a_column_may_be_called_anything(name):
    frame = pd.DataFrame({name: np.arange(100.0), "b": 1.0})
    found = in_order(lambda rows: {"value": rows[name].to_numpy()}, frame, name, {name: NUMERIC})
    assert found.answers["value"][-1] == pytest.approx(49.5, abs=1)
    assert permuted(lambda rows: rows[name].to_numpy(), frame).shape == (100, 2)
    influence = Influence(
        how="x", unit="y", rows=1, columns=[Importance(column=name, value=1, lower=0, upper=2)], effects=[found]
    )
    line = next(each for each in section(influence).splitlines() if each.startswith("| `"))
    assert line.replace("\\|", "").count("|") == 5


def test_a_column_of_one_value_has_no_effect():
    frame = pd.DataFrame({"a": np.float32([1, 1, np.nan]), "b": np.float32([np.nan] * 3), "c": ["red"] * 3})
    assert [in_order(None, frame, name, OTHERS) for name in ("a", "b")] == [None, None]
    assert by_level(None, frame, "c", OTHERS) is None


@given(st.integers(2, 40), st.integers(0, 1000))
def test_importances_are_means_inside_their_intervals(rows, seed):
    moved = np.abs(np.random.default_rng(seed).normal(size=(rows, 4)))
    found = importance("wxyz", moved, np.arange(rows))
    assert [each.value for each in found] == sorted((each.value for each in found), reverse=True)
    assert sum(each.value for each in found) == pytest.approx(moved.sum() / rows)
    assert all(each.lower <= each.value <= each.upper for each in found)
    shuffled = np.random.default_rng(seed).permutation(rows)
    again = importance("wxyz", moved[shuffled], shuffled)
    assert [each.lower for each in again] == pytest.approx([each.lower for each in found])


def test_intervals_hold_the_mean_as_often_as_they_say_where_rows_of_a_day_are_alike():
    generator, held = np.random.default_rng(0), {"by day": 0, "by row": 0}
    for _ in range(400):
        days = np.repeat(np.arange(20), generator.integers(5, 60, 20))
        moved = (1 + generator.normal(size=20)[days] + 0.2 * generator.normal(size=len(days)))[:, None]
        for how, blocks in (("by day", days), ("by row", np.arange(len(days)))):
            found = importance(["x"], moved, blocks)[0]
            held[how] += found.lower <= 1 <= found.upper
    assert held["by day"] > 0.9 * 400
    assert held["by row"] < 0.6 * 400


def test_a_column_that_nothing_reads_has_no_importance():
    frame = correlated(200, 0)
    grown = permuted(lambda rows: (rows["a"].to_numpy() - frame["a"].to_numpy()) ** 2, frame)
    assert grown[:, 0].mean() > 0.5
    assert not grown[:, 1:].any()


def test_samples():
    frame = pd.DataFrame({"a": range(1000)})
    assert spaced(frame, 3)["a"].tolist() == [0, 500, 999] or spaced(frame, 3)["a"].tolist() == [0, 499, 999]
    assert len(spaced(frame, 5000)) == 1000
    found, run = runs(frame, 100)
    assert (np.diff(found["a"])[np.diff(run) == 0] == 1).all()
    assert np.bincount(run).tolist() == [10] * 10


@pytest.fixture
def linked(monkeypatch):
    links = []
    monkeypatch.setattr(measuring, "create_link_artifact", lambda **said: links.append(said))
    monkeypatch.setattr(measuring, "report_address", str)
    return links


def test_a_release_tells_what_moves_its_answers(home, quiet, tmp_path, linked):
    case = small_use_case(tmp_path, small_frame(900))
    snapshot, contract, parts, fitted = chain(case)
    onnx = convert.fn(parts, contract, case.features, fitted)
    reasons = explain.fn(parts, contract, case.recipe, fitted)
    found = measure_influence.fn(case, parts, contract, fitted, onnx, reasons)
    columns = contract_of(contract)
    held_out = encode(columns, read_rows(parts.snapshot, parts.cut, parts.snapshot.rows))
    explained = Reasons(additive(load(fitted), case.recipe, parts, columns), columns)
    moved = np.abs(explained.explain(model_input(held_out), np.zeros((len(held_out), 2))).contributions).mean(axis=0)
    assert {each.column: each.value for each in found.columns} == pytest.approx(
        dict(zip(explained.columns, moved, strict=True))
    )
    assert found.rows == len(held_out)
    assert [each.column for each in found.columns][2] == "c"
    effects = {each.column: each for each in found.effects}
    assert np.polyfit(effects["a"].at, effects["a"].answers["probability"], 1)[0] > 0.05
    assert np.ptp(effects["c"].answers["probability"]) < np.ptp(effects["a"].answers["probability"])
    assert linked[0]["key"] == "influence-small"
    page = found.page_path.read_text()
    assert page.count("<svg") == 2
    assert "<script" not in page
    assert measure_influence.fn(case, parts, contract, fitted, onnx, reasons) == found

    packed = bundle.fn(
        *(case, snapshot, contract, onnx, evaluate.fn(case, parts, contract, fitted)),
        *(lineage(case, parts, None, contract, onnx), None, reasons, None, found),
    )
    card = (packed.path / "card.md").read_text()
    assert section(found) in card
    assert f"| `a` | {next(each.value for each in found.columns if each.column == 'a'):.3g} |" in card
    assert read_bundle(packed.path).reasons


def test_a_model_without_reasons_has_permutation_importance_and_says_so(home, quiet, tmp_path, linked):
    case = small_use_case(tmp_path, small_frame(900))
    _, contract, parts, fitted = chain(case)
    onnx = convert.fn(parts, contract, case.features, fitted)
    found = measure_influence.fn(case, parts, contract, fitted, onnx, None)
    assert "permutation importance" in section(found)
    by_name = {each.column: each for each in found.columns}
    assert by_name["a"].lower > 0
    assert abs(by_name["c"].value) < 0.01


def test_values_that_the_log_does_not_keep_are_in_no_effect(home, quiet, tmp_path, linked):
    secret = "{numeric: [a, b], categorical: [c], rules: {a: {sensitive: true}}}"
    case = small_use_case(tmp_path, small_frame(900), **{"{numeric: [a, b], categorical: [c]}": secret})
    _, contract, parts, fitted = chain(case)
    onnx, reasons = convert.fn(parts, contract, case.features, fitted), explain.fn(parts, contract, case.recipe, fitted)
    found = measure_influence.fn(case, parts, contract, fitted, onnx, reasons)
    assert found.left_out == {"a": "the log does not keep its values"}
    assert {each.column for each in found.effects} == {"b", "c"}
    assert {each.column for each in found.columns} == {"a", "b", "c"}
    json.dumps(found.model_dump(mode="json"))


def test_a_forest_of_many_leaves_is_explained_on_fewer_rows(home, quiet, tmp_path):
    case = small_use_case(tmp_path)
    _, contract, parts, fitted = chain(case)
    small = additive(load(fitted), case.recipe, parts, contract_of(contract))
    assert affordable(small, 1000) == 1000
    large = small._replace(paths=small.paths._replace(feature=np.zeros(10**7, dtype=np.int32)))
    assert affordable(large, 1000) == 50
    assert affordable(large, 20) == 20
    assert len(enough_blocks(None, 7)) == 7
