"""An own ONNX file: as many exporters write it, it goes the whole way, and what is wrong with one is one clear error."""

import hashlib
import json

import numpy as np
import onnx
import pandas as pd
import pytest
from onnx import TensorProto, helper, numpy_helper
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from configs.errors import InputError
from configs.load import parse_use_case
from serving.scoring.bundle import read_bundle
from serving.scoring.onnx import Scorer
from tasks.code import CODE
from tasks.data.frames import contract_of, encode, model_input, read_rows
from tasks.onboarding.check import check
from tasks.packaging.bundle import bundle
from tasks.packaging.convert import convert
from tasks.packaging.variants import choose_variant
from tasks.problems.problem import problem_of
from tasks.registry.lineage import lineage
from tasks.training.evaluate import evaluate
from tasks.training.fitted import load
from tasks.training.own import with_source
from tasks.training.train import train
from tests.conftest import SMALL, chain, small_frame

FLOAT, STRING, INT64, DOUBLE = TensorProto.FLOAT, TensorProto.STRING, TensorProto.INT64, TensorProto.DOUBLE
TARGETS = {
    "binary": ('{column: y, positive: "yes"}', "{metric: roc_auc, at_least: 0.6}"),
    "multiclass": ("{column: y, problem: multiclass}", "{metric: accuracy, at_least: 0.3}"),
    "regression": ("{column: y, problem: regression}", "{metric: r2, at_least: 0.1}"),
}


def rows_of(problem, whole=False):
    frame = small_frame()
    score = frame["a"] + frame["b"]
    if whole:
        frame[["a", "b"]] = frame[["a", "b"]].round()
    if problem == "multiclass":
        frame["y"] = pd.cut(score, [-99, -1, 1, 99], labels=["low", "mid", "high"]).astype(str)
    elif problem == "regression":
        frame["y"] = 3 * frame["a"] - frame["b"]
    return frame


@pytest.fixture
def given(tmp_path, home, quiet, monkeypatch):
    """Writes a file beside a use case, and gives the use case that names it."""
    monkeypatch.setenv("SLIPWAY_USE_CASES", str(tmp_path))

    def write(model, problem="binary", features="{numeric: [a, b]}", frame=None, more="", target=None):
        (tmp_path / "models").mkdir(exist_ok=True)
        (tmp_path / "models" / "mine.onnx").write_bytes(model if isinstance(model, bytes) else model.SerializeToString())
        (rows_of(problem) if frame is None else frame).to_csv(tmp_path / "rows.csv", index=False)
        text = SMALL.format(path=tmp_path / "rows.csv").replace("{numeric: [a, b], categorical: [c]}", features)
        for old, new in zip(TARGETS["binary"], TARGETS[problem], strict=True):
            text = text.replace(old, new)
        text = text.replace(TARGETS[problem][0], target or TARGETS[problem][0])
        text += f"model: {{onnx: models/mine.onnx}}\n{more}"
        (tmp_path / "small.yaml").write_text(text)
        return parse_use_case(text, "small.yaml", folder=tmp_path)

    return write


def released(case):
    """The chain to the bundle; its folder, its snapshot, and how far its answers are from those of the file alone."""
    snapshot, digest, parts, fitted = chain(case.model_copy(update={}))
    recipe = with_source(case.recipe)
    fitted = train.fn(snapshot, parts.learn, digest, recipe)
    contract = contract_of(digest)
    onnx_model = choose_variant.fn(parts, digest, case.features, convert.fn(parts, digest, case.features, fitted))
    evaluation = evaluate.fn(case, parts, digest, fitted)
    origin = lineage(case, parts, None, digest, onnx_model, "", recipe.source)
    built = bundle.fn(case, snapshot, digest, onnx_model, evaluation, origin)
    encoded = encode(contract, read_rows(snapshot, parts.cut, snapshot.rows))[case.features.all]
    problem = problem_of(contract)
    expected = problem.outputs(contract, load(fitted), encoded)
    found = Scorer(onnx_model.path, contract).outputs(model_input(encoded))
    return built.path, evaluation, float(problem.difference(found, expected).max())


