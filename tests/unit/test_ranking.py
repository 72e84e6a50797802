"""Rankings: the metrics beside scikit-learn's, the way from a table to a verdict, and what is refused."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import ndcg_score

import tasks.monitoring.performance
from configs.errors import InputError
from configs.load import parse_use_case
from serving.scoring.bundle import read_bundle
from serving.scoring.onnx import Scorer
from tasks.data.frames import encode, model_input
from tasks.log.values import Window
from tasks.log.windows import decoded
from tasks.monitoring.performance import measure_performance
from tasks.packaging.bundle import bundle
from tasks.packaging.convert import convert
from tasks.problems.metrics import RANKING
from tasks.problems.problem import problem_of
from tasks.registry.lineage import lineage
from tasks.registry.values import Version
from tasks.store import put_parquet
from tasks.training.compare import measure
from tasks.training.evaluate import evaluate
from tasks.training.failed import GateFailed
from tests.conftest import chain

TEXT = """
name: small
description: Which offers does a visitor want to see first?
source: {{tables: {{rows: {path}}}, time_column: at}}
target: {{column: wanted, problem: ranking, query: visit}}
features: {{numeric: [price, distance, taste], categorical: [kind]}}
model: {{estimator: {estimator}}}
evaluation: {{gates: [{{metric: ndcg, at_least: {least}}}]}}
monitoring: {{window: 7 days, min_labels: 100}}
{more}
"""


def visits(queries=400, seed=0, noise=0.5):
    """Four to nine offers a visit, one visit an hour. What is wanted depends on how an offer compares with its rivals."""
    generator = np.random.default_rng(seed)
    sizes = generator.integers(4, 10, queries)
    visit = np.repeat(np.arange(queries), sizes)
    frame = pd.DataFrame(
        {
            "at": pd.Timestamp("2026-01-01") + pd.to_timedelta(visit, unit="h"),
            "visit": [f"v{seed}-{number}" for number in visit],
            "price": generator.normal(size=len(visit)) + generator.normal(0, 3, queries)[visit],
            "distance": generator.random(len(visit)),
            "taste": generator.normal(size=len(visit)),
            "kind": generator.choice(["inn", "flat"], len(visit)),
        }
    )
    worth = frame["taste"] - frame["price"] + (frame["kind"] == "inn") + generator.normal(0, noise, len(visit))
    place = worth.groupby(visit).rank(ascending=False, method="first")
    return frame.assign(wanted=np.select([place == 1, place == 2], [3, 1], 0))


def case_of(folder, frame=None, estimator="lightgbm", least=0.5, more=""):
    path = folder / "visits.parquet"
    (visits() if frame is None else frame).to_parquet(path)
    return parse_use_case(TEXT.format(path=path, estimator=estimator, least=least, more=more), "small.yaml")


def built(case):
    snapshot, contract, parts, fitted = chain(case)
    evaluation = evaluate.fn(case, parts, contract, fitted)
    onnx = convert.fn(parts, contract, case.features, fitted)
    packed = bundle.fn(case, snapshot, contract, onnx, evaluation, lineage(case, parts, None, contract, onnx))
    return Version(use_case="small", version="1", run_id="", bundle=packed, golden=onnx.golden), evaluation, parts, onnx


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 3), st.integers(0, 5)), min_size=1, max_size=40))
def test_ndcg_is_scikit_learns_of_each_query_with_ties(rows):
    query, relevance, score = map(np.array, zip(*rows, strict=True))
    expected = {4: [], 3: [], None: []}
    for number in np.unique(query):
        own = relevance[query == number]
        if own.min() < own.max():
            for k, found in expected.items():
                found.append(ndcg_score([np.exp2(own) - 1], [score[query == number]], k=k))
    target = np.column_stack([relevance, query]).astype(float)
    for name, k in (("ndcg", None), ("ndcg_3", 3)):
        value = RANKING[name].value(target, score.astype(float))
        assert value == pytest.approx(np.mean(expected[k]), abs=1e-12) if expected[k] else np.isnan(value)


def test_whole_queries_are_resampled_and_silent_ones_are_left_out():
    target = np.array([[1, 7], [0, 7], [0, 9], [2, 9], [0, 8], [0, 8]], dtype=float)
    score = np.array([2.0, 1, 2, 1, 5, 6])
    ndcg = RANKING["ndcg"]
    statistic = ndcg.resampled(target, score)
    assert statistic(np.array([0, 1])) == ndcg.value(target[:2], score[:2]) == 1
    assert statistic(np.array([2, 3])) == ndcg.value(target[2:4], score[2:4]) == pytest.approx(1 / np.log2(3))
    assert statistic(np.array([0, 1, 0, 1, 2, 3])) == pytest.approx((2 + 1 / np.log2(3)) / 3)
    assert np.isnan(statistic(np.array([4, 5])))
    assert ndcg.value(target, score) == pytest.approx((1 + 1 / np.log2(3)) / 2)
    assert RANKING["mean_reciprocal_rank"].value(target, score) == pytest.approx((1 + 1 / 2) / 2)
    assert ndcg.value(target, score, np.array([3.0, 3, 1, 1, 9, 9])) == pytest.approx((3 + 1 / np.log2(3)) / 4)


@pytest.mark.parametrize("estimator", ["lightgbm", "xgboost", "hist_gradient_boosting", "random_forest", "ridge"])
def test_from_a_table_to_a_bundle(home, quiet, tmp_path, estimator):
    version, evaluation, _, onnx = built(case_of(tmp_path, estimator=estimator))
    contract = read_bundle(version.bundle.path).contract
    assert (contract.problem, contract.query, contract.identifiers) == ("ranking", "visit", ("visit",))
    assert set(evaluation.metrics) == set(RANKING)
    assert onnx.max_difference < 1e-5
    assert "a score, by which the rows of one `visit` are ordered" in (version.bundle.path / "card.md").read_text()
    frame = visits(seed=9)
    found = Scorer(onnx.path, contract).outputs(model_input(encode(contract, frame)))
    problem = problem_of(contract)
    value = RANKING["ndcg"].value(problem.targets(contract, frame), problem.judged(found))
    assert value > {"random_forest": 0.6, "hist_gradient_boosting": 0.65}.get(estimator, 0.7)


def test_learning_the_order_beats_learning_each_row_alone(home, quiet, tmp_path):
    """Where a visit's prices lie as a whole says nothing: only within a visit do they compare."""
    found = {
        name: built(case_of(tmp_path, estimator=name))[1].metrics["ndcg"] for name in ("lightgbm", "hist_gradient_boosting")
    }
    assert found["lightgbm"] > found["hist_gradient_boosting"] + 0.03


