"""Models of one's own: the page's example goes the whole way, and what is wrong with one is one clear error."""

import os
import re
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from configs.errors import InputError
from configs.schema import Model
from configs.settings import PROJECT
from serving.scoring.bundle import read_bundle
from serving.scoring.onnx import Scorer
from tasks.code import CODE
from tasks.data.frames import contract_of, encode, model_input, read_rows
from tasks.onboarding.check import check
from tasks.packaging.bundle import bundle
from tasks.packaging.convert import ConversionError, convert
from tasks.packaging.variants import choose_variant
from tasks.problems.problem import problem_of
from tasks.registry.lineage import lineage
from tasks.training.evaluate import evaluate
from tasks.training.fitted import load
from tasks.training.own import source_of, told, with_source
from tests.conftest import SMALL, chain, small_frame, small_use_case

PAGE = (PROJECT / "docs" / "own-models.md").read_text()


@pytest.fixture
def own(tmp_path, home, quiet, monkeypatch):
    """Writes a module into the folder of the use case, and gives a use case that names it."""
    monkeypatch.setenv("SLIPWAY_USE_CASES", str(tmp_path))
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)

    def write(
        source, path="mine.py", pipeline=None, frame=None, target='{column: y, positive: "yes"}', gate="", **parameters
    ):
        file = tmp_path / path
        file.parent.mkdir(exist_ok=True)
        file.write_text(source)
        case = small_use_case(
            tmp_path,
            small_frame() if frame is None else frame,
            **{
                '{column: y, positive: "yes"}': target,
                "{metric: roc_auc, at_least: 0.6}": gate or "{metric: roc_auc, at_least: 0.6}",
            },
        )
        name = pipeline or f"{'.'.join(file.relative_to(tmp_path).with_suffix('').parts)}:build"
        return case.model_copy(update={"model": Model(pipeline=name, parameters=parameters)})

    yield write
    for name in set(sys.modules) - before:
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", "") or ""):
            del sys.modules[name]
    from tasks.training.own import _loaded

    _loaded.cache_clear()


def released(case):
    """The chain to the bundle; its folder, and how far its answers are from those of the pipeline."""
    snapshot, digest, parts, fitted = chain(case)
    contract = contract_of(digest)
    onnx = choose_variant.fn(parts, digest, case.features, convert.fn(parts, digest, case.features, fitted))
    evaluation = evaluate.fn(case, parts, digest, fitted)
    recipe = with_source(case.recipe)
    built = bundle.fn(case, snapshot, digest, onnx, evaluation, lineage(case, parts, None, digest, onnx, "", recipe.source))
    encoded = encode(contract, read_rows(snapshot, parts.cut, snapshot.rows))[case.features.all]
    problem = problem_of(contract)
    expected = problem.outputs(contract, load(fitted), encoded)
    found = Scorer(onnx.path, contract).outputs(model_input(encoded))
    return built.path, float(problem.difference(found, expected).max())


def of_the_page():
    return re.search(r"```python\n(.*?)```", PAGE, re.DOTALL)[1]


def test_the_example_of_the_page_goes_the_whole_way(own):
    case = own(of_the_page(), "mymodels/churn.py", trees=60)
    assert re.search(r"model: (.*)", PAGE)[1] == "{pipeline: mymodels.churn:build, parameters: {trees: 60}}"
    frame = small_frame()
    frame.loc[::7, "b"] = np.nan
    frame.loc[::9, "c"] = None
    case = own(of_the_page(), "mymodels/churn.py", frame=frame, trees=60)
    folder, apart = released(case)
    assert apart < 1e-5
    manifest = read_bundle(folder).manifest.lineage
    assert manifest["pipeline_source"] == source_of("mymodels.churn:build")
    assert manifest["configuration"]["model"]["pipeline"] == "mymodels.churn:build"
    assert "`mymodels.churn:build` {'trees': 60}" in (folder / "card.md").read_text()
    assert not list(folder.glob("*.py"))


PIPELINES = {
    "the encoder, and a forest": "E(given.encoder(), {ensemble}(n_estimators=20, min_samples_leaf=5))",
    "the encoder for linear models": "E(given.encoder(linear=True), {linear}())",
    "more steps": "E(given.encoder(linear=True), SelectKBest(k=3), {linear}())",
    "several models": "E(given.encoder(linear=True), {voting}([('a', {linear}()), ('b', {boosting}(max_iter=9))]))",
    "columns by name": "E(ColumnTransformer([('n', RobustScaler(), ['b', 'a'])], remainder='drop'), {linear}())",
}
KINDS = {
    "Classifier": "RandomForestClassifier VotingClassifier LogisticRegression HistGradientBoostingClassifier",
    "Regressor": "RandomForestRegressor VotingRegressor Ridge HistGradientBoostingRegressor",
}


