"""Three kinds of answers through the same chain: contract, split, training, gates, conversion, verdict, monitoring."""

import json
import re
from pathlib import Path

import httpx
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pydantic import TypeAdapter

import tasks.monitoring.performance
import tasks.monitoring.report
from configs.errors import InputError
from configs.load import parse_use_case
from configs.problems import WORDS
from configs.schema import Behaviour, ColumnRule, Gate, Objective, SliceGates
from configs.settings import PROJECT
from serving.contract.contract import Column, Contract, contract_json
from serving.scoring.bundle import read_bundle
from serving.scoring.onnx import Scorer
from tasks.data.derive_contract import derive_contract
from tasks.data.frames import encode, model_input
from tasks.data.ingest import ingest
from tasks.data.validate import validate
from tasks.gates.behaviour import Model, _declared
from tasks.log.values import Window
from tasks.log.windows import decoded
from tasks.monitoring.conclude import causes
from tasks.monitoring.drift.calibrate_joint import calibrate_joint
from tasks.monitoring.drift.detect import detect_drift
from tasks.monitoring.findings import describe, told
from tasks.monitoring.performance import measure_performance
from tasks.monitoring.report import drift_report
from tasks.monitoring.service import measure_service
from tasks.monitoring.values import Finding, Service
from tasks.packaging.bundle import bundle
from tasks.packaging.convert import ConversionError, convert
from tasks.packaging.variants import rebuilt
from tasks.problems.metrics import BINARY, MULTICLASS, REGRESSION
from tasks.problems.problem import problem_of
from tasks.registry.lineage import lineage
from tasks.registry.values import Version
from tasks.store import put, put_parquet
from tasks.training.compare import measure
from tasks.training.evaluate import evaluate
from tasks.training.failed import GateFailed
from tests.conftest import chain, small_frame, small_use_case

BINARY_TARGET, GATE = '{column: y, positive: "yes"}', "{metric: roc_auc, at_least: 0.6}"
ASKED = {
    "multiclass": ("{column: y, problem: multiclass}", "{metric: accuracy, at_least: 0.6}"),
    "regression": ("{column: y, problem: regression}", "{metric: r2, at_least: 0.8}"),
}
ESTIMATORS = {
    "multiclass": ["hist_gradient_boosting", "logistic_regression"],
    "regression": ["hist_gradient_boosting", "ridge"],
}


def frame_of(problem, rows=1200, seed=0, scale=1.0):
    """The small frame with three classes or a number in place of the answer."""
    frame = small_frame(rows, seed)
    truth = 2 * frame["a"] - frame["b"] + (frame["c"] == "red") + np.random.default_rng(seed + 1).normal(0, 0.3, rows)
    made = {
        "multiclass": np.select([truth < -1, truth < 1.5], ["low", "middle"], "high"),
        "regression": scale * (truth + 5),
    }
    return frame.assign(y=made[problem])


def dated(frame):
    """With a time, one row an hour."""
    return frame.assign(at=pd.Timestamp("2026-01-01") + pd.to_timedelta(np.arange(len(frame)), unit="h"))


def case_of(folder, problem, frame=None, **more):
    """The small use case asked as that problem; `more` goes into its YAML at the top level."""
    target, gate = ASKED[problem]
    added = "".join(f"\n{key}: {value}" for key, value in more.items())
    frame = frame_of(problem) if frame is None else frame
    time = "  time_column: at\n" if "at" in frame else ""
    monitoring = {"100 rows": "7 days"} if time else {}
    asked = {f"target: {BINARY_TARGET}": f"{time}target: {target}{added}", GATE: gate}
    return small_use_case(folder, frame, **asked, **monitoring)


def built(case, number="1"):
    """A version as a release makes it, with what it was judged on."""
    snapshot, contract, parts, fitted = chain(case)
    evaluation = evaluate.fn(case, parts, contract, fitted)
    onnx = convert.fn(parts, contract, case.features, fitted)
    packed = bundle.fn(case, snapshot, contract, onnx, evaluation, lineage(case, parts, None, contract, onnx))
    return Version(use_case=case.name, version=number, run_id="", bundle=packed, golden=onnx.golden), evaluation, parts, onnx


