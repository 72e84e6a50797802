"""Rows beside the holdout: they come to every split, and what goes wrong there stops the release."""

import numpy as np
import onnx
import pytest

import tasks.packaging.convert
from serving.scoring.onnx import Scorer
from tasks.data.frames import contract_of, encode, model_input, read_rows
from tasks.packaging import generated
from tasks.packaging.convert import ConversionError, check_generated, convert, to_onnx
from tasks.packaging.generated import generate
from tasks.problems.problem import problem_of
from tasks.problems.regression import Regression
from tasks.training.fitted import load
from tests.conftest import chain, small_frame, small_use_case

GAPS = {"{numeric: [a, b], categorical: [c]}": "{numeric: [a, b], categorical: [c], rules: {c: {nullable: true}}}"}


@pytest.fixture
def converted(home, quiet, tmp_path):
    """The graph of a model that learned from rows with gaps, and what the comparison is made of."""
    frame = small_frame()
    frame.loc[frame["a"] > 1, "b"] = np.nan
    case = small_use_case(tmp_path, frame, **GAPS)
    _, contract, parts, fitted = chain(case)
    columns, pipeline = contract_of(contract), load(fitted)
    encoded = encode(columns, read_rows(parts.snapshot, parts.cut, parts.snapshot.rows))[case.features.all]
    return (
        to_onnx(pipeline, columns, case.features),
        columns,
        encoded,
        lambda x: problem_of(columns).outputs(columns, pipeline, x),
    )


def changed(content, name, change):
    """The graph with one attribute of its trees changed."""
    model = onnx.load_from_string(content)
    node = next(node for node in model.graph.node if node.op_type.startswith("TreeEnsemble"))
    attribute = next(each for each in node.attribute if each.name == name)
    values = attribute.floats if name == "nodes_values" else attribute.ints
    change(values)
    return model.SerializeToString()


def test_rows_come_to_every_split_and_agree(converted):
    content, columns, encoded, outputs = converted
    made = generate(content, columns, encoded)
    assert (made.splits, made.unreached) == (made.sought, 0)
    assert made.splits > 500
    assert f"{made.splits:,} splits" in check_generated(made, columns, Scorer(content, columns), outputs, outputs(encoded))


def test_a_threshold_that_is_a_float_off_is_seen_at_every_split_of_a_number(converted):
    content, columns, encoded, _ = converted
    rows = model_input(generate(content, columns, encoded).together.encoded)
    right = Scorer(content, columns).outputs(rows)
    node = next(node for node in onnx.load_from_string(content).graph.node if node.op_type.startswith("TreeEnsemble"))
    found = {each.name: onnx.helper.get_attribute_value(each) for each in node.attribute}
    numbers = [p for p, mode in enumerate(found["nodes_modes"]) if mode != b"LEAF" and found["nodes_featureids"][p] > 0]
    for place in numbers[:: len(numbers) // 100]:
        for towards in (np.inf, -np.inf):

            def moved(values, place=place, towards=towards):
                values[place] = float(np.nextafter(np.float32(values[place]), np.float32(towards)))

            wrong = changed(content, "nodes_values", moved)
            assert (Scorer(wrong, columns).outputs(rows) != right).any(), place


def test_a_missing_value_that_goes_the_other_way_is_seen(converted):
    content, columns, encoded, outputs = converted

    def turned(values):
        for place in range(len(values)):
            values[place] = 1 - values[place]

    wrong = changed(content, "nodes_missing_value_tracks_true", turned)
    with pytest.raises(ConversionError, match="b nan"):
        check_generated(generate(content, columns, encoded), columns, Scorer(wrong, columns), outputs, outputs(encoded))


def test_a_converter_that_rounds_thresholds_up_stops_the_release_though_the_holdout_agrees(
    home, quiet, tmp_path, monkeypatch
):
    """A float32 step up at every split, as where doubles are rounded to the nearest: no row of the holdout lies there."""

    def rounded_up(*inputs):
        def up(values):
            values[:] = np.nextafter(np.array(values, dtype=np.float32), np.float32(np.inf)).tolist()

        return changed(to_onnx(*inputs), "nodes_values", up)

    case = small_use_case(tmp_path, small_frame().round(1))
    _, contract, parts, fitted = chain(case)
    monkeypatch.setattr(tasks.packaging.convert, "to_onnx", rounded_up)
    with pytest.raises(ConversionError, match=r"a generated row, at tree \d+, node \d+: column '[ab]' at .*: c "):
        convert.fn(parts, contract, case.features, fitted)
    monkeypatch.setattr(tasks.packaging.convert, "check_generated", lambda *_: "nothing")
    assert convert.fn(parts, contract, case.features, fitted).max_difference < 1e-5


def test_of_very_many_splits_the_same_sample_is_taken(converted, monkeypatch):
    content, columns, encoded, _ = converted
    monkeypatch.setattr(generated, "MOST_SPLITS", 50)
    first, second = (generate(content, columns, encoded) for _ in range(2))
    assert (first.sought, first.together.aims) == (50, second.together.aims)
    assert "of which 50 were sampled" in first.told


def test_no_number_is_as_far_off_as_can_be(converted):
    content, columns, encoded, outputs = converted
    scorer = Scorer(content, columns)
    silent = np.full_like(scorer.outputs(model_input(encoded)), np.nan)
    assert np.isinf(generated.apart(problem_of(columns), silent, outputs(encoded))).all()


def test_how_far_is_far_is_seen_on_real_rows_and_not_on_the_one_that_was_made():
    """A number near 0 that sums of larger ones give is as exact as those are."""
    found, expected, usual = np.array([[-3.3209e-4]]), np.array([[-3.3212e-4]]), np.array([[0.0], [2.0]])
    assert generated.apart(Regression(), found, expected)[0] > 1e-5
    assert generated.apart(Regression(), found, expected, usual)[0] < 1e-5
    assert generated.apart(Regression(), found + 1e-4, expected, usual)[0] > 1e-5


def test_rows_are_such_as_the_contract_lets_in(home, quiet, tmp_path):
    rules = "rules: {a: {minimum: -9, maximum: 9}, c: {allowed: [red, green, blue]}}"
    case = small_use_case(tmp_path, **{"categorical: [c]": f"categorical: [c], {rules}"})
    _, contract, parts, fitted = chain(case)
    columns = contract_of(contract)
    encoded = encode(columns, read_rows(parts.snapshot, parts.cut, parts.snapshot.rows))[case.features.all]
    made = generate(to_onnx(load(fitted), columns, case.features), columns, encoded)
    for rows in (made.together, made.single):
        columns.encode_columns({name: rows.encoded[name].tolist() for name in columns.names})
    assert made.single.encoded["a"].abs().max() == 9
