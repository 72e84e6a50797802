"""A given model: an own ONNX file in the place of a fitted pipeline. It runs as it was given; nothing is trained."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from configs.errors import InputError
from configs.schema import Recipe
from serving.contract.contract import Contract
from tasks.problems.problem import problem_of
from tasks.store import put
from tasks.training.given_file import WHERE, content_of, kept_file
from tasks.training.given_graph import WHOLE, Answered, Taken, answered, feeds, taken

PART_ROWS = 4096
ALONE = 32  # rows that are asked alone as well
TOLERANCE = 1e-5
SUM = 1e-4  # how far from 1 probabilities of 32 bits may add up to
CLOSE = 1e-5  # probabilities so alike that a label may be either
UNKNOWN = (
    "What the file of the model has learned from is not known here: these figures hold only if the held out rows were not "
    "among it"
)


class Ready(NamedTuple):
    """The file, parsed and in a session of ONNX Runtime, and what it takes and answers."""

    model: Any
    session: Any
    inputs: list[Taken]
    output: Answered


class GivenModel:
    """Does what a fitted pipeline does, by running the file as it is.

    It holds the digest of the file, which lies in the store, so that it can be kept as fitted pipelines are.
    """

    origin = "the file as given"

    def __init__(self, digest: str, contract: Contract, content: bytes | None = None) -> None:
        self.digest, self.contract, self._content = digest, contract, content

    def __getstate__(self) -> dict[str, Any]:
        return {"digest": self.digest, "contract": self.contract, "_content": None}

    @functools.cached_property
    def ready(self) -> Ready:
        """The file as it is run.

        Raises:
            InputError: ONNX Runtime cannot run it, or it does not fit the contract.
        """
        import onnxruntime as ort
        from onnx import ModelProto

        content = kept_file(self.digest) if self._content is None else self._content
        model = ModelProto.FromString(content)
        ort.disable_telemetry_events()
        options = ort.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1  # as it will be served
        options.log_severity_level = 3
        try:
            session = ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # its exceptions have no base class of their own
            raise InputError(f"{WHERE}: ONNX Runtime {ort.__version__} cannot run it: {_said(error)}") from None
        inputs = taken(session.get_inputs(), self.contract.columns)
        return Ready(model, session, inputs, answered(model, session.get_outputs(), self.contract))

    @property
    def classes_(self) -> np.ndarray:
        """The places of the classes in the contract: all of them."""
        return np.arange(len(self.contract.classes))

    def predict_proba(self, encoded: Any) -> np.ndarray:
        """Probabilities by class of the contract, shape (rows, k)."""
        return self.run(encoded)[0]

    def predict(self, encoded: Any) -> np.ndarray:
        """Numbers, shape (rows,)."""
        return self.run(encoded)[0][:, 0]

    def run(self, encoded: Any) -> tuple[np.ndarray, list[Any]]:
        """Outputs of shape (rows, k), and the labels that the file answers beside them, if it does.

        Raises:
            InputError: the file fails on these rows, or answers in another shape than it says.
        """
        parts = [self._part(encoded[start : start + PART_ROWS]) for start in range(0, max(len(encoded), 1), PART_ROWS)]
        outputs, labels = zip(*parts, strict=True)
        return np.concatenate(outputs), [label for part in labels for label in part]

    def _part(self, encoded: Any) -> tuple[np.ndarray, list[Any]]:
        ready = self.ready
        wanted = [ready.output.output, *([ready.output.label] if ready.output.label else [])]
        arrays = feeds(ready.inputs, {name: encoded[name].to_numpy() for name in encoded.columns})
        try:
            found, *labels = ready.session.run(wanted, arrays)
        except Exception as error:
            raise InputError(
                f"{WHERE}: fails on {len(encoded)} rows that the contract lets in: {_said(error)}; declare the bounds of "
                "the features in 'features.rules', or export it with a dynamic batch axis"
            ) from None
        return self._outputs(found, len(encoded)), [each for part in labels for each in np.asarray(part).ravel().tolist()]

    def _outputs(self, found: Any, rows: int) -> np.ndarray:
        """An output of the file as (rows, k), in 32 bits, as answers travel."""
        output, k = self.ready.output, max(len(self.contract.classes), 1)
        if isinstance(found, list):
            return np.array([[row[key] for key in output.keys] for row in found], dtype=np.float32).reshape(rows, k)
        values = np.asarray(found)
        one = not output.order
        if values.shape not in ([(rows,), (rows, 1)] if one else [(rows, k)]):
            shape = " or ".join(f"({rows}, {each})" for each in ([1] if one else [k]))
            raise InputError(f"{WHERE}: output {output.output!r} has shape {values.shape} for {rows} rows; {shape} is right")
        with np.errstate(over="ignore"):
            values = values.astype(np.float32).reshape(rows, -1)
        if not one:
            return values[:, list(output.order)]
        return values if not self.contract.classes else np.concatenate([1 - values, values], axis=1)


def given_model(columns: Contract, recipe: Recipe) -> GivenModel:
    """The model of a recipe's file, kept in the store.

    Raises:
        InputError: the file cannot be read or run, or it does not fit the contract.
    """
    model = GivenModel(put("models", ".onnx", content_of(recipe)), columns)
    _ = model.ready
    return model


def looked_at(columns: Contract, recipe: Recipe) -> GivenModel:
    """The same, which keeps nothing."""
    content = content_of(recipe)
    model = GivenModel(hashlib.sha256(content).hexdigest(), columns, content)
    _ = model.ready
    return model


def hold_against(model: GivenModel, encoded: Any) -> None:
    """Whether the file answers these rows as a model must: each for itself, with numbers that mean what they should.

    Args:
        model: The given model.
        encoded: Rows as the contract encodes them; the first is row 0 in errors.

    Raises:
        InputError: naming the row, what is answered, and what would be right.
    """
    _whole(model, encoded)
    outputs, labels = model.run(encoded)
    _each(outputs, np.isfinite(outputs).all(axis=1), lambda row: f"(no number){_missing_in(model, encoded, row)}")
    if model.contract.classes:
        _probable(outputs)
        _labelled(model, outputs, labels)
    _alone(model, encoded, outputs)
    _without(model, encoded)


def _probable(outputs: np.ndarray) -> None:
    """Probabilities lie in 0 to 1 and add up to 1."""
    right = ((outputs >= -SUM) & (outputs <= 1 + SUM)).all(axis=1) & (np.abs(outputs.sum(axis=1) - 1) <= SUM)
    told = (
        "as probabilities, which lie in 0 to 1 and add up to 1; put a Softmax (behind one output of two classes a Sigmoid) "
        "at the end of the model and export it again"
    )
    _each(outputs, right, lambda _: told)


def _alone(model: GivenModel, encoded: Any, outputs: np.ndarray) -> None:
    """A row is answered among others as it is alone."""
    places = np.unique(np.linspace(0, len(encoded) - 1, min(ALONE, len(encoded))).astype(int))
    alone = np.concatenate([model.run(encoded[place : place + 1])[0] for place in places.tolist()])

    def told(at: int) -> str:
        return (
            f"for row {places[at]} among others, and {alone[at].tolist()} alone; each row must be answered for itself: "
            "export it for inference (of PyTorch after model.eval())"
        )

    right = problem_of(model.contract).difference(alone, outputs[places], outputs) <= TOLERANCE
    _each(outputs[places], right, told, named=False)


def _whole(model: GivenModel, encoded: Any) -> None:
    for each in (one for one in model.ready.inputs if one.element in WHOLE):
        for name in each.features:
            values = encoded[name].to_numpy()
            wrong = np.flatnonzero((values != np.trunc(values)) | ((values != 0) & (values != 1) & (each.element == "bool")))
            if len(wrong):
                raise InputError(
                    f"{WHERE}: input {each.name!r} takes {each.element}, but {name!r}, row {wrong[0]}, is "
                    f"{values[wrong[0]]:g}; export it with an input of floats"
                )


def _labelled(model: GivenModel, outputs: np.ndarray, labels: list[Any]) -> None:
    """The label of a row is that of its largest probability."""
    if not labels:
        return
    places = dict(model.ready.output.places)
    found = np.array([places.get(label, -1) for label in labels])
    ranked = np.sort(outputs, axis=1)
    clear = ranked[:, -1] - ranked[:, -2] > CLOSE
    names = [str(name) for name in model.contract.classes]
    _each(
        outputs,
        (found == outputs.argmax(axis=1)) | ~clear,
        lambda row: (
            f"for the classes {', '.join(names)}, and the label {labels[row]!r}, which is not the most probable: their "
            "order is another, or the file has a threshold of its own, which is not served; leave the output of labels out"
        ),
    )


def _without(model: GivenModel, encoded: Any) -> None:
    """A missing value is answered wherever the contract lets one in."""
    for column in model.contract.columns:
        if column.nullable:
            row = encoded[:1].copy()
            row[column.name] = np.float32(np.nan) if column.dtype == "float32" else ""
            outputs, told = model.run(row)[0], f"(no number){_fill(column.name)}"
            _each(outputs, np.isfinite(outputs).all(axis=1), lambda _, told=told: told, named=False)  # type: ignore[misc]


def _missing_in(model: GivenModel, encoded: Any, row: int) -> str:
    numbers = [each.name for each in model.contract.columns if each.dtype == "float32"]
    return next((_fill(name) for name in numbers if np.isnan(encoded[name].iat[row])), "")


def _fill(name: str) -> str:
    return (
        f" where {name!r} is missing; fill it in 'source.query' and declare 'nullable: false' in 'features.rules', or "
        "export the model with an imputer"
    )


def _each(outputs: np.ndarray, right: np.ndarray, told: Callable[[int], str], named: bool = True) -> None:
    """An error of the first row that is not right."""
    if not right.all():
        row = int(np.argmin(right))
        where = f"row {row}: " if named else ""
        raise InputError(f"{WHERE}: {where}answers {outputs[row].tolist()} {told(row)}")


def _said(error: Exception) -> str:
    """What ONNX Runtime says, in one line."""
    return " ".join(str(error).split())[:300]