@pytest.mark.parametrize(("problem", "estimator"), [(p, e) for p, all_of in ESTIMATORS.items() for e in all_of])
def test_from_a_table_to_a_bundle(home, quiet, tmp_path, problem, estimator):
    case = case_of(tmp_path, problem, model=f"{{estimator: {estimator}}}")
    version, evaluation, parts, onnx = built(case)
    contract = read_bundle(version.bundle.path).contract
    assert (contract.problem, contract.classes) == (problem, ("high", "low", "middle") if problem == "multiclass" else ())
    assert set(evaluation.metrics) == set(WORDS[problem].metrics)
    assert evaluation.gates[0].passed
    assert onnx.rows_compared == parts.snapshot.rows - parts.cut
    assert onnx.max_difference < 1e-5
    frame = frame_of(problem, rows=50, seed=9)
    found = Scorer(onnx.path, contract).outputs(model_input(encode(contract, frame)))
    assert found.shape == (50, {"multiclass": 3, "regression": 3}[problem])  # a number with its interval
    card = (version.bundle.path / "card.md").read_text()
    assert {
        "multiclass": "one of 3 classes: 'high', 'low', 'middle'",
        "regression": "a number, from `low` to `high` in 0.9 of the rows",
    }[problem] in card
    variant = Scorer(rebuilt(onnx, "optimised offline").path, contract).outputs(model_input(encode(contract, frame)))
    assert problem_of(contract).difference(variant, found).max() < 1e-5


@pytest.mark.parametrize("scale", [1e-4, 1e6])
def test_numbers_of_any_size_are_compared_relative_to_their_size(home, quiet, tmp_path, monkeypatch, scale):
    case = case_of(tmp_path, "regression", frame_of("regression", scale=scale))
    _, contract, parts, fitted = chain(case)
    assert convert.fn(parts, contract, case.features, fitted).max_difference < 1e-5
    honest = Scorer.outputs
    monkeypatch.setattr(Scorer, "outputs", lambda self, arrays: honest(self, arrays) * np.float32(1.0001))
    with pytest.raises(ConversionError, match="more than 1e-05 apart"):
        convert.fn(parts, contract, case.features, fitted)


def test_a_column_without_a_value_in_the_rows_that_are_learned_from_is_no_failure(home, quiet, tmp_path):
    """A source that stopped, a history that begins later, a part of the rows in which nothing was measured yet."""
    frame = frame_of("regression", rows=1200).assign(at=pd.date_range("2026-01-01", periods=1200, freq="h"))
    frame.loc[:899, "b"] = np.nan
    case = case_of(tmp_path, "regression", frame)
    _, contract, parts, fitted = chain(case)
    assert fitted.calibrated
    assert convert.fn(parts, contract, case.features, fitted).max_difference < 1e-5


@pytest.mark.parametrize("problem", ASKED)
def test_a_gate_that_does_not_hold_stops_the_release(home, quiet, tmp_path, problem):
    case = case_of(tmp_path, problem)
    bad = case.evaluation.gates[0].model_copy(update={"at_least": 0.999})
    case = case.model_copy(update={"evaluation": case.evaluation.model_copy(update={"gates": [bad]})})
    _, contract, parts, fitted = chain(case)
    with pytest.raises(GateFailed, match=rf"all: {bad.metric} 0\.\d+, bound >= 0.999"):
        evaluate.fn(case, parts, contract, fitted)


@pytest.mark.parametrize("problem", ASKED)
def test_a_challenger_with_more_rows_is_judged_by_the_loss_of_its_problem(home, quiet, tmp_path, problem):
    frame = frame_of(problem, rows=3000)
    champion, *_ = built(case_of(tmp_path, problem, frame[:200]))
    case = case_of(tmp_path, problem, frame)
    case = case.model_copy(
        update={"evaluation": case.evaluation.model_copy(update={"slices": SliceGates(columns=["c"], min_rows=50)})}
    )
    _, evaluation, parts, _ = built(case, "2")
    verdict = measure(case, champion, evaluation, parts, "a person")
    assert verdict.metric == WORDS[problem].metrics[0]
    assert verdict.better, verdict.reason
    assert verdict.difference > verdict.lower > 0
    assert [one.where for one in verdict.slices] != []


