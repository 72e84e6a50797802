"""What of a scikit-learn estimator can become a part of an ONNX graph, as far as its type tells."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tasks.training.estimators.choose import teach

CONVERTS = (
    "what converts: what of scikit-learn skl2onnx lists (skl2onnx.supported_converters()), or "
    "anything that the module registers with skl2onnx.update_registered_converter"
)


def unconvertible(estimator: Any) -> str:
    """The first step that skl2onnx has no converter for, and what would convert; or empty."""
    from skl2onnx._parse import sklearn_parsers_map
    from skl2onnx._supported_operators import sklearn_operator_name_map

    teach()
    for step, part in _parts(estimator):
        if type(part) not in sklearn_operator_name_map and type(part) not in sklearn_parsers_map:
            return f"{step} ({type(part).__name__}), which skl2onnx cannot convert; {CONVERTS}"
    return ""


def _parts(estimator: Any) -> Iterator[tuple[str, Any]]:
    """Everything in it that is fitted, innermost first, by the names that lead there."""
    from sklearn.base import BaseEstimator

    parts = [(name, part) for name, part in estimator.get_params().items() if isinstance(part, BaseEstimator)]
    for name, part in sorted(parts, key=lambda each: -each[0].count("__")):
        yield f"step {name.replace('__', ' > ')!r}", part
    yield "an estimator", estimator
