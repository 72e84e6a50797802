"""The graph of a number with its interval: two converted pipelines over the same inputs, joined."""

from __future__ import annotations

from typing import Any

import numpy as np

from serving.scoring.onnx import VALUES


def joined(number: Any, spread: Any, scale: float, least: float) -> Any:
    """One model whose output `values` has shape (rows, 3): the number, less and plus `scale` times the expected error.

    `number` and `spread` are ONNX models with equal inputs and one output `values` each; of the error at least `least` is
    expected.
    """
    from onnx import ModelProto, helper, numpy_helper
    from onnx.compose import add_prefix

    result = ModelProto()
    result.CopyFrom(add_prefix(number, "number_", rename_inputs=False))
    other = add_prefix(spread, "spread_", rename_inputs=False).graph
    versions = {known.domain: known for known in result.opset_import}
    for wanted in spread.opset_import:  # made for one target, of which a graph names what it uses
        if wanted.domain not in versions:
            result.opset_import.append(wanted)
        elif versions[wanted.domain].version < wanted.version:
            versions[wanted.domain].version = wanted.version
    graph = result.graph
    graph.node.extend(other.node)
    graph.initializer.extend(other.initializer)
    constants = {"scale": scale, "least": least}
    graph.initializer.extend(numpy_helper.from_array(np.array([[v]], dtype=np.float32), n) for n, v in constants.items())
    answer = f"number_{VALUES}"
    graph.node.extend(
        helper.make_node(kind, inputs, [output], **more)
        for kind, inputs, output, more in (
            ("Max", [f"spread_{VALUES}", "least"], "error", {}),
            ("Mul", ["error", "scale"], "half", {}),
            ("Sub", [answer, "half"], "low", {}),
            ("Add", [answer, "half"], "high", {}),
            ("Concat", [answer, "low", "high"], VALUES, {"axis": 1}),
        )
    )
    del graph.output[:], graph.value_info[:]
    graph.output.append(helper.make_tensor_value_info(VALUES, 1, [None, 3]))
    return result