def exported(estimator, frame, inputs, options=None, columns=("a", "b")):
    from skl2onnx import convert_sklearn

    fitted = estimator.fit(frame[list(columns)].to_numpy(dtype=np.float32), frame["y"])
    opset = {"": 17, "ai.onnx.ml": 3}
    return convert_sklearn(fitted, "mine", inputs, options={id(fitted): options} if options else None, target_opset=opset)


def network(inputs, outputs, nodes, constants, opset=17, ir=9):
    """A model as exporters of networks write it."""
    graph = helper.make_graph(
        nodes, "net", inputs, outputs, [numpy_helper.from_array(np.asarray(v), n) for n, v in constants.items()]
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=ir)


def value(name, kind, shape):
    return helper.make_tensor_value_info(name, kind, shape)


def perceptron(end="Sigmoid", width=1, kind=FLOAT, rows="batch", features=2, output="p", **more):
    """x W + b and an end, in the types of PyTorch and Keras; its answer says how large the sum of a and b is."""
    array = np.float64 if kind == DOUBLE else np.float32
    weights = np.ones((features, width), dtype=array) * np.linspace(-1, 1, width, dtype=array) if width > 1 else None
    weights = np.ones((features, 1), dtype=array) if weights is None else weights
    nodes = [
        helper.make_node("MatMul", ["x", "probabilities"], ["x0"]),  # names that Slipway's graphs have too
        helper.make_node("Add", ["x0", "bias"], ["z"]),
        helper.make_node(end, ["z"], [output], **({"axis": 1} if end == "Softmax" else {})),
    ]
    constants = {"probabilities": weights, "bias": np.zeros(width, dtype=array)}
    return network([value("x", kind, [rows, features])], [value(output, kind, [rows, width])], nodes, constants, **more)


MATRIX = [("x", "FloatTensorType", [None, 2])]


def types_of(spec):
    from skl2onnx.common import data_types

    return [(name, getattr(data_types, kind)(shape)) for name, kind, shape in spec]


def sklearn_file(estimator, problem, options=None, spec=MATRIX, rename=None):
    frame = rows_of(problem)
    if rename:
        frame["y"] = frame["y"].map(rename)
    return exported(estimator, frame, types_of(spec), options)


FILES = {
    "a forest with maps": lambda: ("binary", sklearn_file(RandomForestClassifier(9, min_samples_leaf=9), "binary")),
    "a forest with a tensor": lambda: (
        "multiclass",
        sklearn_file(RandomForestClassifier(9, min_samples_leaf=9), "multiclass", {"zipmap": False}),
    ),
    "a line with maps": lambda: ("multiclass", sklearn_file(LogisticRegression(), "multiclass")),
    "classes by number": lambda: (
        "binary",
        sklearn_file(LogisticRegression(), "binary", {"zipmap": False}, rename={"no": 0, "yes": 1}),
    ),
    "a number": lambda: ("regression", sklearn_file(RandomForestRegressor(9), "regression")),
    "a number of doubles": lambda: (
        "regression",
        sklearn_file(LinearRegression(), "regression", spec=[("x", "DoubleTensorType", [None, 2])]),
    ),
    "trees that read doubles": lambda: (
        "binary",
        sklearn_file(RandomForestClassifier(9, min_samples_leaf=9), "binary", spec=[("x", "DoubleTensorType", [None, 2])]),
    ),
    "a network with one output": lambda: ("binary", perceptron()),
    "a network with an output a class": lambda: ("binary", perceptron("Softmax", 2)),
    "a network of doubles": lambda: ("binary", perceptron(kind=DOUBLE)),
    "a network of an old opset": lambda: ("binary", perceptron(opset=9, ir=4)),
    "a network with a number": lambda: ("regression", perceptron("Identity")),
}


