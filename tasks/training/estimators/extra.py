"""Libraries that are extras of Slipway: how they are found, and how skl2onnx learns to convert what they fit."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Mapping
from typing import Any

from configs.errors import InputError
from tasks.problems.values import Learner

OPTIONS = {"zipmap": [True, False, "columns"], "nocl": [True, False]}


def library(name: str) -> Any:
    """An extra's library, and with it what converts its models.

    Raises:
        InputError: the extra is not installed, or what it needs of this machine is not there.

    >>> library("no_such_boosting")
    Traceback (most recent call last):
    configs.errors.InputError: model.estimator: no_such_boosting is not installed; run: pip install '.[no_such_boosting]'
    """
    for module in (name, "onnxmltools"):
        try:
            importlib.import_module(module)
        except ModuleNotFoundError as error:
            if error.name != module:
                raise
            raise InputError(f"model.estimator: {module} is not installed; run: pip install '.[{name}]'") from None
        except OSError as error:
            raise InputError(f"model.estimator: {module} is installed, but this machine cannot load it: {error}") from error
    return sys.modules[name]


def loaded(name: str) -> bool:
    """Whether a model of this library can be among those that are converted."""
    return name in sys.modules and importlib.util.find_spec("onnxmltools") is not None


def register(classes: Mapping[Learner, Any], convert: Callable[..., None]) -> None:
    """Estimators with the converter that onnxmltools has for them."""
    from skl2onnx import update_registered_converter
    from skl2onnx.common.shape_calculator import (
        calculate_linear_classifier_output_shapes,
        calculate_linear_regressor_output_shapes,
    )

    for learner, made in classes.items():
        if learner == "classifier":
            shape, options = calculate_linear_classifier_output_shapes, OPTIONS
        else:
            shape, options = calculate_linear_regressor_output_shapes, None
        update_registered_converter(made, made.__name__, shape, convert, overwrite=True, options=options)