def test_no_cut_goes_through_a_query(home, quiet, tmp_path):
    _, _, parts, _ = chain(case_of(tmp_path, more="split: {holdout: 0.21}"))
    frame = pd.read_parquet(parts.snapshot.path)
    assert frame["visit"].iloc[parts.cut] != frame["visit"].iloc[parts.cut - 1]
    assert parts.learn == parts.cut


def test_the_verdict_is_on_whole_queries(home, quiet, tmp_path):
    case = case_of(tmp_path, least=0.2)
    champion = built(case)[0]
    better = case_of(tmp_path, visits(600), more="retraining: {}")
    _, evaluation, parts, _ = built(better)
    verdict = measure(better, champion, evaluation, parts, "a person")
    assert verdict.metric == "ndcg"
    assert verdict.rows > 100
    assert 0 < verdict.champion <= 1


def test_a_window_is_measured_when_its_labels_come(home, quiet, tmp_path, monkeypatch):
    monkeypatch.setattr(tasks.monitoring.performance, "create_link_artifact", lambda **_: None)
    monkeypatch.setattr(tasks.monitoring.performance, "report_address", str)
    case = case_of(tmp_path, visits(1500))
    version = built(case)[0]
    contract = read_bundle(version.bundle.path).contract

    def looked(frame):
        outputs = Scorer(version.bundle.path / "model.onnx", contract).outputs(model_input(encode(contract, frame)))
        rows = pa.table(
            {
                "time": pa.array(frame["at"]),
                "prediction_id": [str(row) for row in range(len(frame))],
                "output": outputs.astype(float).tolist(),
                "label": [str(value) for value in frame["wanted"]],
                "features": [f'{{"visit": "{name}", "price": 1.5}}' for name in frame["visit"]],
            }
        )
        data = put_parquet("windows", decoded(rows, contract))
        window = Window(use_case="small", name="w", start="0", end="9", rows=len(frame), labelled=len(frame), data=data)
        return measure_performance.fn(case, window, version.bundle)

    usual = looked(visits(300, seed=5))
    assert not usual.fell
    assert usual.not_estimated == "a ranking is not estimated without labels"
    turned = visits(300, seed=6)
    turned["wanted"] = np.where(turned["wanted"] == 0, 1, 0)
    assert looked(turned).fell
    alone = looked(visits(300, seed=5).assign(visit="one"))
    assert alone.value != usual.value


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda f: f.assign(wanted=f["wanted"] - 1),
            r"'wanted', row \d+: -1 is no relevance, which is a whole number from 0",
        ),
        (lambda f: f.assign(wanted=f["wanted"] / 2), r"'wanted', row \d+: 0.5 is no relevance"),
        (lambda f: f.assign(wanted=0), "is 0 in every row"),
        (lambda f: f.assign(visit=f["visit"].where(f.index != 5)), r"target.query: 'visit', row \d+: is missing"),
        (lambda f: f.assign(visit="v"), "target.query: 'visit', rows 0 and 1: 'v' has rows of several times"),
        (lambda f: f.drop(columns="visit"), "target.query: the source has no column 'visit'"),
    ],
)
def test_tables_that_are_no_rankings_are_one_clear_error(home, quiet, tmp_path, change, message):
    with pytest.raises(InputError, match=message):
        chain(case_of(tmp_path, change(visits(50))))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (", query: visit", "", "'query' is missing: problem 'ranking' orders rows"),
        ("problem: ranking", "problem: regression", "'query' is that of a ranking; problem 'regression' has none"),
        (", time_column: at", "", "'source.time_column' is missing: the rows of a query are an occasion"),
        ("window: 7 days", "window: 300 rows", "a number of rows cuts queries"),
        ("taste]", "taste, visit]", "column 'visit' is listed twice"),
        ("metric: ndcg", "metric: r2", "'r2' does not fit problem 'ranking'; those that do: ndcg"),
        ("estimator: ridge", "estimator: logistic_regression", "'logistic_regression'"),
        ("split: {}", "rollout: {stages: [{shadow: {for: 1 hour}}]}", "'rollout.key' is missing: the rows of a query"),
    ],
)
def test_words_that_do_not_fit_are_one_clear_error(old, new, message):
    text = TEXT.format(path="x.csv", estimator="ridge", least=0.5, more="split: {}")
    assert old in text
    with pytest.raises(InputError) as caught:
        parse_use_case(text.replace(old, new), "small.yaml")
    assert message in str(caught.value)


def test_a_gate_that_is_missed_stops_the_release(home, quiet, tmp_path):
    with pytest.raises(GateFailed, match="ndcg 0"):
        built(case_of(tmp_path, least=0.999))


def test_a_holdout_without_any_order_is_told(home, quiet, tmp_path):
    frame = visits(60)
    last = frame["at"] >= frame["at"].iloc[-1] - pd.Timedelta("12h")
    with pytest.raises(InputError, match="does not hold two different values of 'wanted'"):
        chain(case_of(tmp_path, frame.assign(wanted=frame["wanted"].where(~last, 0)), more="split: {holdout: 11 hours}"))