@pytest.mark.parametrize("name", list(FILES))
def test_files_of_many_exporters_go_the_whole_way(given, name):
    problem, model = FILES[name]()
    if name == "a network with a number":
        frame = rows_of("regression")
        case = given(model, problem, frame=frame.assign(y=2 * frame["a"] + frame["b"]))
    else:
        case = given(model, problem)
    folder, evaluation, apart = released(case)
    assert apart < 1e-6
    manifest = read_bundle(folder).manifest.lineage
    assert manifest["model_file"] == hashlib.sha256((folder.parents[3] / "models/mine.onnx").read_bytes()).hexdigest()
    assert "pipeline_source" not in manifest
    card = (folder / "card.md").read_text()
    assert f"`mine.onnx`, given as a file, SHA-256 `{manifest['model_file']}`" in card
    assert "Trained on" not in card
    assert "refitted" not in card
    assert "is not known here" in evaluation.remarks[-1]
    assert check("small", lambda _: None).problems == []


def test_columns_by_name_and_their_types(given):
    """A pipeline of scikit-learn that reads a DataFrame: an input a column, one of strings, one of whole numbers."""
    from skl2onnx import convert_sklearn

    frame = rows_of("binary", whole=True)
    frame.loc[::9, "c"] = None
    columns = ColumnTransformer([("c", OneHotEncoder(handle_unknown="ignore"), ["c"]), ("n", "passthrough", ["b", "a"])])
    fitted = make_pipeline(columns, LogisticRegression()).fit(frame[["a", "b", "c"]].fillna(""), frame["y"])
    spec = [("b", "Int64TensorType", [None, 1]), ("c", "StringTensorType", [None, 1]), ("a", "FloatTensorType", [None, 1])]
    model = convert_sklearn(fitted, "mine", types_of(spec), target_opset=15)
    case = given(model, features="{numeric: [a, b], categorical: [c]}", frame=frame)
    folder, _, apart = released(case)
    assert apart < 1e-6
    served = read_bundle(folder)
    encoded = served.contract.encode([{"a": 1, "b": -1, "c": "red"}, {"a": 1, "b": 2, "c": None}])
    expected = fitted.predict_proba(pd.DataFrame({"a": [1.0, 1], "b": [-1.0, 2], "c": ["red", ""]}))
    assert np.abs(Scorer(served.model, served.contract).outputs(encoded) - expected).max() < 1e-6


def test_booleans_are_numbers_behind_the_others_or_inputs_of_their_own(given):
    frame = rows_of("binary").assign(e=lambda rows: rows["a"] > 0)
    features = "{boolean: [e], numeric: [a, b]}"
    folder, _, apart = released(given(perceptron(features=3), frame=frame, features=features))
    assert read_bundle(folder).contract.names == ("a", "b", "e")
    assert apart < 1e-6
    model = of_inputs("a", "e")
    model.graph.input[1].CopyFrom(value("e", TensorProto.BOOL, ["n", 1]))
    folder, _, apart = released(given(model, frame=frame, features="{boolean: [e], numeric: [a]}"))
    served = read_bundle(folder)
    (found,) = Scorer(served.model, served.contract).outputs(served.contract.encode([{"a": 0.5, "e": True}]))
    assert found[1] == pytest.approx(1 / (1 + np.exp(-1.5)))


def test_inputs_without_a_second_axis_and_graphs_inside_the_graph(given):
    """`torch.onnx.export` of a function of two vectors; its If reads names of the graph around it."""
    branch = [
        helper.make_graph([helper.make_node("Add", ["s", "bias"], [f"o{at}"])], f"b{at}", [], [value(f"o{at}", FLOAT, None)])
        for at in range(2)
    ]
    nodes = [
        helper.make_node("Add", ["a", "b"], ["s"]),
        helper.make_node("If", ["yes"], ["z"], then_branch=branch[0], else_branch=branch[1]),
        helper.make_node("Sigmoid", ["z"], ["p"], doc_string="/home/somebody/secret.py(12)"),
    ]
    constants = {"bias": np.zeros(1, dtype=np.float32), "yes": np.array(True)}
    inputs = [value("a", FLOAT, ["n"]), value("b", FLOAT, ["n"])]
    folder, _, apart = released(given(network(inputs, [value("p", FLOAT, ["n"])], nodes, constants)))
    assert apart < 1e-6
    assert b"somebody" not in (folder / "model.onnx").read_bytes()


