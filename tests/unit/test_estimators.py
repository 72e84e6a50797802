"""Every family of estimators, from a real table to a graph that equals it, on rows made for its splits too."""

import subprocess
import sys
from typing import get_args

import numpy as np
import pandas as pd
import pytest

from configs.errors import InputError
from configs.load import parse_use_case
from configs.problems import WORDS, Estimator
from configs.schema import Features, Model, Target
from configs.settings import PROJECT
from serving.scoring.onnx import Scorer
from tasks.data.frames import contract_of, encode, model_input, read_rows
from tasks.onboarding.check import check
from tasks.packaging.convert import convert
from tasks.problems.problem import problem_of
from tasks.training.compare import measure
from tasks.training.estimators.choose import FAMILIES
from tasks.training.evaluate import evaluate
from tasks.training.fit import build_pipeline
from tasks.training.fitted import load
from tests.conftest import SMALL, chain, small_frame, small_use_case
from tests.unit.test_problems import built, case_of, frame_of

ADULT = """
name: adult
description: What do we know of a person?
source:
  tables: {{adult: {folder}/adult.csv}}
  query: select * replace (nullif(capital_gain, 0) as capital_gain) from adult
target: {target}
features:
  categorical: [workclass, education, occupation]
  numeric: [age, capital_gain, education_num]
  rules: {{age: {{nullable: true}}, capital_gain: {{nullable: true}}}}
model: {{estimator: {estimator}, parameters: {parameters}}}
evaluation: {{gates: [{{metric: {gate}}}]}}
monitoring: {{window: 500 rows}}
"""
TARGETS = {
    "binary": ('{column: income, positive: ">50K"}', "roc_auc, at_least: 0.75"),
    "multiclass": ("{column: relationship, problem: multiclass}", "accuracy, at_least: 0.4"),
    "regression": ("{column: hours_per_week, problem: regression}", "r2, at_least: 0.02"),
}
FEW = {
    "random_forest": "{n_estimators: 15}",
    "lightgbm": "{n_estimators: 15, monotone_constraints: {age: 1}}",
    "xgboost": "{n_estimators: 15, monotone_constraints: {age: 1}}",
}


@pytest.fixture
def adult(home, quiet, tmp_path, real_data):
    """The use case of a problem and an estimator, over the first rows of the table."""
    pd.read_csv(real_data / "adult.csv", nrows=2500).to_csv(tmp_path / "adult.csv", index=False)

    def case(problem, estimator, parameters):
        target, gate = TARGETS[problem]
        text = ADULT.format(folder=tmp_path, target=target, gate=gate, estimator=estimator, parameters=parameters)
        return parse_use_case(text, "adult.yaml")

    return case


@pytest.mark.parametrize("problem", TARGETS)
@pytest.mark.parametrize("estimator", FEW)
def test_from_a_real_table_to_a_graph_that_is_the_same(adult, caplog, problem, estimator):
    """Also where a number is missing that never was in training (age), and at thresholds a float32 step to either side."""
    case = adult(problem, estimator, FEW[estimator])
    _, contract, parts, fitted = chain(case)
    evaluate.fn(case, parts, contract, fitted)
    onnx = convert.fn(parts, contract, case.features, fitted)
    assert onnx.max_difference < 1e-5
    _, contract, parts, again = chain(case)
    assert convert.fn(parts, contract, case.features, again).digest == onnx.digest


def test_every_name_has_its_family_and_does_what_the_schema_says():
    assert set(FAMILIES) == set(get_args(Estimator))
    for problem, words in WORDS.items():
        learner = problem_of(Target(column="y", problem=problem, query="asked" if words.queries else None)).learner
        assert set(words.estimators) == {name for name, family in FAMILIES.items() if learner in family.classes()}


@pytest.mark.parametrize("estimator", ["hist_gradient_boosting", "random_forest", "lightgbm", "xgboost"])
def test_answers_rise_along_a_constrained_column(home, quiet, tmp_path, estimator):
    family = FAMILIES[estimator]
    named = {family.monotone: {"b": -1}}
    case = small_use_case(tmp_path).model_copy(update={"model": Model(estimator=estimator, parameters=named)})
    _, contract, parts, fitted = chain(case)
    row = encode(contract_of(contract), read_rows(parts.snapshot, 0, 1))[case.features.all]
    rows = row.loc[[0] * 60].reset_index(drop=True).assign(b=np.linspace(-3, 3, 60, dtype=np.float32))
    answers = load(fitted).predict_proba(rows)[:, 1]
    assert (np.diff(answers) <= 1e-9).all()
    stray = Model(estimator=estimator, parameters={family.monotone: {"bb": 1}})
    with pytest.raises(InputError, match=f"{family.monotone}: 'bb': did you mean 'b'"):
        build_pipeline(case.features, stray, problem_of(case.target))


