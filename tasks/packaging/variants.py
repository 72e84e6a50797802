"""Variants: the converted graph optimised offline, or with 8-bit weights; one is taken only if it is shown to be better."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from prefect import get_run_logger
from prefect.artifacts import create_table_artifact

from configs.schema import Features
from serving.scoring.onnx import Scorer
from tasks.data.frames import contract_of, encode, model_input, read_rows
from tasks.data.values import Split
from tasks.packaging.generated import apart, generate
from tasks.packaging.many_rows import outputs_of
from tasks.packaging.speed import speed
from tasks.packaging.values import OnnxModel
from tasks.problems.problem import problem_of
from tasks.step import step
from tasks.store import put

TOLERANCE = 1e-5  # every served graph equals scikit-learn to this, whatever its variant
GAIN = 1.05
CONVERTED = "as converted"
WEIGHTED = {"MatMul", "Gemm"}


class Measured(NamedTuple):
    """One line of the table."""

    variant: str
    taken: bool
    why: str


class NotApplicable(ValueError):
    """There is nothing in this graph that the variant would change."""


@step
def choose_variant(split: Split, contract: str, features: Features, onnx: OnnxModel) -> OnnxModel:
    """Build every variant, compare it with the converted graph on holdout and generated rows, time both, take the fastest.

    A variant must keep every decision, move no output by more than 1e-5, and answer single rows 5 % faster in the
    median of nine rounds in turn, three quarters of which it wins. Its name goes into the lineage, for `reproduce`.
    """
    frame = read_rows(split.snapshot, split.cut, split.snapshot.rows)
    columns = contract_of(contract)
    problem, encoded = problem_of(columns), encode(columns, frame)[features.all]
    arrays = model_input(encoded)
    plain, best, gained, table = Scorer(onnx.path, columns), onnx, 1.0, []
    made = model_input(generate(onnx.path.read_bytes(), columns, encoded).together.encoded)
    expected = [outputs_of(plain, rows) for rows in (arrays, made)]
    for name in VARIANTS:
        try:
            content = build_variant(name, onnx.path)
        except NotApplicable as reason:
            table.append(Measured(name, False, str(reason)))
            continue
        variant = Scorer(content, columns)
        found = [outputs_of(variant, rows) for rows in (arrays, made)]
        pairs = list(zip(found, expected, strict=True))
        difference = max(float(apart(problem, *pair, expected[0]).max()) for pair in pairs)
        if difference > TOLERANCE or any((problem.decisions(one) != problem.decisions(other)).any() for one, other in pairs):
            table.append(Measured(name, False, f"moves an output by {difference:.1e}; at most {TOLERANCE:.0e}"))
            continue
        gain, quarter = speed(plain, variant, arrays)
        enough = gain >= GAIN and quarter > 1
        told = f"{gain:.2f} times as fast on single rows (a quarter of the rounds below {quarter:.2f}); at least {GAIN:.2f}"
        table.append(Measured(name, enough, f"at most {difference:.1e} apart, {told}"))
        if enough and gain > gained:
            gained, best = gain, onnx.model_copy(update={"digest": put("onnx", ".onnx", content), "variant": name})
    rows = [measured._asdict() for measured in table]
    create_table_artifact(key=f"variants-{columns.use_case}", table=rows, description=f"Taken: {best.variant}")
    for measured in table:
        get_run_logger().info("Variant %s %s: %s", measured.variant, "taken" if measured.taken else "left", measured.why)
    return best


def rebuilt(onnx: OnnxModel, variant: str) -> OnnxModel:
    """The converted model in a recorded variant."""
    if variant == CONVERTED:
        return onnx
    return onnx.model_copy(update={"digest": put("onnx", ".onnx", build_variant(variant, onnx.path)), "variant": variant})


def build_variant(name: str, model: Path) -> bytes:
    """The ONNX bytes of a variant.

    Raises:
        NotApplicable: saying why the graph has none.
    """
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "variant.onnx"
        VARIANTS[name](model, target)
        return target.read_bytes()


def _optimised(model: Path, target: Path) -> None:
    """What ONNX Runtime does to the graph at each start, done once; only rewrites that every processor can run."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    options.optimized_model_filepath = str(target)
    options.log_severity_level = 3
    ort.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])


def _int8(model: Path, target: Path) -> None:
    """Dynamic quantisation of matrix products: weights in 8 bits, activations scaled as they come."""
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    graph: Any = onnx.load(str(model)).graph
    constants = {tensor.name for tensor in graph.initializer}
    if not any(node.op_type in WEIGHTED and constants & set(node.input) for node in graph.node):
        raise NotApplicable("no matrix product with constant weights in the graph, so nothing to quantise")
    quantize_dynamic(str(model), str(target), weight_type=QuantType.QInt8, op_types_to_quantize=sorted(WEIGHTED))


VARIANTS: dict[str, Callable[[Path, Path], None]] = {"optimised offline": _optimised, "int8": _int8}