def test_a_champion_that_does_not_know_a_class_gives_it_no_probability(home, quiet, tmp_path):
    frame = frame_of("multiclass", rows=3000)
    champion, *_ = built(case_of(tmp_path, "multiclass", frame[frame["y"] != "high"]))
    case = case_of(tmp_path, "multiclass", frame)
    _, evaluation, parts, _ = built(case, "2")
    case = case.model_copy(update={"promotion": case.promotion.model_copy(update={"metric": "accuracy"})})
    verdict = measure(case, champion, evaluation, parts, "a person")
    share = (pd.read_parquet(evaluation.scores_path)["target"] == 0).mean()
    assert verdict.champion <= 1 - share
    assert verdict.better


def test_a_version_of_another_problem_is_no_rival(home, quiet, tmp_path):
    champion, *_ = built(case_of(tmp_path, "multiclass"))
    case = case_of(tmp_path, "regression")
    _, evaluation, parts, _ = built(case, "2")
    verdict = measure(case, champion, evaluation, parts, "a person")
    assert verdict.undecided
    assert "version 1 answers a multiclass problem, the challenger a regression one" in verdict.reason


@pytest.mark.parametrize(
    ("problem", "change", "message"),
    [
        ("regression", lambda y: y.astype(object).where(y.index != 7, "much"), r"row \d+: .* is no number; a regression"),
        ("regression", lambda y: y * 0 + 3, r"'y' is 3 in every row"),
        ("regression", lambda y: y > 5, r"row 0: .* is no number"),
        ("multiclass", lambda y: y.where(y == "low", "low"), r"'y' is 'low' in every row"),
        ("multiclass", lambda y: y.index * 1.5, r"'y' has values that are no classes \(.*regression' predicts numbers"),
        ("multiclass", lambda y: y.index, r"'y' has 1,200 values .* at most 1,000 classes"),
    ],
)
def test_a_target_that_does_not_fit_is_one_clear_error(home, quiet, tmp_path, problem, change, message):
    frame = frame_of(problem)
    case = case_of(tmp_path, problem, frame.assign(y=change(frame["y"])))
    with pytest.raises(InputError, match=rf"^target\.column: .*{message}"):
        derive_contract.fn(case, ingest.fn(case, None))


def test_a_class_that_only_the_holdout_has_is_told_at_the_split(home, quiet, tmp_path):
    frame = dated(frame_of("multiclass"))
    frame.loc[frame.index[-20:], "y"] = "new"
    case = case_of(tmp_path, "multiclass", frame)
    with pytest.raises(InputError, match=r"split\.holdout: the training part .* has no row of class 'new' of 'y'"):
        chain(case)


def test_a_history_that_leaves_out_a_class_is_told_at_the_training(home, quiet, tmp_path):
    frame = dated(frame_of("multiclass"))
    frame.loc[frame.index[:20], "y"] = "old"
    case = case_of(tmp_path, "multiclass", frame, training="{history: [20 days]}")
    with pytest.raises(InputError, match=r"training\.history: '20 days' leaves no row of class 'old' of 'y'"):
        chain(case)


@pytest.mark.parametrize(
    ("problem", "column", "found"),
    [
        ("regression", lambda y: -(y**3), r"rank correlation 1\.000"),
        ("multiclass", lambda y: y.map({"low": 3.5, "middle": -1, "high": 8}), r"accuracy beyond chance 1\.000"),
        ("multiclass", lambda y: y, r"is equal to the target"),
    ],
)
def test_a_feature_that_tells_the_answer_is_refused(home, quiet, tmp_path, problem, column, found):
    frame = frame_of(problem)
    frame["a"] = column(frame["y"])
    kind = {"numeric: [a, b], categorical: [c]": "numeric: [b], categorical: [c, a]"} if frame["a"].dtype != float else {}
    target, gate = ASKED[problem]
    case = small_use_case(tmp_path, frame, **{BINARY_TARGET: target, GATE: gate}, **kind)
    snapshot = ingest.fn(case, None)
    with pytest.raises(InputError, match=rf"column 'a' .*{found}"):
        validate.fn(case, snapshot, derive_contract.fn(case, snapshot), None)


@pytest.mark.parametrize("problem", ASKED)
def test_an_honest_table_is_valid(home, quiet, tmp_path, problem):
    case = case_of(tmp_path, problem)
    snapshot = ingest.fn(case, None)
    assert validate.fn(case, snapshot, derive_contract.fn(case, snapshot), None).expectations > 0


