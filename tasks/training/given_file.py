"""An own ONNX file: read with the weights beside it, looked at, and kept in the store under its digest."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from configs.errors import InputError
from configs.schema import Recipe
from configs.settings import store
from tasks.store import put

WHERE = "model.onnx"
LARGEST = 2**31 - 2**20  # bytes: a protobuf message holds 2 GiB, and the graph around the file takes some
OLDEST_OPSET = 7  # ONNX Runtime promises nothing of those before


def keep_file(path: str) -> str:
    """Keep the file in the store; returns the SHA-256 of its content.

    Raises:
        InputError: it is missing, too large, or no ONNX model that can be read here.
    """
    return put("models", ".onnx", read_file(path))


def kept_file(digest: str) -> bytes:
    """The content of that digest, from the store."""
    return _kept(digest).read_bytes()


def content_of(recipe: Recipe) -> bytes:
    """The file of a recipe: the very one that the run began with, where the recipe says which.

    Raises:
        InputError: as `keep_file`, or another file lies there now.
    """
    if recipe.source and _kept(recipe.source).exists():
        return kept_file(recipe.source)
    content = read_file(str(recipe.model.onnx))
    if recipe.source and hashlib.sha256(content).hexdigest() != recipe.source:
        raise InputError(f"{WHERE}: {recipe.model.onnx} is not the file with SHA-256 {recipe.source}; put that one back")
    return content


def read_file(path: str) -> bytes:
    """The content of the file. One with weights in files beside it becomes one with all of them inside.

    Raises:
        InputError: as `keep_file`.
    """
    file = Path(path)
    if not file.is_file():
        raise InputError(f"{WHERE}: there is no file {path}")
    _fits(path, file.stat().st_size)
    content = file.read_bytes()
    model = _parsed(path, content)
    if weights := _beside(path, model):
        _fits(path, len(content) + sum(each.stat().st_size for each in weights))
        content = _with_weights(path, model)
    return content


def _kept(digest: str) -> Path:
    return store("models") / f"{digest}.onnx"


def _parsed(path: str, content: bytes) -> Any:
    from google.protobuf.message import DecodeError
    from onnx import IR_VERSION, ModelProto
    from onnx.defs import onnx_opset_version

    try:
        model = ModelProto.FromString(content)
    except DecodeError:
        model = ModelProto()
    if not model.graph.node or not model.ir_version:
        raise InputError(f"{WHERE}: {path} is no ONNX model")
    if model.ir_version > IR_VERSION:
        raise InputError(f"{WHERE}: {path} has IR version {model.ir_version}; export it with {IR_VERSION} or lower")
    opset = next((each.version for each in model.opset_import if each.domain in ("", "ai.onnx")), OLDEST_OPSET)
    if not OLDEST_OPSET <= opset <= onnx_opset_version():
        raise InputError(
            f"{WHERE}: {path} has opset {opset}; export it with one of {OLDEST_OPSET} to {onnx_opset_version()}"
        )
    return model


def _beside(path: str, model: Any) -> list[Path]:
    """Files with weights, which lie in the folder of the model."""
    from onnx.external_data_helper import ExternalDataInfo, _get_all_tensors, uses_external_data

    names = {ExternalDataInfo(each).location for each in _get_all_tensors(model) if uses_external_data(each)}
    folder = Path(path).parent
    for name in sorted(names):
        if not (folder / name).is_file():
            raise InputError(f"{WHERE}: {path} has weights in {name!r}, which does not lie beside it; copy it there too")
    return [folder / name for name in sorted(names)]


def _with_weights(path: str, model: Any) -> bytes:
    from onnx.checker import ValidationError
    from onnx.external_data_helper import load_external_data_for_model

    try:
        load_external_data_for_model(model, str(Path(path).parent))
    except (ValidationError, ValueError, OSError) as error:  # beyond the folder, or shorter than it should be
        raise InputError(f"{WHERE}: the weights of {path} cannot be read: {' '.join(str(error).split())[:200]}") from None
    return bytes(model.SerializeToString(deterministic=True))


def _fits(path: str, size: int) -> None:
    if size > LARGEST:
        raise InputError(f"{WHERE}: {path} and its weights are {size / 2**30:.1f} GiB; less than 2 GiB fit into one model")