@pytest.mark.parametrize("problem", ["binary", "multiclass", "regression"])
@pytest.mark.parametrize("kind", list(PIPELINES))
def test_pipelines_equal_their_graphs(own, kind, problem):
    ensemble, voting, linear, boosting = KINDS["Regressor" if problem == "regression" else "Classifier"].split()
    made = PIPELINES[kind].format(ensemble=ensemble, voting=voting, linear=linear, boosting=boosting)
    if "voting" in PIPELINES[kind] and "Classifier" in voting:
        made = made.replace("))]))", "))], voting='soft', flatten_transform=False))")
    source = f"""
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import *
from sklearn.feature_selection import SelectKBest
from sklearn.linear_model import *
from sklearn.pipeline import make_pipeline as E
from sklearn.preprocessing import RobustScaler
def build(given):
    return {made}
"""
    frame = small_frame()
    target, gate = '{column: y, positive: "yes"}', ""
    if problem == "multiclass":
        frame["y"] = pd.cut(frame["a"] + frame["b"], [-99, -1, 1, 99], labels=["low", "mid", "high"]).astype(str)
        target, gate = "{column: y, problem: multiclass}", "{metric: accuracy, at_least: 0.1}"
    elif problem == "regression":
        frame["y"] = 3 * frame["a"] - frame["b"]
        # Trees behind a scaler are no case for an interval: rows that are made for its trees lie on their thresholds.
        interval = "null" if kind == "several models" else "0.9"
        target = f"{{column: y, problem: regression, interval: {interval}}}"
        gate = "{metric: r2, at_least: 0.1}"
    case = own(source, frame=frame, target=target, gate=gate)
    case = case.model_copy(
        update={"promotion": case.promotion.model_copy(update={"metric": case.evaluation.gates[0].metric})}
    )
    assert released(case)[1] < 1e-5


def test_a_number_of_trees_behind_a_scaler_is_stopped_where_rows_are_made_on_their_thresholds(own):
    source = """
from sklearn.ensemble import HistGradientBoostingRegressor, VotingRegressor
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
def build(given):
    voting = VotingRegressor([("a", Ridge()), ("b", HistGradientBoostingRegressor(max_iter=9))])
    return make_pipeline(given.encoder(linear=True), voting)
"""
    frame = small_frame()
    frame["y"] = 3 * frame["a"] - frame["b"]
    case = own(source, frame=frame, target="{column: y, problem: regression}", gate="{metric: r2, at_least: 0.1}")
    _, digest, parts, fitted = chain(case)
    with pytest.raises(ConversionError, match=r"a generated row, at tree \d+, node \d+: column '[ab]' at "):
        convert.fn(parts, digest, case.features, fitted)


def test_what_has_no_seed_gets_that_of_the_use_case(own):
    case = own("from sklearn.ensemble import RandomForestClassifier as F\ndef build(given): return F(9)\n")
    case = case.model_copy(update={"features": case.features.model_copy(update={"categorical": []})})
    digests = set()
    for _ in range(2):
        _, contract, parts, fitted = chain(case)
        assert load(fitted)[-1].random_state == case.model.seed
        digests.add(convert.fn(parts, contract, case.features, fitted).digest)
    assert len(digests) == 1


def test_a_tree_whose_missing_numbers_go_elsewhere_in_the_graph_is_stopped(own):
    frame = small_frame()
    frame.loc[frame["a"] > 1, "b"] = np.nan
    forest = "make_pipeline(given.encoder(), DecisionTreeClassifier(min_samples_leaf=5))"
    source = f"from sklearn.tree import *\nfrom sklearn.pipeline import *\ndef build(given): return {forest}\n"
    _, contract, parts, fitted = chain(case := own(source, frame=frame))
    with pytest.raises(ConversionError, match="ONNX says"):
        convert.fn(parts, contract, case.features, fitted)


HEAD = "from sklearn.linear_model import *\nfrom sklearn.pipeline import make_pipeline as E\n"
WRONG = {
    "import lightgbmm\n": r"mine cannot be imported: ModuleNotFoundError: .*'lightgbmm' \(mine.py, line 1\); install",
    "def build(given)\n": r"mine cannot be imported: SyntaxError: .*\(mine.py, line 1\)",
    "1 / 0\n": r"mine cannot be imported: ZeroDivisionError: division by zero \(mine.py, line 1\)",
    "def built(given): pass\n": r"has no function 'build'; did you mean 'built'\?",
    "def build(given, depth): pass\n": r"model\.parameters: mine:build\(given, depth\): missing .*'depth'",
    "def build(given):\n    return given.columns\n": r"mine:build fails: AttributeError: .*\(mine.py, line 2\)",
    "def build(given): return 3\n": "returns 3, which is no estimator",
    HEAD + "def build(given): return LogisticRegression\n": "returns the class LogisticRegression; return an instance",
    HEAD + "def build(given): return E(given.encoder(True), Ridge())\n": "returns Ridge, which is no classifier",
    HEAD + "def build(given): return E(given.encoder(True), RidgeClassifier())\n": "gives no probabilities",
    HEAD + "from sklearn.base import *\n"
    "class Shape(TransformerMixin, BaseEstimator):\n    def fit(self, x, y=None): return self\n"
    "def build(given): return E(given.encoder(True), Shape(), LogisticRegression())\n": (
        r"step 'shape' \(Shape\), which skl2onnx cannot convert; what converts: "
    ),
}