def test_classes_that_are_too_rare_to_judge_are_said(home, quiet, tmp_path):
    frame = frame_of("multiclass")
    frame.loc[frame.index[::60], "y"] = "odd"
    version, evaluation, _, _ = built(case_of(tmp_path, "multiclass", frame))
    (remark,) = evaluation.remarks
    assert remark == "The target is too rare in the holdout to be judged (fewer than 10 rows): 1 classes ('odd')"
    assert remark in (version.bundle.path / "card.md").read_text()


def test_gates_of_slices_that_judge_no_rows_are_said(home, quiet, tmp_path):
    case = case_of(tmp_path, "regression")
    rules = SliceGates(columns=["c"], min_rows=100_000, gates=[Gate(metric="r2", at_least=0.99)])
    case = case.model_copy(update={"evaluation": case.evaluation.model_copy(update={"slices": rules})})
    version, evaluation, _, _ = built(case)
    (remark,) = evaluation.remarks
    assert remark.startswith("No value of 'c' has enough rows")
    assert remark in (version.bundle.path / "card.md").read_text()


TEXT = """name: small
description: x
source: {{tables: {{rows: rows.csv}}}}
target: {{column: y, problem: {problem}{positive}}}
features: {{numeric: [a]}}
evaluation: {{gates: [{{metric: {metric}, at_most: 9}}]}}
monitoring: {{window: 100 rows}}
{more}
"""


@pytest.mark.parametrize(
    ("problem", "metric", "positive", "more", "message"),
    [
        (
            "regression",
            "roc_auc",
            "",
            "",
            "'evaluation.gates': 'roc_auc' does not fit problem 'regression'; those that do: r2, mae",
        ),
        ("multiclass", "brier", "", "", "those that do: log_loss, accuracy, balanced_accuracy"),
        ("binary", "mae", "", "", "'mae' does not fit problem 'binary'"),
        ("regression", "mae", "", "promotion: {metric: f1}", "'promotion.metric': 'f1' does not fit"),
        ("regression", "mae", ", positive: 1", "", "leave it out"),
        ("regression", "mae", "", "model: {estimator: logistic_regression}", "random_forest, lightgbm, xgboost, ridge"),
        ("ordinal", "mae", "", "", "'target.problem': input should be 'binary', 'multiclass', 'regression' or 'ranking'"),
        (
            "regression",
            "mae",
            "",
            "gates: {behaviour: [{test: direction, add: {a: 1}, probability: never falls, because: x}]}",
            "this direction test does not fit problem 'regression'; write 'prediction'",
        ),
        (
            "multiclass",
            "log_loss",
            "",
            "gates: {behaviour: [{test: direction, add: {a: 1}, prediction: never falls, because: x}]}",
            "does not fit problem 'multiclass'; use 'invariance' or 'minimum'",
        ),
        (
            "regression",
            "mae",
            "",
            "gates: {behaviour: [{test: minimum, given: {a: 1}, label: 3, because: x}]}",
            "a minimum test of problem 'regression' gives 'at_least or at_most'",
        ),
    ],
)
def test_words_that_do_not_fit_the_problem_are_one_clear_error(problem, metric, positive, more, message):
    text = TEXT.format(problem=problem, metric=metric, positive=positive, more=more)
    with pytest.raises(InputError) as caught:
        parse_use_case(text, "small.yaml")
    assert message in str(caught.value)


@pytest.mark.parametrize("problem", ASKED)
def test_what_a_version_records_is_read_again(problem):
    case = parse_use_case(TEXT.format(problem=problem, metric=WORDS[problem].metrics[0], positive="", more=""), "small.yaml")
    assert case.promotion.metric == WORDS[problem].metrics[0]
    assert type(case).model_validate(case.model_dump(mode="json")) == case


@pytest.mark.parametrize(
    ("problem", "metrics"), [("binary", BINARY), ("multiclass", MULTICLASS), ("regression", REGRESSION)]
)
def test_each_metric_that_may_be_named_is_there(problem, metrics):
    assert tuple(metrics) == WORDS[problem].metrics
    both = set(metrics) & set(BINARY)
    assert all(metrics[name].greater_is_better == BINARY[name].greater_is_better for name in both)