def test_the_order_of_classes_is_that_of_their_names(given):
    """scikit-learn sorts classes; the positive one is the first of them here."""
    model = sklearn_file(LogisticRegression(), "binary", {"zipmap": False})
    case = given(model, target='{column: y, positive: "no"}')
    folder, evaluation, apart = released(case)
    assert read_bundle(folder).contract.classes == ("yes", "no")
    assert evaluation.metrics["roc_auc"] > 0.7
    assert apart < 1e-6


def test_an_interval_is_learned_around_a_file_where_one_is_asked_for(given):
    model = sklearn_file(LinearRegression(), "regression")
    frame = rows_of("regression")
    frame["y"] += np.random.default_rng(0).normal(size=len(frame))
    assert given(model, "regression").target.interval is None
    case = given(model, "regression", frame=frame, target="{column: y, problem: regression, interval: 0.8}")
    folder, evaluation, apart = released(case)
    assert apart < 1e-5
    assert read_bundle(folder).contract.interval == 0.8
    assert "coverage" in evaluation.metrics


def test_weights_beside_the_file_come_into_it(given, tmp_path):
    case = given(perceptron())
    path = tmp_path / "models" / "mine.onnx"
    onnx.save_model(perceptron(), path, save_as_external_data=True, location="weights.bin", size_threshold=0)
    assert (tmp_path / "models" / "weights.bin").exists()
    folder, _, apart = released(case)
    assert apart < 1e-6
    assert read_bundle(folder).model
    before = with_source(case.recipe).source
    weights = (tmp_path / "models" / "weights.bin").read_bytes()
    (tmp_path / "models" / "weights.bin").write_bytes(bytes(len(weights)))
    assert with_source(case.recipe).source != before, "the weights are part of the model"
    (tmp_path / "models" / "weights.bin").write_bytes(weights[:4])
    with pytest.raises(InputError, match=r"^model\.onnx: the weights of .* cannot be read"):
        with_source(case.recipe)
    (tmp_path / "models" / "weights.bin").unlink()
    with pytest.raises(InputError, match=r"has weights in 'weights\.bin', which does not lie beside it"):
        with_source(case.recipe)


def looped(shape=("n", 2)):
    return [value("x", FLOAT, list(shape))]


def softmax_over_rows():
    return network(
        looped(),
        [value("p", FLOAT, ["n", 2])],
        [
            helper.make_node("Softmax", ["x"], ["q"], axis=0),
            helper.make_node("ReduceSum", ["q", "axes"], ["s"], keepdims=1),
            helper.make_node("Div", ["q", "s"], ["p"]),
        ],
        {"axes": np.array([1])},
    )


def two_outputs():
    model = perceptron()
    model.graph.node.append(helper.make_node("Identity", ["z"], ["z2"]))
    model.graph.output.append(value("z2", FLOAT, ["batch", 1]))
    return model


def only_labels():
    node = helper.make_node("ArgMax", ["x"], ["label"], axis=1, keepdims=0)
    return network(looped(), [value("label", INT64, ["n"])], [node], {})


def of_inputs(*names, kind=FLOAT, shape=("n", 1)):
    inputs = [value(name, kind, list(shape)) for name in names]
    nodes = [helper.make_node("Cast", [name], [f"{name}_f"], to=FLOAT) for name in names]
    nodes += [helper.make_node("Sum", [f"{name}_f" for name in names], ["s"]), helper.make_node("Sigmoid", ["s"], ["p"])]
    return network(inputs, [value("p", FLOAT, ["n", 1])], nodes, {})


def threshold():
    model = perceptron("Softmax", 2)
    model.graph.node.append(helper.make_node("ArgMin", ["p"], ["label"], axis=1, keepdims=0))
    model.graph.output.append(value("label", INT64, ["batch"]))
    return model


