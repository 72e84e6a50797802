"""Intervals: they hold on new rows what they promise, are gated, served and watched; without one all is as before."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from configs.errors import InputError
from configs.schema import Target
from serving.contract.contract import Contract, contract_json, parse_contract
from serving.contract.heads.choose import head_of
from tasks.data.frames import contract_of, encode
from tasks.monitoring.coverage import watched_coverage
from tasks.monitoring.measured import Labelled
from tasks.problems.chance import enough_blocks, resamples
from tasks.problems.metrics import REGRESSION
from tasks.problems.problem import problem_of
from tasks.training.coverage import allowance, coverage_gate, restored
from tasks.training.evaluate import evaluate
from tasks.training.failed import GateFailed
from tasks.training.fitted import load
from tasks.training.interval import conformal
from tests.conftest import chain, small_use_case

NUMBER = {
    'target: {column: y, positive: "yes"}': "target: {column: y, problem: regression}",
    "roc_auc, at_least: 0.6": "r2, at_least: 0.1",
}


def uneven(rows, seed, factor=1.0):
    """Rows whose error is ten times as large where `a` is positive."""
    generator = np.random.default_rng(seed)
    a, b = generator.normal(size=(2, rows))
    noise = generator.normal(size=rows) * np.where(a > 0, 1.0, 0.1) * factor
    return pd.DataFrame({"a": a, "b": b, "c": generator.choice(["red", "green"], rows), "y": 3 * b + noise})


@given(st.lists(st.floats(0, 1e6), min_size=20, max_size=200), st.sampled_from([0.5, 0.8, 0.9]))
def test_a_scale_is_the_smallest_score_that_enough_of_one_more_row_stay_under(scores, share):
    scores = np.array(scores)
    found = conformal(scores, share)
    assert (scores <= found).sum() >= (len(scores) + 1) * share - 1e-6
    assert (scores < found).sum() < (len(scores) + 1) * share


def test_too_few_rows_are_told_with_what_would_be_right():
    with pytest.raises(InputError, match=r"target.interval: 0.99 needs 99 rows to calibrate on.*there are 98"):
        conformal(np.arange(98.0), 0.99)


def test_intervals_hold_their_share_where_errors_are_small_and_where_they_are_large(home, quiet, tmp_path):
    case = small_use_case(tmp_path, uneven(3000, 0), **NUMBER)
    _, contract, parts, fitted = chain(case)
    new = uneven(4000, 1)
    outputs = problem_of(case.target).outputs(
        contract_of(contract), load(fitted), encode(contract_of(contract), new)[case.features.all]
    )
    inside = (outputs[:, 1] <= new["y"]) & (new["y"] <= outputs[:, 2])
    wide = (new["a"] > 0).to_numpy()
    assert abs(inside.mean() - 0.9) < 0.03
    assert min(inside[wide].mean(), inside[~wide].mean()) > 0.8
    width = outputs[:, 2] - outputs[:, 1]
    assert width[wide].mean() > 3 * width[~wide].mean()
    assert fitted.calibrated == round(fitted.rows * 0.2)
    assert [gate.metric for gate in evaluate.fn(case, parts, contract, fitted).gates] == ["r2", "coverage"]


def test_a_holdout_that_is_not_held_stops_the_release(home, quiet, tmp_path):
    """Without a time the holdout is drawn by keys, so the interval itself is made to lie."""
    case = small_use_case(tmp_path, uneven(3000, 0), **NUMBER)
    _, contract, parts, fitted = chain(case)
    model = load(fitted)
    model.scale /= 2
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tasks.training.evaluate.load", lambda _: model)
        with pytest.raises(GateFailed, match=r"all: coverage 0\.\d+, bound >= 0\.8\d+ \(0.9 less what chance does\)"):
            evaluate.fn(case, parts, contract, fitted)


def test_an_honest_interval_is_stopped_no_more_often_than_stated():
    generator, stopped = np.random.default_rng(2), 0
    for _ in range(400):
        scale = conformal(np.abs(generator.normal(size=400)), 0.9)
        target = generator.normal(size=300)
        output = np.column_stack([np.zeros(300), np.full(300, -scale), np.full(300, scale)])
        stopped += not coverage_gate(0.9, target, output, np.arange(300), 400).passed
    assert stopped <= 12  # 4 are expected
    days = np.repeat(np.arange(30), 10)
    inside = np.repeat(generator.random(30) < 0.9, 10)
    assert allowance(0.9, inside, days, 400) > 2 * allowance(0.9, inside, np.arange(300), 400)


def test_without_an_interval_the_contract_and_the_answers_are_as_before(home, quiet, tmp_path):
    more = {**NUMBER, "problem: regression}": "problem: regression, interval: null}"}
    case = small_use_case(tmp_path, uneven(800, 0), **more)
    _, contract, parts, fitted = chain(case)
    assert b"interval" not in contract_json(contract_of(contract))
    assert fitted.calibrated == 0
    evaluation = evaluate.fn(case, parts, contract, fitted)
    assert "coverage" not in evaluation.metrics
    assert head_of(contract_of(contract)).whole == ("y",)


def test_a_number_with_its_interval_in_every_protocol():
    contract = Contract("small", (), "low", (), problem="regression", interval=0.9)
    assert parse_contract(contract_json(contract)) == contract
    head = head_of(contract)
    answers, outputs = head.answer(np.array([[2, 1, 3.5], [0.1, -1, 0.1]], dtype=np.float32))
    assert (answers, outputs) == ([2.0, 0.1], [[2.0, 1.0, 3.5], [0.1, -1.0, 0.1]])
    assert {t.name: t.data(answers, outputs) for t in head.tensors} == {
        "low": answers,
        "low_low": [1.0, -1.0],
        "high": [3.5, 0.1],
    }
    assert head.functions["predict_interval"](answers, outputs) == [[1.0, 3.5], [-1.0, 0.1]]
    (first, _) = head.native(["p", "q"], answers, outputs, None)
    assert (first.prediction, first.low, first.high) == (2.0, 1.0, 3.5)
    assert head.columns(np.array([[2, 1, 3]], dtype=np.float32)) == {
        "prediction": [2.0],
        "prediction_low": [1.0],
        "prediction_high": [3.0],
    }
    with pytest.raises(ArithmeticError, match="ends before it begins"):
        head.answer(np.array([[2, 3, 1]], dtype=np.float32))


@pytest.mark.parametrize("narrow", [False, True])
def test_labels_that_came_say_whether_intervals_still_hold(narrow):
    generator = np.random.default_rng(3)

    def rows(count, spread):
        output = np.column_stack([np.zeros(count), np.full(count, -1.645), np.full(count, 1.645)])
        return generator.normal(size=count) * spread, output

    known = Labelled(*rows(400, 2.0 if narrow else 1.0), np.ones(400), np.arange(400))
    drawn = resamples(np.arange(1000), 200, 400, seed=1)
    found = watched_coverage(0.9, rows(1000, 1.0), known, drawn, 1000, 0.001)
    assert found.fell is narrow
    assert found.floor < found.expected


def test_models_with_and_without_intervals_are_compared_by_their_numbers():
    with_one, without = (Contract("s", (), "y", (), problem="regression", **more) for more in ({"interval": 0.9}, {}))
    assert [problem_of(each).promised(each) for each in (with_one, without)] == [0.9, None]
    regression, outputs = problem_of(without), np.array([[2.0], [3.0]])
    padded = regression.aligned(outputs, without, with_one)
    assert padded.shape == (2, 3)
    assert np.isnan(REGRESSION["coverage"].value(np.array([2.0, 3.0]), padded))
    assert REGRESSION["mae"].value(np.array([2.0, 4.0]), padded) == 0.5
    assert regression.aligned(padded, with_one, without).tolist() == outputs.tolist()


def test_what_an_interval_may_be_asked_for(tmp_path):
    assert Target(column="y", problem="regression").interval == 0.9
    assert Target(column="y").interval is None
    with pytest.raises(ValueError, match="'interval' holds a number; problem 'multiclass' answers classes"):
        Target(column="y", problem="multiclass", interval=0.9)
    with pytest.raises(InputError, match="'coverage' decides nothing"):
        small_use_case(tmp_path, **NUMBER, **{"monitoring:": "promotion: {metric: coverage}\nmonitoring:"})
    gate = {
        **NUMBER,
        "problem: regression}": "problem: regression, interval: null}",
        "r2, at_least: 0.1": "coverage, at_least: 0.1",
    }
    with pytest.raises(InputError, match=r"'coverage' is that of 'target\.interval', which is null"):
        small_use_case(tmp_path, **gate)


@pytest.mark.parametrize("freq", ["min", "10min"])
def test_a_holdout_of_one_day_or_three_is_judged_by_its_tenths(freq):
    """A few blocks would say nearly nothing of chance, and let every coverage pass."""
    blocks = enough_blocks(pd.date_range("2026-01-01", periods=300, freq=freq).to_numpy(), 300)
    assert np.bincount(blocks).tolist() == [30] * 10
    target, inside = np.zeros(300), np.arange(300) % 2 == 0
    output = np.column_stack([target, np.where(inside, -1, 1), np.where(inside, 1, 2)])
    assert not coverage_gate(0.9, target, output, blocks, 400).passed


@pytest.mark.parametrize(
    ("champion", "challenger", "told"),
    [(0.5, 1.0, True), (1.0, 1.0, False), (0.5, 0.5, False)],
)
def test_intervals_that_hold_again_are_shown_only_where_the_champions_do_not(champion, challenger, told):
    generator = np.random.default_rng(4)
    target, days = generator.normal(size=2000), np.arange(2000) // 40

    def output(width):
        return np.column_stack([np.zeros(2000), np.full(2000, -1.7 * width), np.full(2000, 1.7 * width)])

    rows = target, output(champion), output(challenger), days, 0.95
    assert bool(restored((0.9, 0.9), *rows)) is told
    assert not restored((0.5, 0.9), *rows), "the champion keeps what it promises itself"
    assert not restored((None, 0.9), *rows)
    assert not restored((0.9, None), *rows)


def test_of_intervals_that_hold_alike_neither_holds_again():
    """One lies a little under what chance does, the other a little above: that is no difference between the two."""
    generator, target = np.random.default_rng(5), np.zeros(2000)

    def output(held):
        start = np.where(generator.permutation(2000) < held, -1.0, 1.0)
        return np.column_stack([target, start, start + 2])

    theirs, ours = output(1772), output(1782)
    assert coverage_gate(0.9, target, ours, np.arange(2000), 400).passed
    assert not restored((0.9, 0.9), target, theirs, ours, np.arange(2000), 0.95)
    assert restored((0.9, 0.9), target, theirs, output(1830), np.arange(2000), 0.95)
