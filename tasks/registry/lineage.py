"""Lineage: everything that a model was made from, so that it can be made again."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from typing import Any

from configs.schema import UseCase
from tasks.data.frames import read_rows
from tasks.data.values import Split
from tasks.packaging.values import OnnxModel


def lineage(
    use_case: UseCase,
    split: Split,
    until: datetime | None,
    contract: str,
    onnx: OnnxModel,
    recipe: str = "",
    source: str = "",
    files: dict[str, dict[str, str]] | None = None,
) -> dict[str, Any]:
    """What goes into a bundle's manifest: inputs, so the same inputs give the same bundle.

    Nothing of the moment (no time, no run), and nothing of who made it: commit, code and packages are `provenance`.
    `files` are those that the snapshot was read from, each with its SHA-256, as they were then.
    `recipe` says why this history and these parameters were taken, where there was a choice, and `source` is the digest of
    an own pipeline's source, or of an own file. `learned_rows` is how many of
    the snapshot's first rows the model has seen, `learned_until` the time of the last of them.
    """
    configuration, time = use_case.model_dump(mode="json"), use_case.source.time_column
    last = read_rows(split.snapshot, split.final - 1, split.final, [time])[time].iloc[0].isoformat() if time else ""
    return {
        "snapshot": split.snapshot.digest,
        "rows": split.snapshot.rows,
        "files": files or {},
        "learned_rows": split.final,
        "learned_until": last,
        "until": until.isoformat() if until else "",
        "contract": contract,
        "onnx": onnx.digest,
        "variant": onnx.variant,
        "recipe": recipe,
        **({"model_file": source} if use_case.model.onnx is not None else {"pipeline_source": source}),
        "configuration": configuration,
        "configuration_digest": digest_of(configuration),
    }


def digest_of(value: Any) -> str:
    """SHA-256 of a value's canonical JSON."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