def reshaped():
    model = perceptron()
    model.graph.node[-1].output[0] = "q"
    model.graph.node.append(helper.make_node("Reshape", ["q", "shape"], ["p"]))
    model.graph.initializer.append(numpy_helper.from_array(np.array([3, 1]), "shape"))
    return model


def opset(version=17, ir=9):
    model = perceptron()
    model.ir_version, model.opset_import[0].version = ir, version
    return model


WRONG = {
    "no model": (lambda: b"a,b,y\n1,2,yes\n", {}, "is no ONNX model"),
    "IR": (lambda: opset(ir=99), {}, r"has IR version 99; export it with \d+ or lower"),
    "opset": (lambda: opset(99), {}, r"has opset 99; export it with one of 7 to \d+"),
    "an operator nobody has": (
        lambda: network(looped(), [value("p", FLOAT, ["n", 1])], [helper.make_node("Zork", ["x"], ["p"])], {}),
        {},
        "ONNX Runtime .* cannot run it: .*Zork",
    ),
    "trees of doubles": (
        lambda: sklearn_file(RandomForestRegressor(3), "regression", spec=[("x", "DoubleTensorType", [None, 2])]),
        {"problem": "regression"},
        "ONNX Runtime .* cannot run it: .*TreeEnsembleRegressor",
    ),
    "fixed rows": (lambda: perceptron(rows=1), {}, r"input 'x' has a fixed number of rows \(1\); export it with a dynamic"),
    "fixed rows inside": (reshaped, {}, "fails on 480 rows that the contract lets in|fails on 600 rows"),
    "features": (
        lambda: perceptron(features=3),
        {},
        r"input 'x' has shape \(batch, 3\), and there are 2 features \('a', 'b'\)",
    ),
    "a name": (lambda: of_inputs("a", "bb"), {}, "takes 'bb', which is no feature"),
    "an unread feature": (
        lambda: of_inputs("a", "b"),
        {"features": "{numeric: [a, b, e]}"},
        "takes no 'e', which is a feature",
    ),
    "strings": (
        lambda: of_inputs("a", "b", kind=STRING),
        {},
        "input 'a' takes string, but 'a' is a feature of kind 'numeric': numbers",
    ),
    "numbers": (
        lambda: of_inputs("a", "c"),
        {"features": "{numeric: [a], categorical: [c]}"},
        "input 'c' takes float, but 'c' is a feature of kind 'categorical': strings",
    ),
    "texts": (
        lambda: of_inputs("a", "c"),
        {"features": "{numeric: [a], text: [c]}"},
        "'c' is a feature of kind 'text', which only models trained here read",
    ),
    "moments": (
        lambda: of_inputs("a", "t"),
        {"features": "{numeric: [a], datetime: [t]}"},
        "'t' is a feature of kind 'datetime', which only models trained here read",
    ),
    "three axes": (lambda: of_inputs("a", "b", shape=("n", 1, 1)), {}, r"input 'a' has shape \(n, 1, 1\)"),
    "fractions": (lambda: of_inputs("a", "b", kind=INT64), {}, "takes int64, but 'a', row 0, is .*input of floats"),
    "outputs": (
        two_outputs,
        {},
        r"has the outputs 'p' tensor\(float\), 'z2' tensor\(float\); problem 'binary' needs one of",
    ),
    "labels": (only_labels, {}, "has the outputs 'label'.*needs one of probabilities"),
    "logits": (lambda: perceptron("Identity", 2), {}, r"row 0: answers \[.*\] as probabilities, .* put a Softmax"),
    "one logit": (lambda: perceptron("Identity"), {}, r"as probabilities, .*a Sigmoid\) at the end"),
    "width": (
        lambda: perceptron("Softmax", 3),
        {},
        r"output 'p' has 3 numbers a row, but 'y' has 2 classes \('no', 'yes'\)",
    ),
    "classes": (
        lambda: sklearn_file(LogisticRegression(), "binary", rename={"no": "stay", "yes": "go"}),
        {},
        "answers the classes 'go', 'stay', but 'y' has 'no', 'yes'",
    ),
    "another class": (
        lambda: sklearn_file(LogisticRegression(), "multiclass"),
        {},
        "answers the classes 'high', 'low', 'mid'",
    ),
    "a threshold": (threshold, {}, "row 0: answers .* and the label [01], which is not the most probable"),
    "rows together": (softmax_over_rows, {}, "each row must be answered for itself"),
    "a number of several": (
        lambda: perceptron("Identity", 2),
        {"problem": "regression"},
        "output 'p' is 2 numbers a row; a regression answers one",
    ),
}


