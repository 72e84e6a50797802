"""What stands behind the probabilities of a converted classifier: nodes in 64 bits, and the outputs that they end in."""

from __future__ import annotations

from typing import Any

import numpy as np

from serving.scoring.onnx import PROBABILITIES

LABEL = "label"
DOUBLE, FLOAT = 11, 1


def opened(model: Any) -> tuple[Any, Nodes, str]:
    """A copy of a model with outputs `label` and `probabilities`, what adds nodes to it, and the latter in 64 bits."""
    from onnx import ModelProto

    found = ModelProto()
    found.CopyFrom(model)
    moved = {PROBABILITIES: "scores", LABEL: "label_before"}
    for node in found.graph.node:
        node.input[:] = [moved.get(name, name) for name in node.input]
        node.output[:] = [moved.get(name, name) for name in node.output]
    made = Nodes(found.graph)
    return found, made, made.node("Cast", "scores", to=DOUBLE)


def closed(model: Any, made: Nodes, chances: str, classes: int) -> Any:
    """The model, whose outputs are now these probabilities and the class that is the most probable."""
    from onnx import helper

    graph = model.graph
    made.node("Cast", chances, to=FLOAT, name=PROBABILITIES)
    made.node("ArgMax", PROBABILITIES, axis=1, keepdims=0, name=LABEL)
    del graph.output[:], graph.value_info[:]
    graph.output.append(helper.make_tensor_value_info(LABEL, 7, [None]))
    graph.output.append(helper.make_tensor_value_info(PROBABILITIES, FLOAT, [None, classes]))
    if "" not in {known.domain for known in model.opset_import}:
        model.opset_import.append(helper.make_opsetid("", 21))
    return model


class Nodes:
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