@pytest.mark.parametrize(
    ("estimator", "problem", "parameters", "said"),
    [
        ("lightgbm", "binary", {"num_leavs": 3}, "'num_leavs': did you mean 'num_leaves'"),
        ("lightgbm", "binary", {"boosting_type": "rf"}, "boosting: 'rf' does not fit: its forests lose their scale"),
        (
            "lightgbm",
            "multiclass",
            {"objective": "multiclassova"},
            "'multiclassova' does not fit: what converts: binary",
        ),
        ("lightgbm", "binary", {"cat_feature": [0]}, "categories are numbers in front of the trees"),
        ("lightgbm", "regression", {"linear_tree": True}, "a leaf of an ONNX tree is one number"),
        ("lightgbm", "binary", {"random_seed": 3}, "write model.seed"),
        ("xgboost", "binary", {"eta_": 3}, "'eta_': "),
        ("xgboost", "regression", {"booster": "dart"}, "booster: 'dart' does not fit"),
        ("xgboost", "binary", {"enable_categorical": True}, "categories are numbers in front of the trees"),
        ("xgboost", "multiclass", {"num_parallel_tree": 3}, "loses the class"),
        ("random_forest", "binary", {"leaves": 3}, "unexpected keyword argument 'leaves'"),
    ],
)
def test_what_does_not_convert_is_declined_before_anything_is_read(estimator, problem, parameters, said):
    model = Model(estimator=estimator, parameters=parameters)
    with pytest.raises(InputError, match=rf"^model\.parameters: {estimator}: .*{said}"):
        build_pipeline(Features(numeric=["a"]), model, problem_of(Target(column="y", problem=problem)))


@pytest.mark.parametrize(
    ("estimator", "parameters"),
    [
        ("lightgbm", {"num_leaves": 1}),
        ("xgboost", {"max_depth": "deep"}),
        ("random_forest", {"min_samples_leaf": -3}),
    ],
)
def test_a_value_that_the_library_refuses_is_one_clear_error(home, quiet, tmp_path, estimator, parameters):
    model = Model(estimator=estimator, parameters=parameters)
    with pytest.raises(InputError, match=r"^model\.parameters: ") as raised:
        chain(small_use_case(tmp_path).model_copy(update={"model": model}))
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("estimator", ["lightgbm", "xgboost"])
def test_an_extra_that_is_not_installed_names_the_command_and_check_tells_it(home, tmp_path, monkeypatch, estimator):
    small_frame().to_csv(tmp_path / "rows.csv", index=False)
    text = f"{SMALL.format(path=tmp_path / 'rows.csv')}model: {{estimator: {estimator}}}\n"
    (tmp_path / "small.yaml").write_text(text)
    monkeypatch.setenv("SLIPWAY_USE_CASES", str(tmp_path))
    for name in [name for name in sys.modules if name.partition(".")[0] == estimator]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, estimator, None)  # as where there is none
    (problem,) = check("small", lambda _: None).problems
    assert problem == f"model.estimator: {estimator} is not installed; run: pip install '.[{estimator}]'"


@pytest.mark.parametrize("gap", [(34.9, "up"), (0.1, "down")])
def test_lightgbm_splits_between_neighbours_among_the_float32s_and_so_does_the_graph(home, quiet, tmp_path, gap):
    low = np.float32(gap[0])
    high = np.nextafter(low, np.float32(np.inf if gap[1] == "up" else -np.inf))
    frame = small_frame(rows=1200)
    frame["a"] = np.where(frame["y"] == "yes", float(high), float(low))
    model = Model(estimator="lightgbm", parameters={"n_estimators": 5, "max_bin": 63})
    case = small_use_case(tmp_path, frame).model_copy(update={"model": model})
    _, contract, parts, fitted = chain(case)
    onnx = convert.fn(parts, contract, case.features, fitted)
    encoded = encode(contract_of(contract), frame)[case.features.all]
    assert Scorer(onnx.path, contract_of(contract)).outputs(model_input(encoded))[:, 1].std() > 0.1


def test_nothing_of_an_extra_is_in_the_serving_image_and_none_is_loaded_unasked():
    lock = (PROJECT / "infra" / "serving.lock").read_text()
    names = {line.split("==")[0] for line in lock.splitlines() if "==" in line}
    assert not names & {"lightgbm", "xgboost", "xgboost-cpu", "onnxmltools", "scikit-learn"}
    assert "numpy" in names
    code = "import sys, flows.release, tasks.training.fit; print([n for n in sys.modules if n in ('lightgbm', 'xgboost')])"
    done = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("estimator", FEW)
def test_a_challenger_of_another_library_is_judged_beside_the_champion(home, quiet, tmp_path, estimator):
    frame = frame_of("multiclass", rows=3000)
    champion, *_ = built(case_of(tmp_path, "multiclass", frame[:200]))
    case = case_of(tmp_path, "multiclass", frame, model=f"{{estimator: {estimator}, parameters: {{n_estimators: 30}}}}")
    challenger, evaluation, parts, _ = built(case, "2")
    verdict = measure(case, champion, evaluation, parts, "a person")
    assert verdict.better, verdict.reason
    assert estimator in (challenger.bundle.path / "card.md").read_text()