@pytest.mark.parametrize("name", list(WRONG))
def test_what_is_wrong_with_a_file_is_one_clear_error_of_check_and_release(given, name):
    make, more, told = WRONG[name]
    frame = rows_of(more.get("problem", "binary"))
    case = given(make(), frame=frame.assign(e=1.0, t="2026-01-01T00:00:00Z"), **more)
    (problem,) = check("small", lambda _: None).problems
    assert problem.startswith("model.onnx: ")
    assert "\n" not in problem
    with pytest.raises(InputError, match=f"^model\\.onnx: .*({told})") as raised:
        chain(case)
    assert str(raised.value) == problem


def test_a_missing_value_that_the_file_does_not_take(given):
    frame = rows_of("binary")
    frame.loc[7, "b"] = np.nan
    with pytest.raises(
        InputError, match=r"answers \[nan, nan\] \(no number\) where 'b' is missing; fill it in 'source\.query'"
    ):
        chain(given(perceptron(), frame=frame))
    more = "{numeric: [a, b], rules: {b: {nullable: true}}}"
    with pytest.raises(InputError, match=r"no number. where 'b' is missing"):
        chain(given(perceptron(), features=more))
    with pytest.raises(InputError, match="takes int64, which cannot be missing, but 'b' can"):
        chain(given(of_inputs("a", "b", kind=INT64), features=more))


def test_a_row_within_the_contract_that_the_file_fails_on(given):
    """An embedding: whole numbers beyond its table fail, so their bounds are declared."""
    nodes = [
        helper.make_node("Gather", ["table", "a"], ["row"], axis=0),
        helper.make_node("Cast", ["b"], ["bf"], to=FLOAT),
        helper.make_node("Add", ["row", "bf"], ["s"]),
        helper.make_node("Sigmoid", ["s"], ["p"]),
    ]
    inputs = [value("a", INT64, ["n"]), value("b", INT64, ["n"])]
    table = {"table": np.linspace(-2, 2, 5, dtype=np.float32)}
    frame = rows_of("binary", whole=True)
    frame["a"] = frame["a"].clip(-2, 2) + 2
    model = network(inputs, [value("p", FLOAT, ["n"])], nodes, table)
    with pytest.raises(InputError, match=r"fails on 1 rows that the contract lets in.*declare the bounds"):
        released(given(model, frame=frame))
    bounded = given(model, frame=frame, features="{numeric: [a, b], rules: {a: {minimum: 0, maximum: 4}}}")
    assert released(bounded)[2] < 1e-6


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ("split: {refit: true}", "'split.refit' is about training, and the file of 'model.onnx' is not trained"),
        ("training: {history: ['30 days']}\n", "'training.history'"),
        ("training: {search: {space: {C: [1, 2]}}}", "'training.search' is about training"),
    ],
)
def test_nothing_of_a_training_is_asked_of_a_file(given, more, told):
    with pytest.raises(InputError, match=told):
        given(perceptron(), more=more)


def test_one_model_and_no_parameters(given):
    text = SMALL.format(path="rows.csv")
    for model, told in (
        ("{onnx: m.onnx, estimator: ridge}", "give either 'estimator'"),
        ("{onnx: m.onnx, parameters: {C: 1}}", "'parameters' are those of a training"),
    ):
        with pytest.raises(InputError, match=told):
            parse_use_case(f"{text}model: {model}", "small.yaml")


