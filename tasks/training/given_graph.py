"""What a given ONNX file takes and answers, in the words of the use case: which features, which classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from configs.errors import InputError, nearest
from serving.contract.contract import Column, Contract
from serving.contract.spelling import spelled
from tasks.problems.classes import few
from tasks.training.given_file import WHERE

WHOLE = ("int64", "int32", "bool")  # element types of which a number must be a whole one, and none may be missing
NUMBERS = ("float", "double", *WHOLE)
LABELS = ("int64", "int32", "string", "bool")
FORWARDS = ("Cast", "Identity", "Reshape", "Squeeze", "Flatten", "Unsqueeze")  # what a label is the same after
CLASSES_OF = ("classlabels_strings", "classlabels_int64s", "classlabels_ints")
FORMS = "a file takes an input of shape (rows, 1) a feature, by its name, or one of shape (rows, features), in their order"


class Taken(NamedTuple):
    """An input: the features that it takes, the type of its elements, and whether its shape is (rows,)."""

    name: str
    features: tuple[str, ...]
    element: str
    flat: bool = False


class Answered(NamedTuple):
    """The output that is read, and how it becomes (rows, k).

    `tensor` is where its numbers are in the graph; `keys` are those of the maps that an output of maps has, by class;
    `order` are the columns of the tensor by class, empty where it is one number a row. `label` is an output of labels beside
    it, and `places` the class of each.
    """

    output: str
    tensor: str
    keys: tuple[Any, ...] = ()
    order: tuple[int, ...] = ()
    label: str = ""
    places: tuple[tuple[Any, int], ...] = ()


def taken(inputs: Sequence[Any], columns: Sequence[Column]) -> list[Taken]:
    """Which features the inputs of a session take.

    Raises:
        InputError: they are not those of the use case, their types are others, or the number of rows is fixed.
    """
    for column in columns:
        if column.its.width > 1:
            raise InputError(
                f"{WHERE}: {column.name!r} is a feature of kind {column.kind!r}, which only models trained here read; make "
                "numbers of it in 'source.query', or list it under 'features.categorical' where the file takes strings"
            )
    for each in inputs:
        if each.type.startswith("tensor") and each.shape and isinstance(each.shape[0], int):
            raise InputError(
                f"{WHERE}: input {each.name!r} has a fixed number of rows ({each.shape[0]}); export it with a "
                "dynamic batch axis"
            )
    names = [column.name for column in columns]
    if len(inputs) == 1 and (inputs[0].name not in names or len(names) > 1):
        found = [_matrix(inputs[0], names)]
    else:
        found = [_by_name(each, names) for each in inputs]
        if unread := [name for name in names if name not in [each.name for each in inputs]]:
            raise InputError(f"{WHERE}: takes no {unread[0]!r}, which is a feature; leave it out. {FORMS.capitalize()}")
    by_name = {column.name: column for column in columns}
    for one in found:
        for name in one.features:
            _fits(one, by_name[name])
    return found


def _matrix(given: Any, names: list[str]) -> Taken:
    """One input of all features."""
    shape = given.shape
    if len(shape) != 2 or (isinstance(shape[1], int) and shape[1] != len(names)):
        told = f"input {given.name!r} has shape ({', '.join(str(each or '?') for each in shape)})"
        raise InputError(f"{WHERE}: {told}, and there are {len(names)} features ({few(names)}); {FORMS}")
    return Taken(given.name, tuple(names), _element(given))


def _by_name(given: Any, names: list[str]) -> Taken:
    """One input of one feature."""
    if given.name not in names:
        raise InputError(f"{WHERE}: takes {given.name!r}, which is no feature; {nearest(given.name, names)}. {FORMS}")
    shape = given.shape
    if len(shape) not in (1, 2) or (len(shape) == 2 and isinstance(shape[1], int) and shape[1] != 1):
        told = ", ".join(str(each or "?") for each in shape)
        raise InputError(f"{WHERE}: input {given.name!r} has shape ({told}); {FORMS}")
    return Taken(given.name, (given.name,), _element(given), len(shape) == 1)


def _element(given: Any) -> str:
    return str(given.type).removeprefix("tensor(").removesuffix(")")


def _fits(one: Taken, column: Column) -> None:
    """The type of an input and the kind of a feature."""
    text = column.dtype == "string"
    if one.element not in (("string",) if text else NUMBERS):
        wanted = "strings" if text else f"numbers ({', '.join(NUMBERS)})"
        raise InputError(
            f"{WHERE}: input {one.name!r} takes {one.element}, but {column.name!r} is a feature of kind {column.kind!r}: "
            f"{wanted}"
        )
    if one.element in WHOLE and column.nullable:
        raise InputError(
            f"{WHERE}: input {one.name!r} takes {one.element}, which cannot be missing, but {column.name!r} can; fill it in "
            "'source.query', or declare 'nullable: false' in 'features.rules'"
        )


def answered(model: Any, outputs: Sequence[Any], contract: Contract) -> Answered:
    """What is read of a session's outputs.

    Raises:
        InputError: they are not what the problem needs, or the classes are others.
    """
    numbers = [each for each in outputs if "float" in each.type or "double" in each.type]
    labels = [each for each in outputs if _element(each) in LABELS and each not in numbers]
    told = ", ".join(f"{each.name!r} {each.type}" for each in outputs)
    if len(numbers) != 1 or len(labels) > bool(contract.classes) or len(numbers) + len(labels) != len(outputs):
        wanted = "one of probabilities, with or without one of labels" if contract.classes else "one, of a number a row"
        raise InputError(f"{WHERE}: has the outputs {told}; problem {contract.problem!r} needs {wanted}")
    (found,), label = numbers, labels[0].name if labels else ""
    width = None if found.type.startswith("seq") else _width(found)
    if not contract.classes:
        if width not in (1, None) or found.type.startswith("seq"):
            raise InputError(
                f"{WHERE}: output {found.name!r} is {width or 'several'} numbers a row; a regression answers one"
            )
        return Answered(found.name, found.name)
    producers = {name: node for node in model.graph.node for name in node.output}
    if found.type.startswith("seq"):
        return _of_maps(producers, found.name, label, contract)
    return _of_tensor(producers, model.graph, found.name, width, label, contract)


def _width(output: Any) -> int | None:
    """How many numbers a row; None where the file does not say."""
    if len(output.shape) == 1:
        return 1
    return output.shape[1] if len(output.shape) == 2 and isinstance(output.shape[1], int) else None


def _of_maps(producers: dict[str, Any], output: str, label: str, contract: Contract) -> Answered:
    node = producers[output]
    if node.op_type != "ZipMap":
        raise InputError(f"{WHERE}: output {output!r} is a sequence of maps; export the probabilities as one tensor")
    keys = _attribute(node, CLASSES_OF)
    places = _places(keys, contract)
    order = tuple(sorted(range(len(keys)), key=lambda at: places[keys[at]]))
    beside = tuple(places.items()) if label else ()
    return Answered(output, node.input[0], tuple(keys[at] for at in order), order, label, beside)


def _of_tensor(
    producers: dict[str, Any], graph: Any, output: str, width: int | None, label: str, contract: Contract
) -> Answered:
    classes = contract.classes
    labels = _labels(producers, graph, label) if label else ()
    named = labels or tuple(range(len(classes)))
    places = _places(named, contract, declared=bool(labels))
    beside = tuple(places.items()) if label else ()
    if label and not labels:  # the labels themselves show whether this is their order
        beside += tuple((name, place) for place, name in enumerate(classes) if isinstance(name, str))
    if width == 1 and len(classes) == 2:
        return Answered(output, output, label=label, places=beside)
    if width not in (None, len(classes)):
        raise InputError(
            f"{WHERE}: output {output!r} has {width} numbers a row, but {contract.target!r} has {len(classes)} classes "
            f"({few(list(classes))})"
        )
    order = tuple(sorted(range(len(named)), key=lambda at: places[named[at]]))
    return Answered(output, output, (), order, label, beside)


def _labels(producers: dict[str, Any], graph: Any, label: str) -> tuple[Any, ...]:
    """The labels in the order of the probabilities, where the graph says them; else empty."""
    from onnx import numpy_helper

    node = producers.get(label)
    while node is not None and node.op_type in FORWARDS:
        node = producers.get(node.input[0])
    if node is None:
        return ()
    if node.op_type == "ArrayFeatureExtractor":  # the classes of scikit-learn, at the place of the largest probability
        known = {tensor.name: tensor for tensor in graph.initializer}
        if node.input[0] in known:
            values = numpy_helper.to_array(known[node.input[0]]).ravel().tolist()
            return tuple(value.decode() if isinstance(value, bytes) else value for value in values)
    return _attribute(node, CLASSES_OF)


def _attribute(node: Any, names: Sequence[str]) -> tuple[Any, ...]:
    from onnx import helper

    for each in node.attribute:
        if each.name in names and (values := helper.get_attribute_value(each)):
            return tuple(value.decode() if isinstance(value, bytes) else value for value in values)
    return ()


def _places(labels: Sequence[Any], contract: Contract, declared: bool = True) -> dict[Any, int]:
    """The place of each label of the file among the classes: by its name, or its number where classes are no numbers.

    Raises:
        InputError: the file has other classes than the rows.
    """
    classes = list(contract.classes)
    spellings = [value if isinstance(value, str) else spelled(value) for value in classes]
    spelt = [value if isinstance(value, str) else spelled(value) for value in labels]
    numbered = sorted(labels, key=str) == sorted(range(len(classes)), key=str)
    if sorted(spelt) == sorted(spellings):
        return {label: spellings.index(text) for label, text in zip(labels, spelt, strict=True)}
    if numbered and (not declared or not all(isinstance(value, int) and not isinstance(value, bool) for value in classes)):
        return {label: int(label) for label in labels}
    raise InputError(
        f"{WHERE}: answers the classes {few(list(labels))}, but {contract.target!r} has {few(classes)}; export it with the "
        "target's own values, or with 0, 1, ... in this order where they are names"
    )


def feeds(inputs: Sequence[Taken], columns: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """What a session of the file itself is fed with, from one encoded (rows,) array a feature.

    >>> feeds([Taken("x", ("a", "b"), "double")], {"a": np.float32([1, 2]), "b": np.float32([3, 4])})["x"].tolist()
    [[1.0, 3.0], [2.0, 4.0]]
    """
    types = {"float": np.float32, "double": np.float64, "int64": np.int64, "int32": np.int32, "bool": np.bool_}
    found = {}
    for each in inputs:
        values = np.column_stack([columns[name] for name in each.features])
        if each.element in types:
            with np.errstate(invalid="ignore"):  # beyond whole numbers of the type
                values = values.astype(types[each.element])
        found[each.name] = values.ravel() if each.flat else values
    return found