def test_metrics_equal_those_of_scikit_learn():
    from sklearn import metrics as m

    generator = np.random.default_rng(0)
    target, weight = generator.integers(0, 5, 900), generator.random(900)
    output = generator.dirichlet(np.ones(5), 900)
    answer = output.argmax(axis=1)
    everything = np.ones(900)
    for used, given in ((None, everything), (weight, weight)):
        wanted = {
            "log_loss": m.log_loss(target, output, sample_weight=given),
            "accuracy": m.accuracy_score(target, answer, sample_weight=given),
            "balanced_accuracy": m.balanced_accuracy_score(target, answer, sample_weight=given),
            "f1_macro": m.f1_score(target, answer, average="macro", sample_weight=given),
            "top_3_accuracy": m.top_k_accuracy_score(target, output, k=3, sample_weight=given),
            "roc_auc_ovr": np.mean([m.roc_auc_score(target == c, output[:, c], sample_weight=given) for c in range(5)]),
        }
        assert {name: each.value(target, output, used) for name, each in MULTICLASS.items()} == pytest.approx(wanted)
        truth, value = generator.normal(size=(2, 900))
        wanted = {
            "r2": m.r2_score(truth, value, sample_weight=given),
            "mae": m.mean_absolute_error(truth, value, sample_weight=given),
            "rmse": m.root_mean_squared_error(truth, value, sample_weight=given),
            "median_absolute_error": m.median_absolute_error(truth, value, sample_weight=given),
        }
        found = {n: each.value(truth, value, used) for n, each in REGRESSION.items() if n != "coverage"}  # of intervals
        assert found == pytest.approx(wanted, rel=0.01)


@pytest.mark.parametrize(
    ("problem", "classes", "labels", "targets"),
    [
        ("binary", (False, True), ["true", "false", None], [1, 0, None]),
        ("multiclass", (1, 2, 10), ["10", "1", "3", None], [2, 0, None, None]),
        ("multiclass", ("a", "it's"), ["it's", "a"], [1, 0]),
        ("regression", (), ["1.5", "-3", None], [1.5, -3.0, None]),
    ],
)
def test_labels_of_the_log_become_targets(problem, classes, labels, targets):
    contract = Contract("small", (Column("a", "numeric"),), "y", classes, problem=problem)
    rows = pa.table({"label": pa.array(labels, pa.string()), "features": ['{"a": 1}'] * len(labels)})
    assert decoded(rows, contract)["target"].to_pylist() == targets


def test_a_class_that_came_is_told_and_one_that_went_keeps_the_champion(home, quiet, tmp_path):
    frame = frame_of("multiclass", rows=3000)
    other = np.random.default_rng(0).random(3000) < 0.2
    more = frame.assign(y=frame["y"].where(~other, "other"))
    old, *_ = built(case_of(tmp_path, "multiclass", frame[:1000]))
    case = case_of(tmp_path, "multiclass", more)
    new, evaluation, parts, _ = built(case, "2")
    verdict = measure(case, old, evaluation, parts, "a person")
    assert "; class 'other' is new, and the champion never answers it; gain" in verdict.reason
    case = case_of(tmp_path, "multiclass", frame)
    _, evaluation, parts, _ = built(case, "3")
    verdict = measure(case, new, evaluation, parts, "a person")
    assert (verdict.better, verdict.undecided) == (False, True)
    assert "version 2 knows class 'other', of which no row was left to learn from; the champion stays" in verdict.reason


@pytest.fixture(scope="module")
def monitored(tmp_path_factory):
    """Of each problem a use case with its version, in one home."""
    from prefect.logging import disable_run_logger

    folder, found = tmp_path_factory.mktemp("monitored"), {}
    with pytest.MonkeyPatch.context() as patch, disable_run_logger():
        patch.setenv("SLIPWAY_HOME", str(folder / "home"))
        patch.setattr("tasks.training.evaluate.create_table_artifact", lambda **_: None)
        for problem in ASKED:
            (folder / problem).mkdir()
            frame = frame_of(problem, rows=3000)
            target = "metric: accuracy" if problem == "multiclass" else "metric: mae"
            case = case_of(folder / problem, problem, frame, promotion=f"{{{target}}}")
            case = case.model_copy(
                update={"evaluation": case.evaluation.model_copy(update={"slices": SliceGates(columns=["c"], min_rows=50)})}
            )
            found[problem] = case, built(case)[0]
            if problem == "regression":
                case = case.model_copy(update={"target": case.target.model_copy(update={"interval": None})})
                found["no interval"] = case, built(case)[0]
    return folder / "home", found