@pytest.mark.parametrize("source", list(WRONG))
def test_what_cannot_be_built_is_one_line_and_check_tells_it(own, tmp_path, source):
    case = own(source)
    with pytest.raises(InputError, match=WRONG[source]) as raised:
        chain(case)
    assert "\n" not in str(raised.value)
    text = SMALL.format(path=tmp_path / "rows.csv")
    (tmp_path / "small.yaml").write_text(f"{text}model: {{pipeline: 'mine:build'}}\n")
    (problem,) = check("small", lambda _: None).problems
    assert re.search(WRONG[source], problem)


def test_a_module_that_is_not_there_and_a_regression(own):
    with pytest.raises(InputError, match=r"^model\.pipeline: there is no module 'nowhere', neither installed nor in "):
        chain(own("", pipeline="nowhere.at_all:build"))
    frame = small_frame().assign(y=lambda rows: rows["a"] * 2)
    case = own(
        HEAD + "def build(given): return E(given.encoder(True), LogisticRegression())\n",
        frame=frame,
        target="{column: y, problem: regression}",
        gate="{metric: r2, at_least: 0.1}",
    )
    with pytest.raises(InputError, match="returns LogisticRegression, which is no regressor"):
        chain(case)


def test_a_pipeline_that_cannot_be_fitted_or_converted_names_the_step(own):
    with pytest.raises(InputError, match=r"mine:build cannot be fitted: ValueError: could not convert string to float"):
        chain(own(HEAD + "def build(given): return LogisticRegression()\n"))
    _, contract, parts, fitted = chain(
        own(
            HEAD + "from sklearn.preprocessing import FunctionTransformer\nimport numpy\n"
            "def build(given): return E(given.encoder(True), FunctionTransformer(numpy.cbrt), LogisticRegression())\n",
            "theirs.py",
        )
    )
    with pytest.raises(
        InputError, match=r"step 'functiontransformer' \(FunctionTransformer\) does not convert: .*what converts"
    ):
        convert.fn(parts, contract, small_use_case(parts.snapshot.path.parent).features, fitted)


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ("{pipeline: 'a:b', estimator: ridge}", "give either 'estimator' or 'pipeline'"),
        ("{pipeline: a.b}", "should match pattern"),
        ("{estimator: null}", "give either 'estimator' or 'pipeline'"),
    ],
)
def test_one_of_estimator_and_pipeline(home, tmp_path, model, said):
    with pytest.raises(InputError, match=said):
        small_use_case(tmp_path, **{"evaluation:": f"model: {model}\nevaluation:"})


def test_a_recorded_use_case_is_read_again(own):
    case = own("")
    assert type(case).model_validate(case.model_dump(mode="json")) == case


def digest(folder, path="pack.model:build"):
    """What the source is in a new process, as one run after another has it."""
    program = f"from tasks.training.own import source_of; print(source_of({path!r}))"
    environment = {**os.environ, "SLIPWAY_USE_CASES": str(folder)}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=PROJECT, env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout


def test_a_changed_source_is_another_model_and_comments_are_not(tmp_path):
    (tmp_path / "pack").mkdir()
    files = {
        "model": "from . import parts\nimport beside\ndef build(given): return parts\n",
        "parts": "A = 1\n",
        "other": "B = 1\n",
    }
    for name, text in files.items():
        (tmp_path / "pack" / f"{name}.py").write_text(text)
    (tmp_path / "beside.py").write_text("C = 1\n")
    first = digest(tmp_path)
    (tmp_path / "pack" / "model.py").write_text('"""What it is."""\n' + files["model"] + "# and why\n")
    (tmp_path / "pack" / "other.py").write_text("B = 2\n")
    assert digest(tmp_path) == first, "what it does not run"
    (tmp_path / "pack" / "parts.py").write_text("A = 2\n")
    second = digest(tmp_path)
    (tmp_path / "beside.py").write_text("C = 2\n")
    assert len({first, second, digest(tmp_path)}) == 3, "what it imports of its folder"


def test_the_digest_is_part_of_what_a_training_is_kept_under(own):
    from types import SimpleNamespace

    from tasks.step import content_key
    from tasks.training.train import train

    recipe = with_source(own("def build(given): pass\n").recipe)
    assert recipe.source
    keys = {
        content_key(SimpleNamespace(task=train), {"recipe": each})
        for each in (recipe, recipe.model_copy(), recipe.model_copy(update={"source": "another"}))
    }
    assert len(keys) == 2
    assert CODE.digest("tasks.training.train")


def test_nothing_is_trained_under_the_digest_of_another_source(own):
    from tasks.training.own import same_source

    recipe = with_source(own("def build(given): pass\n").recipe)
    same_source(recipe)
    with pytest.raises(InputError, match="is not what the run began with"):
        same_source(recipe.model_copy(update={"source": "another"}))


def test_an_error_is_told_with_the_line_of_the_module():
    with pytest.raises(ValueError, match="two") as raised:
        int_of("two\nlines")
    assert re.fullmatch(r"ValueError: two lines \(test_own.py, line \d+\)", told(raised.value))


def int_of(text):
    raise ValueError(text)