def test_a_path_is_one_from_the_use_case(given, tmp_path, monkeypatch):
    case = given(perceptron())
    monkeypatch.chdir("/")
    assert case.model.onnx == str(tmp_path / "models" / "mine.onnx")
    assert type(case).model_validate(json.loads(case.model_dump_json())) == case, "as a version records it"
    (tmp_path / "models" / "mine.onnx").unlink()
    assert check("small", lambda _: None).problems == [f"model.onnx: there is no file {case.model.onnx}"]


def test_the_digest_of_the_file_is_part_of_what_a_step_is_kept_under(given):
    from types import SimpleNamespace

    from tasks.step import content_key

    recipes = [with_source(given(model).recipe) for model in (perceptron(), perceptron(), perceptron(opset=16))]
    keys = {content_key(SimpleNamespace(task=train), {"recipe": each}) for each in recipes}
    assert len(keys) == 2
    assert CODE.digest("tasks.training.train")


def test_a_run_goes_on_with_the_file_that_it_began_with(given, tmp_path):
    case = given(perceptron())
    snapshot, digest, parts, first = chain(case)
    recipe = with_source(case.recipe)
    (tmp_path / "models" / "mine.onnx").write_bytes(b"another")
    assert train.fn(snapshot, parts.learn, digest, recipe) == first
    for path in (tmp_path / "home" / "store" / "models").glob("*.onnx"):
        path.unlink()
    with pytest.raises(InputError, match="is no ONNX model"):
        train.fn(snapshot, parts.learn, digest, recipe)
    (tmp_path / "models" / "mine.onnx").write_bytes(perceptron(opset=16).SerializeToString())
    with pytest.raises(InputError, match=f"is not the file with SHA-256 {recipe.source}; put that one back"):
        train.fn(snapshot, parts.learn, digest, recipe)


def test_the_file_that_serves_is_not_retrained_whoever_asks(given, tmp_path):
    from tasks.history import read_history
    from tasks.packaging.values import BundleRef
    from tasks.registry.values import Version
    from tasks.training.may_retrain import may_retrain

    case = given(perceptron())
    tags = {"model_file": with_source(case.recipe).source}
    serving = Version(use_case="small", version="3", run_id="", bundle=BundleRef(digest=""), golden="", tags=tags)
    for cause in ("drift", "schedule", "a person"):
        assert may_retrain.fn(case, None, cause, serving).startswith(
            "version 3 serves mine.onnx, a file that is not trained"
        )
    assert {entry["cause"] for entry in read_history("small", "declined")} == {"drift", "schedule", "a person"}
    (tmp_path / "models" / "mine.onnx").write_bytes(perceptron(opset=16).SerializeToString())
    assert may_retrain.fn(case, None, "a person", serving) is None, "another file is a challenger"
    assert may_retrain.fn(case, None, "a person", None) is None


def test_thresholds_in_64_bits_are_splits_too():
    from tasks.packaging.splits import Ensemble

    node = helper.make_node(
        "TreeEnsembleRegressor",
        ["x"],
        ["y"],
        domain="ai.onnx.ml",
        nodes_treeids=[0, 0, 0],
        nodes_nodeids=[0, 1, 2],
        nodes_featureids=[1, 0, 0],
        nodes_modes=["BRANCH_LEQ", "LEAF", "LEAF"],
        nodes_truenodeids=[1, 0, 0],
        nodes_falsenodeids=[2, 0, 0],
        nodes_values_as_tensor=numpy_helper.from_array(np.array([0.1, 0, 0]), "values"),
    )
    ensemble = Ensemble(node)
    (split,) = ensemble.splits(ensemble.asking)
    assert (split.feature, split.threshold) == (1, np.float32(0.1))


def test_what_is_left_to_the_table_is_inferred_beside_a_file(given, tmp_path):
    """The features, the gates and the problem come from the table; that nothing is trained does not."""
    case = given(perceptron(), frame=rows_of("binary").drop(columns="c"))
    (tmp_path / "small.yaml").write_text(
        'name: small\nsource: rows.csv\ntarget: {column: y, positive: "yes"}\nmodel: {onnx: models/mine.onnx}\n'
    )
    found = check("small", lambda _: None)
    assert found.problems == []
    assert "onnx" not in found.inferred
    assert case.model.onnx
