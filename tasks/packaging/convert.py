"""Convert: scikit-learn to ONNX, compared on holdout and generated rows, and written in one canonical spelling.

A given file is compared as a pipeline is: the graph around it with the file alone.
"""

from __future__ import annotations

import hashlib
import heapq
import json
from collections.abc import Callable
from typing import Any

import numpy as np
from prefect import get_run_logger

from configs.errors import CheckFailed, InputError
from configs.schema import Features
from serving.contract.contract import Contract
from serving.scoring.onnx import Scorer, graph_input
from tasks.data.frames import client_values, contract_of, encode, model_input, read_rows
from tasks.data.values import Split
from tasks.packaging.around_given import DOMAINS, around
from tasks.packaging.calibration_graph import calibrated
from tasks.packaging.generated import Generated, Rows, apart, generate
from tasks.packaging.inside import first_line, inside, refused
from tasks.packaging.interval_graph import joined
from tasks.packaging.many_rows import outputs_of
from tasks.packaging.threshold_graph import with_threshold
from tasks.packaging.values import OnnxModel
from tasks.problems.problem import Problem, problem_of
from tasks.step import step
from tasks.store import put
from tasks.training.calibrate import Calibrated
from tasks.training.convertible import CONVERTS
from tasks.training.estimators.choose import teach
from tasks.training.fitted import load
from tasks.training.given import GivenModel
from tasks.training.interval import Within
from tasks.training.threshold import Moved
from tasks.training.values import FittedModel

TOLERANCE = 1e-5
GOLDEN_ROWS = 50
OPSET = {"": 21, "ai.onnx.ml": 3}


class ConversionError(CheckFailed):
    """ONNX and what it was made of disagree."""