@pytest.fixture
def look(monitored, quiet, monkeypatch):
    """A look at a frame as at a window of the log."""
    home, built_cases = monitored
    monkeypatch.setenv("SLIPWAY_HOME", str(home))
    monkeypatch.setattr(tasks.monitoring.performance, "create_link_artifact", lambda **_: None)
    monkeypatch.setattr(tasks.monitoring.performance, "report_address", str)

    def looked(problem, frame, labelled=1.0):
        case, version = built_cases[problem]
        contract = read_bundle(version.bundle.path).contract
        rows = frame[list(contract.names)].add_prefix("feature.")
        outputs = Scorer(version.bundle.path / "model.onnx", contract).outputs(model_input(encode(contract, frame)))
        target = pd.Series(problem_of(contract).targets(contract, frame), dtype="Float64")
        known = np.random.default_rng(0).random(len(frame)) < labelled
        rows = rows.assign(
            output=outputs.astype(float).tolist(),
            target=target.mask(~known),
            time=np.datetime64("2026-01-01"),
            latency_us=100,
            prediction="x",
        )
        data = put_parquet("windows", pa.Table.from_pandas(rows, preserve_index=False))
        window = Window(use_case="small", name="w", start="0", end="9", rows=len(rows), labelled=int(known.sum()), data=data)
        drift = detect_drift.fn(case, window, version, 1.0)
        performance = measure_performance.fn(case, window, version.bundle)
        found = causes(drift, performance, Service(kpis={}))
        looked.case = case
        looked.window = window.model_copy(update={"contract": put("contracts", ".json", contract_json(contract))})
        return Finding(
            use_case="small", window="w", until="2026-01-01", version="1", rows=len(rows), drift=drift,
            performance=performance, service=Service(kpis={}), causes=list(found), alarms={}, report="http://x",
            false_alarm_rate=0.01,
        )  # fmt: skip

    return looked


@pytest.mark.parametrize("problem", ASKED)
def test_rows_like_the_reference_raise_nothing_and_are_measured(look, problem):
    finding = look(problem, frame_of(problem, rows=600, seed=5))
    assert finding.causes == [], told(finding)
    assert finding.performance.value is not None
    assert len(finding.performance.slices) == 3
    assert "holds its floor" in told(finding)


@pytest.mark.parametrize("problem", ASKED)
def test_another_meaning_of_the_columns_is_a_fall(look, problem):
    frame = frame_of(problem, rows=600, seed=5)
    finding = look(problem, frame.assign(y=frame["y"].to_numpy()[::-1]))
    assert finding.causes == ["performance"], told(finding)
    assert "fell under its floor" in told(finding)
    assert "errors rose about" in told(finding)


@pytest.mark.parametrize("problem", ASKED)
def test_drift_is_seen_and_what_it_costs_is_estimated_before_labels_come(look, problem):
    frame = frame_of(problem, rows=600, seed=5)
    finding = look(problem, frame.assign(a=frame["a"] / 2 + 1), labelled=0.0)
    assert "a" in finding.drift.drifted
    assert finding.drift.columns["a"].cost is not None
    told_now, performance = told(finding), finding.performance
    assert f"too few labels to judge (0); {performance.metric} estimated " in told_now
    truth = look(problem, frame.assign(a=frame["a"] / 2 + 1)).performance.value  # the answer still depends on the old `a`
    assert performance.estimate_lower <= performance.estimate <= performance.estimate_upper
    assert truth is not None


@pytest.mark.parametrize("problem", ASKED)
def test_the_estimate_of_rows_like_the_reference_is_what_their_labels_say(look, problem):
    frame = frame_of(problem, rows=600, seed=5)
    before, after = (look(problem, frame, labelled=share).performance for share in (0.0, 1.0))
    assert before.value is None
    assert before.estimate_lower <= after.value <= before.estimate_upper
    assert not before.estimate_fell


