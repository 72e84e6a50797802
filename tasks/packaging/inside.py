"""The part of a fitted pipeline that becomes the graph, and which of its steps does not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import copy
from itertools import accumulate
from typing import Any

from configs.errors import InputError
from configs.schema import Features
from serving.contract.kinds.choose import KINDS as CONTRACTED
from tasks.columns.choose import KINDS


def inside(pipeline: Any, features: Features, widths: list[int]) -> Any:
    """The pipeline with columns by their place in the graph; the rest of each kind's transformer the contract does itself.

    `widths` says how many of the graph's columns each feature is.

    Raises:
        InputError: an own pipeline takes columns that are no numbers as they are, or reads texts itself.
    """
    from sklearn.compose import ColumnTransformer

    steps = pipeline.steps
    if not isinstance(steps[0][1], ColumnTransformer):
        return type(pipeline)([("columns", _together(features)), *steps])
    starts, kinds, encoder = [0, *accumulate(widths)], list(features.kinds.values()), copy(steps[0][1])
    transformers = []
    for name, fitted, _ in encoder.transformers_:
        places = encoder._transformer_to_input_indices[name]
        for kind in dict.fromkeys(kinds[place] for place in places) if fitted != "drop" else ():
            fitted = KINDS[kind].inside(fitted)
        transformers.append((name, fitted, [at for place in places for at in range(starts[place], starts[place + 1])]))
    encoder.transformers_ = transformers
    return type(pipeline)([(steps[0][0], encoder), *steps[1:]])


def _together(features: Features) -> Any:
    """All columns as one matrix, in front of a pipeline that takes it so."""
    from sklearn.compose import ColumnTransformer
    from sklearn.preprocessing import FunctionTransformer

    if other := [name for name, kind in features.kinds.items() if CONTRACTED[kind].dtype != "float32"]:
        raise InputError(
            f"model.pipeline: {other[0]!r} is no number; the pipeline must begin with a ColumnTransformer: given.encoder()"
        )
    together = ColumnTransformer([])
    together.transformers_ = [("numeric", FunctionTransformer(), list(range(len(features.all))))]
    return together


def refused(pipeline: Any, convert: Callable[[Any], Any]) -> str:
    """The first step of a fitted pipeline that `convert` refuses, in words."""
    for name, part, step in _prefixes(pipeline):
        try:
            convert(part)
        except Exception:  # which one it is is the answer; why is told of the whole
            return f"step {name!r} ({type(step).__name__}) does not convert"
    return "the steps convert one by one, but not together"


def _prefixes(pipeline: Any) -> Iterator[tuple[str, Any, Any]]:
    name, encoder = pipeline.steps[0]
    for transformer in encoder.transformers_:
        alone = copy(encoder)
        alone.transformers_ = [transformer]
        yield f"{name} > {transformer[0]}", type(pipeline)([(name, alone)]), transformer[1]
    for end in range(1, len(pipeline.steps) + 1):
        yield pipeline.steps[end - 1][0], type(pipeline)(pipeline.steps[:end]), pipeline.steps[end - 1][1]


def first_line(error: Exception) -> str:
    """What an exception says, up to its first full stop or line."""
    return f"{type(error).__name__}: {(str(error).strip().splitlines() or [''])[0][:300]}"