@step
def convert(split: Split, contract: str, features: Features, fitted: FittedModel) -> OnnxModel:
    """Convert, compare every holdout row and every generated one with scikit-learn, keep the ONNX file and golden rows.

    Raises:
        ConversionError: naming the row that differs most, where it does by more than the tolerance.
    """
    columns, pipeline = contract_of(contract), load(fitted)
    problem, origin = problem_of(columns), origin_of(pipeline)
    content = to_onnx(pipeline, columns, features)
    frame = read_rows(split.snapshot, split.cut, split.snapshot.rows)
    encoded = encode(columns, frame)[features.all]
    expected = problem.outputs(columns, pipeline, encoded)
    scorer = Scorer(content, columns)
    found = outputs_of(scorer, model_input(encoded))
    named = f"of snapshot {split.snapshot.digest[:12]}"
    difference = _compare(problem, found, expected, expected, lambda row: f"row {split.cut + row} {named}", origin)
    get_run_logger().info("ONNX equals %s on %s rows, at most %.1e apart", origin, f"{len(frame):,}", difference)
    told = check_generated(
        generate(content, columns, encoded),
        columns,
        scorer,
        lambda x: problem.outputs(columns, pipeline, x),
        expected,
        origin,
    )
    get_run_logger().info("ONNX equals %s on %s", origin, told)
    golden = _golden(columns, frame.iloc[:: max(1, len(frame) // GOLDEN_ROWS)], problem, pipeline, features)
    return OnnxModel(
        digest=put("onnx", ".onnx", content),
        rows_compared=len(frame),
        max_difference=difference,
        golden=put("golden", ".json", golden),
    )


def check_generated(
    generated: Generated,
    columns: Contract,
    scorer: Scorer,
    outputs: Callable[[Any], np.ndarray],
    usual: np.ndarray,
    origin: str = "scikit-learn",
) -> str:
    """Compare the graph with what it was converted from on generated rows; returns what was compared, in a few words.

    `usual` are outputs of real rows, shape (rows, k): how far apart is far, is seen on them.

    Raises:
        ConversionError: with the row that differs most, what it was made for, and both outputs.
    """
    problem, silent = problem_of(columns), 0
    together, single = generated.together, generated.single

    def compare(rows: Rows, expected: np.ndarray) -> None:
        found = outputs_of(scorer, model_input(rows.encoded))
        _compare(
            problem,
            found,
            expected,
            usual,
            lambda row: f"a generated row, {rows.aims[row]}: {_shown(columns, rows.encoded, row)}",
            origin,
        )

    compare(together, outputs(together.encoded))
    for place, aim in enumerate(single.aims):
        alone = single.encoded.iloc[[place]].reset_index(drop=True)
        expected = _answer(outputs, alone)
        if expected is None:
            silent += 1
        else:
            compare(Rows(alone, [aim]), expected)
    return generated.told + (f"; {origin} has no answer to {silent} of them, at the ends of 32 bits" if silent else "")


def _answer(outputs: Callable[[Any], np.ndarray], row: Any) -> np.ndarray | None:
    """What is answered to one row at the ends of float32; None where the sums overflow, so that there is no number."""
    with np.errstate(over="ignore", invalid="ignore"):
        try:
            expected = outputs(row)
        except ValueError as error:  # scikit-learn looks for it between its steps
            if "infinity" not in str(error):
                raise
            return None
    return expected if np.isfinite(expected).all() else None


def _compare(
    problem: Problem,
    found: np.ndarray,
    expected: np.ndarray,
    usual: np.ndarray,
    named: Callable[[int], str],
    origin: str,
) -> float:
    """How far apart the two are at most; an error, with the name of the row, where that is over the tolerance."""
    difference = apart(problem, found, expected, usual)
    worst = int(difference.argmax())
    if difference[worst] > TOLERANCE:
        raise ConversionError(
            f"{named(worst)}: ONNX says {found[worst]}, {origin} {expected[worst]}, more than {TOLERANCE} apart "
            f"({int((difference > TOLERANCE).sum())} of {len(difference):,} rows)"
        )
    return float(difference[worst])


def _shown(columns: Contract, encoded: Any, row: int) -> str:
    """A row for people, without what is sensitive."""
    values = {name: encoded[name].iat[row] for name in encoded.columns}
    hidden = {column.name for column in columns.columns if column.sensitive}
    return ", ".join(f"{name} {'(sensitive)' if name in hidden else value!s}" for name, value in values.items())


def to_onnx(pipeline: Any, contract: Contract, features: Features) -> bytes:
    """The pipeline as ONNX bytes: one input of shape (rows, width) a column, equal bytes for equal models."""
    if isinstance(pipeline, Within):
        number = _graph(pipeline.number, contract, features)
        opset = _no_newer(number) if isinstance(pipeline.number, GivenModel) else OPSET
        spread = canonical(_converted(pipeline.spread, contract, features, opset))
        model = joined(number, spread, pipeline.scale, pipeline.least)
    elif isinstance(pipeline, Calibrated):
        scored = _converted(pipeline.model, contract, features, OPSET, raw_scores=True)
        model = calibrated(scored, pipeline.curve, pipeline.classes)
    elif isinstance(pipeline, Moved):
        model = with_threshold(_converted(pipeline.model, contract, features, OPSET), pipeline.threshold)
    else:
        model = _graph(pipeline, contract, features)
    whole = model if isinstance(getattr(pipeline, "number", pipeline), GivenModel) else canonical(model)
    return bytes(whole.SerializeToString(deterministic=True))


def origin_of(pipeline: Any) -> str:
    """What the graph must equal, in words."""
    return pipeline.origin if isinstance(pipeline, GivenModel) else "scikit-learn"


def _graph(pipeline: Any, contract: Contract, features: Features) -> Any:
    """A given file in its one spelling already, or a converted pipeline."""
    return around(pipeline) if isinstance(pipeline, GivenModel) else _converted(pipeline, contract, features, OPSET)


def _no_newer(model: Any) -> dict[str, int]:
    """The usual opset, or that of a file where it is older, so that its nodes mean the same beside others."""
    own = next(each.version for each in model.opset_import if each.domain in DOMAINS)
    return {**OPSET, "": min(OPSET[""], own)}


def _converted(pipeline: Any, contract: Contract, features: Features, opset: dict[str, int], **own: Any) -> Any:
    """One scikit-learn pipeline, with the output's name under which it is served; `own` are options of its estimator."""
    from skl2onnx import convert_sklearn
    from skl2onnx.common.data_types import FloatTensorType, StringTensorType

    kinds = {"float32": FloatTensorType, "string": StringTensorType}
    columns = {column.name: column for column in contract.columns}
    widths = [columns[name].its.width for name in features.all]
    inputs: list[Any] = [
        (graph_input(i), kinds[columns[name].dtype]([None, 1]) if width == 1 else FloatTensorType([None, width]))
        for i, (name, width) in enumerate(zip(features.all, widths, strict=True))
    ]
    teach()
    problem, pipeline = problem_of(contract), inside(pipeline, features, widths)

    def converted(part: Any, options: Any = None) -> Any:
        return convert_sklearn(part, contract.use_case, inputs, options=options, target_opset=opset)

    try:
        model = converted(pipeline, {id(pipeline): dict(problem.options), id(pipeline[-1]): own})
    except Exception as error:
        raise InputError(f"model: {refused(pipeline, converted)}: {first_line(error)}; {CONVERTS}") from error
    _name_output(model.graph, problem.output)
    for output in model.graph.output:  # behind the weights of texts the converter says that there is one row
        output.type.tensor_type.shape.dim[0].ClearField("dim_value")
    return model


def _name_output(graph: Any, name: str) -> None:
    """Give the output of a number, which the converter calls `variable`, the name under which it is served."""
    if name in [output.name for output in graph.output]:
        return
    (output,) = graph.output
    for node in graph.node:
        node.output[:] = [name if each == output.name else each for each in node.output]
    output.name = name


def _golden(contract: Contract, frame: Any, problem: Problem, pipeline: Any, features: Features) -> bytes:
    """Records as a client would send them, and what scikit-learn answers to them."""
    records = [
        {name: value for name, value in zip(contract.names, row, strict=True) if value is not None}
        for row in zip(*(client_values(frame[name]) for name in contract.names), strict=True)
    ]
    outputs = problem.outputs(contract, pipeline, encode(contract, frame)[features.all])
    return json.dumps({"records": records, "outputs": outputs.tolist()}).encode()


def canonical(model: Any) -> Any:
    """The same graph in one spelling: nodes in a topological order fixed by their content, names by position.

    The converter's order and names follow Python's hash seed. Here a tensor's key is the hash of everything it is
    computed from, nodes are sorted by key among those that are ready, and everything internal is renamed in that order.
    Graph inputs and outputs keep their names.
    """
    from onnx import ModelProto

    result = ModelProto()
    result.CopyFrom(model)
    result.producer_version = result.doc_string = result.graph.doc_string = ""
    graph = result.graph
    opsets = sorted(result.opset_import, key=lambda opset: opset.domain)
    del result.opset_import[:]
    result.opset_import.extend(opsets)

    keys = {value.name: f"input {value.name}" for value in graph.input}
    keys |= {tensor.name: _tensor_key(tensor) for tensor in graph.initializer}
    nodes = _sorted_nodes(graph, keys)

    kept = {value.name for value in [*graph.input, *graph.output]}
    names = {tensor.name: f"c{i}" for i, tensor in enumerate(sorted(graph.initializer, key=lambda t: keys[t.name]))}
    for i, node in enumerate(nodes):
        for j, output in enumerate(node.output):
            if output and output not in kept:
                names[output] = f"t{i}_{j}"
        node.name = f"n{i}"
    for node in nodes:
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names.get(name, name) for name in node.output]
    initializers = sorted(graph.initializer, key=lambda tensor: keys[tensor.name])
    for tensor in initializers:
        tensor.name = names[tensor.name]
    copies = [[type(item).FromString(item.SerializeToString()) for item in items] for items in (nodes, initializers)]
    del graph.node[:], graph.initializer[:], graph.value_info[:]
    graph.node.extend(copies[0])
    graph.initializer.extend(copies[1])
    return result


def _tensor_key(tensor: Any) -> str:
    content = type(tensor)()
    content.CopyFrom(tensor)
    content.name = ""
    return hashlib.sha256(content.SerializeToString(deterministic=True)).hexdigest()


def _sorted_nodes(graph: Any, keys: dict[str, str]) -> list[Any]:
    """Kahn's algorithm with a heap on content keys; fills `keys` for every tensor on the way."""
    waiting = {i: {name for name in node.input if name and name not in keys} for i, node in enumerate(graph.node)}
    heap: list[tuple[str, int]] = []

    def push_ready() -> None:
        for i in [i for i, missing in waiting.items() if not missing]:
            del waiting[i]
            heapq.heappush(heap, (_node_key(graph.node[i], keys), i))

    push_ready()
    ordered = []
    while heap:
        key, i = heapq.heappop(heap)
        node = graph.node[i]
        ordered.append(node)
        keys.update({name: f"{key}:{j}" for j, name in enumerate(node.output)})
        for missing in waiting.values():
            missing.difference_update(node.output)
        push_ready()
    return ordered


def _node_key(node: Any, keys: dict[str, str]) -> str:
    attributes = sorted(node.attribute, key=lambda attribute: attribute.name)
    del node.attribute[:]
    node.attribute.extend(attributes)
    parts = [node.domain, node.op_type, *(keys.get(name, "") for name in node.input)]
    parts += [attribute.SerializeToString(deterministic=True).hex() for attribute in node.attribute]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
