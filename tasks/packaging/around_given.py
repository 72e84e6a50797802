"""The graph that is served of a given file: the file as it is, between nodes that speak as every graph of Slipway does."""

from __future__ import annotations

from typing import Any

import numpy as np

from configs.errors import InputError
from serving.scoring.onnx import PROBABILITIES, VALUES, graph_input
from tasks.training.given import GivenModel
from tasks.training.given_file import WHERE
from tasks.training.given_graph import Taken

INSIDE = "file/"  # before every name of the file, so that none is one of Slipway's
LEAST_IR = 8  # initializers are no inputs, functions are known
DOMAINS = ("", "ai.onnx")


def around(given: GivenModel) -> Any:
    """An ONNX model that takes one (rows, 1) tensor a column of the contract, and answers as converted pipelines do."""
    from onnx import ModelProto, helper

    contract, ready = given.contract, given.ready
    result = ModelProto()
    result.CopyFrom(ready.model)
    result.ir_version = max(result.ir_version, LEAST_IR)
    if not any(each.domain in DOMAINS for each in result.opset_import):  # only trees, of ai.onnx.ml
        result.opset_import.append(helper.make_opsetid("", 13))
    _without_remarks(result)
    graph = result.graph
    _inside(graph)
    place = {name: graph_input(at) for at, name in enumerate(contract.names)}
    nodes = [node for each in ready.inputs for node in _in_front(each, place, graph)]
    maps = {node.output[0] for node in graph.node if node.op_type == "ZipMap"}
    body = [node for node in graph.node if not maps & set(node.output)]
    nodes += [*map(_copied, body), *_behind(given, graph)]
    kinds = {"float32": 1, "string": 8}
    inputs = [helper.make_tensor_value_info(place[each.name], kinds[each.dtype], [None, 1]) for each in contract.columns]
    outputs = [helper.make_tensor_value_info(VALUES, 1, [None, 1])]
    if contract.classes:
        outputs = [helper.make_tensor_value_info("label", 7, [None])]
        outputs += [helper.make_tensor_value_info(PROBABILITIES, 1, [None, len(contract.classes)])]
    del graph.node[:], graph.input[:], graph.output[:], graph.value_info[:], graph.quantization_annotation[:]
    graph.node.extend(nodes)
    graph.input.extend(inputs)
    graph.output.extend(outputs)
    if result.ByteSize() > 2**31 - 2**16:
        raise InputError(f"{WHERE}: the file is too large to be served; less than 2 GiB fit into one model")
    return result


def _in_front(each: Taken, place: dict[str, str], graph: Any) -> list[Any]:
    """The features of an input, side by side, in its type and shape."""
    from onnx import TensorProto, helper

    name, inputs, nodes = f"{INSIDE}{each.name}", [place[feature] for feature in each.features], []

    def add(kind: str, inputs: list[str], output: str, **more: Any) -> list[str]:
        nodes.append(helper.make_node(kind, inputs, [output], **more))
        return [output]

    if len(inputs) > 1:
        inputs = add("Concat", inputs, f"beside/{each.name}", axis=1)
    if each.element not in ("float", "string"):
        inputs = add("Cast", inputs, f"cast/{each.name}", to=TensorProto.DataType.Value(each.element.upper()))
    if each.flat:
        add("Reshape", [*inputs, _constant(graph, f"flat/{each.name}", np.array([-1]))], name)
    else:
        add("Identity", inputs, name)
    return nodes


def _behind(given: GivenModel, graph: Any) -> list[Any]:
    """What the file answers as float32 of shape (rows, k), by class of the contract."""
    from onnx import TensorProto, helper

    output, classes = given.ready.output, given.contract.classes
    answer = PROBABILITIES if classes else VALUES
    nodes = [helper.make_node("Cast", [f"{INSIDE}{output.tensor}"], ["answer/float"], to=TensorProto.FLOAT)]
    if output.order:
        order = _constant(graph, "answer/order", np.array(output.order))
        nodes.append(helper.make_node("Gather", ["answer/float", order], [answer], axis=1))
    else:
        shape = _constant(graph, "answer/shape", np.array([-1, 1]))
        column = "answer/positive" if classes else answer
        nodes.append(helper.make_node("Reshape", ["answer/float", shape], [column]))
        if classes:
            one = _constant(graph, "answer/one", np.array([[1]], dtype=np.float32))
            nodes.append(helper.make_node("Sub", [one, column], ["answer/negative"]))
            nodes.append(helper.make_node("Concat", ["answer/negative", column], [answer], axis=1))
    if classes:
        nodes.append(helper.make_node("ArgMax", [answer], ["label"], axis=1, keepdims=0))
    return nodes


def _constant(graph: Any, name: str, value: np.ndarray) -> str:
    from onnx import numpy_helper

    graph.initializer.append(numpy_helper.from_array(value, name))
    return name


def _inside(graph: Any) -> None:
    """Put every name of a graph, and of those in it, apart from Slipway's: names are unique across all of them."""
    for node in graph.node:
        node.input[:] = [name and f"{INSIDE}{name}" for name in node.input]
        node.output[:] = [name and f"{INSIDE}{name}" for name in node.output]
        for attribute in node.attribute:
            for inner in [*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs]:
                _inside(inner)
    sparse = [part for each in graph.sparse_initializer for part in (each.values, each.indices)]
    for each in [*graph.initializer, *sparse, *graph.input, *graph.output]:
        each.name = f"{INSIDE}{each.name}"
    del graph.value_info[:]


def _without_remarks(model: Any) -> None:
    """Exporters write paths and lines of source of their machine into a file; a bundle travels without them."""
    model.doc_string = model.graph.doc_string = ""
    del model.metadata_props[:]
    for node in model.graph.node:
        node.doc_string = ""
        del node.metadata_props[:]


def _copied(node: Any) -> Any:
    """A node that outlives the list that it is taken from."""
    return type(node).FromString(node.SerializeToString())
