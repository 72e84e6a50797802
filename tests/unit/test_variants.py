"""Variants of a graph: which apply, and that what they change is measured."""

import itertools

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from serving.contract.contract import Column, Contract
from serving.scoring.onnx import Scorer
from tasks.packaging import speed as speeds
from tasks.packaging.speed import speed
from tasks.packaging.values import OnnxModel
from tasks.packaging.variants import CONVERTED, NotApplicable, build_variant, rebuilt
from tasks.store import put

CONTRACT = Contract("demo", (Column("a", "numeric"),), "y", (0, 1))


@pytest.fixture
def network(tmp_path):
    """A small neural network: two matrix products and a softmax."""
    dice = np.random.default_rng(0)
    first, second = (dice.normal(size=shape).astype(np.float32) for shape in ((1, 64), (64, 2)))
    nodes = [
        helper.make_node("MatMul", ["a", "w1"], ["h"]),
        helper.make_node("Relu", ["h"], ["r"]),
        helper.make_node("MatMul", ["r", "w2"], ["o"]),
        helper.make_node("Softmax", ["o"], ["probabilities"]),
    ]
    graph = helper.make_graph(
        nodes,
        "network",
        [helper.make_tensor_value_info("a", TensorProto.FLOAT, [None, 1])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [None, 2])],
        [numpy_helper.from_array(first, "w1"), numpy_helper.from_array(second, "w2")],
    )
    content = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10).SerializeToString()
    path = tmp_path / "network.onnx"
    path.write_bytes(content)
    return path


def test_int8_is_built_where_there_are_matrix_products_and_moves_probabilities(network):
    rows = {"a": np.linspace(-2, 2, 50, dtype=np.float32)[:, None]}
    plain, int8 = Scorer(network, CONTRACT), Scorer(build_variant("int8", network), CONTRACT)
    difference = np.abs(plain.outputs(rows) - int8.outputs(rows)).max()
    assert 1e-5 < difference < 0.1, "so it is measured, and left"


def test_speed_is_the_plain_time_over_the_variants_and_a_bad_round_moves_only_the_lower_quartile(monkeypatch):
    """On a clock that only the scorers move: no timed test."""
    now = [0.0]
    monkeypatch.setattr(speeds.time, "perf_counter", lambda: now[0])

    class Takes:
        def __init__(self, *seconds):
            self.seconds = itertools.cycle(seconds)

        def outputs(self, rows):
            now[0] += next(self.seconds)

    rows = {"a": np.zeros((1, 1), np.float32)}
    assert speed(Takes(2), Takes(1), rows) == (2, 2)
    assert speed(Takes(2), Takes(1, 1, 4), rows) == (2, 0.5), "every third round is slow"


def test_trees_have_nothing_to_quantise(bundle_folder):
    with pytest.raises(NotApplicable, match="no matrix product"):
        build_variant("int8", bundle_folder / "model.onnx")


def test_a_recorded_variant_is_built_again_equal(home, bundle_folder):
    content = (bundle_folder / "model.onnx").read_bytes()
    onnx = OnnxModel(digest=put("onnx", ".onnx", content), rows_compared=1, max_difference=0, golden="")
    assert rebuilt(onnx, CONVERTED) == onnx
    again = [rebuilt(onnx, "optimised offline") for _ in range(2)]
    assert again[0].digest == again[1].digest != onnx.digest
    assert again[0].variant == "optimised offline"