def test_of_numbers_without_intervals_nothing_is_estimated_and_that_is_said(look):
    frame = frame_of("regression", rows=600, seed=5)
    finding = look("no interval", frame.assign(a=frame["a"] / 2 + 1), labelled=0.0)
    assert finding.causes == ["drift"]
    why = "not estimated without intervals ('target.interval')"
    assert f"a moved, and the answers too; what drift costs is {why}" in told(finding)
    assert f"too few labels to judge (0); {finding.performance.metric} is {why}" in told(finding)
    assert f"| estimated without labels | {why} |" in describe(finding)
    assert finding.performance.estimate is None
    assert not finding.performance.estimate_fell


def test_where_every_feature_is_sensitive_the_answers_alone_are_watched(look, monitored, monkeypatch):
    look("regression", frame_of("regression", rows=600, seed=5))
    case, version = monitored[1]["regression"]
    rules = {name: ColumnRule(sensitive=True) for name in case.features.all}
    case = case.model_copy(update={"features": case.features.model_copy(update={"rules": rules})})
    assert calibrate_joint.fn(case, version.bundle, 512, []) == 1.0
    drift = detect_drift.fn(case, look.window, version, 1.0)
    assert (drift.columns, drift.highest) == ({}, 0.0)
    assert drift.prediction.score < 1
    monkeypatch.setattr(tasks.monitoring.report, "report_address", str)
    page = Path(drift_report.fn(case, look.window, version.bundle, drift)).read_text()
    assert "every feature is sensitive, so the log holds a hash of each" in page


@pytest.mark.parametrize(("problem", "target"), [("multiclass", "f1_macro"), ("regression", "rmse")])
def test_a_promised_metric_is_measured(look, problem, target):
    look(problem, frame_of(problem, rows=600, seed=5))
    promise = Objective(metric=target, at_least=0.0)
    case = look.case.model_copy(
        update={"monitoring": look.case.monitoring.model_copy(update={"objectives": [promise], "min_labels": 100})}
    )
    window = look.window.model_copy(update={"parts": [look.window]})
    kpi = measure_service.fn(case, window).kpis[f"metric {target}"]
    assert kpi.lower < kpi.value < kpi.upper


EXAMPLES = re.findall(r"```yaml\n(.*?)```", (PROJECT / "docs/regression-and-classes.md").read_text(), re.S)


def test_the_examples_of_the_documentation_are_use_cases():
    whole = [text for text in EXAMPLES if text.startswith("name:")]
    assert [parse_use_case(text, "doc").target.problem for text in whole] == ["regression", "multiclass"]


def test_bicycles_of_an_hour(home, quiet, real_data, monkeypatch):
    monkeypatch.setenv("DATA", str(real_data))
    case = parse_use_case(EXAMPLES[0], "doc")
    snapshot, contract, parts, fitted = chain(case)
    evaluation = evaluate.fn(case, parts, contract, fitted)
    assert all(gate.passed for gate in evaluation.gates)
    onnx = convert.fn(parts, contract, case.features, fitted)
    assert onnx.max_difference < 1e-5
    validate.fn(case, snapshot, contract, None)


@pytest.mark.parametrize(
    ("case", "passed"),
    [
        ({"test": "direction", "add": {"a": 1}, "prediction": "never falls"}, True),
        ({"test": "direction", "add": {"a": 1}, "prediction": "never rises"}, False),
        ({"test": "invariance", "change": {"b": [0, 7]}}, True),
        ({"test": "invariance", "change": {"a": [0, 7]}}, False),
        ({"test": "minimum", "given": {"a": 3}, "at_least": 299}, True),
        ({"test": "minimum", "given": {"a": 3}, "at_most": 299}, False),
    ],
)
def test_the_behaviour_of_a_number_is_asked(case, passed):
    """A release that answers a hundred times its column `a`."""
    contract = Contract("small", (Column("a", "numeric"), Column("b", "numeric")), "y", (), problem="regression")

    def answer(request):
        rows = json.loads(request.content)["records"]
        return httpx.Response(200, json={"predictions": [{"prediction": 100.0 * row["a"]} for row in rows]})

    records = [{"a": float(number), "b": 1.0} for number in range(5)]
    declared = TypeAdapter(Behaviour).validate_python({**case, "because": "x"})
    with httpx.Client(base_url="http://release", transport=httpx.MockTransport(answer)) as http:
        model = Model(http, contract)
        assert _declared(declared, model, records, model.outputs(records), contract).passed is passed
