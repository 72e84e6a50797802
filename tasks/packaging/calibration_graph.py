"""The graph of calibrated probabilities: a converted pipeline that gives scores, and the curve behind it, in 64 bits."""

from __future__ import annotations

from typing import Any

import numpy as np

from serving.scoring.onnx import PROBABILITIES
from tasks.training.calibrate import LEAST, Isotonic, Sigmoid

LABEL = "label"
DOUBLE, FLOAT = 11, 1


def calibrated(scored: Any, curve: Sigmoid | Isotonic, classes: int) -> Any:
    """One model with outputs `label` and `probabilities`; `scored` has the scores of each class in the latter's place."""
    from onnx import ModelProto, helper

    model = ModelProto()
    model.CopyFrom(scored)
    graph = model.graph
    moved = {PROBABILITIES: "scores", LABEL: "label_before"}
    for node in graph.node:
        node.input[:] = [moved.get(name, name) for name in node.input]
        node.output[:] = [moved.get(name, name) for name in node.output]
    made = _Nodes(graph)
    wide = made.node("Cast", "scores", to=DOUBLE)
    if classes == 2:
        chance = _chance(made, curve, made.node("Gather", wide, made.constant([1], np.int64), axis=1))
        chances = made.node("Concat", made.node("Sub", made.constant([[1.0]]), chance), chance, axis=1)
    else:
        logs = made.node("Max", made.node("LogSoftmax", wide, axis=1), made.constant([[LEAST]]))
        each = _chance(made, curve, logs)
        chances = made.node("Div", each, made.node("ReduceSum", each, made.constant([1], np.int64), keepdims=1))
    made.node("Cast", chances, to=FLOAT, name=PROBABILITIES)
    made.node("ArgMax", PROBABILITIES, axis=1, keepdims=0, name=LABEL)
    del graph.output[:], graph.value_info[:]
    graph.output.append(helper.make_tensor_value_info(LABEL, 7, [None]))
    graph.output.append(helper.make_tensor_value_info(PROBABILITIES, FLOAT, [None, classes]))
    if "" not in {known.domain for known in model.opset_import}:
        model.opset_import.append(helper.make_opsetid("", 21))
    return model


class _Nodes:
    """Adds nodes and constants to a graph, each with a name of its own."""

    def __init__(self, graph: Any) -> None:
        self._graph, self._count = graph, 0

    def constant(self, values: Any, dtype: Any = np.float64) -> str:
        """Its name."""
        from onnx import numpy_helper

        name = self._name()
        self._graph.initializer.append(numpy_helper.from_array(np.asarray(values, dtype=dtype), name))
        return name

    def node(self, kind: str, *inputs: str, name: str = "", **attributes: Any) -> str:
        """The name of its output."""
        from onnx import helper

        name = name or self._name()
        self._graph.node.append(helper.make_node(kind, list(inputs), [name], **attributes))
        return name

    def _name(self) -> str:
        self._count += 1
        return f"calibration_{self._count}"


def _chance(made: _Nodes, curve: Sigmoid | Isotonic, scores: str) -> str:
    if isinstance(curve, Sigmoid):
        line = made.node("Add", made.node("Mul", scores, made.constant([curve.slope])), made.constant([curve.shift]))
        one = made.constant([[1.0]])
        return made.node("Div", one, made.node("Add", one, made.node("Exp", made.node("Neg", line))))
    # What lies between two knots is as much of their step as the score has come of their distance.
    knots, values = curve.knots, curve.values
    nothing, widths = made.constant([[0.0]]), made.constant([np.diff(knots)])
    come = made.node("Min", made.node("Max", made.node("Sub", scores, made.constant([knots[:-1]])), nothing), widths)
    steps = made.node("Mul", come, made.constant([np.diff(values) / np.diff(knots)]))
    whole = made.node("ReduceSum", steps, made.constant([1], np.int64), keepdims=1)
    return made.node("Add", whole, made.constant([[values[0]]]))
