"""Lineage: everything that a model was made from, so that it can be made again."""

from __future__ import annotations

import hashlib
import json
import subprocess
from datetime import datetime
from typing import Any

from configs.schema import UseCase
from configs.settings import PROJECT
from tasks.frames import read_rows
from tasks.step import code_version
from tasks.values import OnnxModel, Split


def lineage(
    use_case: UseCase, split: Split, until: datetime | None, contract: str, onnx: OnnxModel, recipe: str = ""
) -> dict[str, Any]:
    """What goes into a bundle's manifest. Nothing of the moment (no time, no run): the same inputs give the same bundle.

    `recipe` says why this history and these parameters were taken, where there was a choice. `learned_rows` is how many of
    the snapshot's first rows the model has seen, `learned_until` the time of the last of them.
    """
    configuration, time = use_case.model_dump(mode="json"), use_case.source.time_column
    last = read_rows(split.snapshot, split.final - 1, split.final, [time])[time].iloc[0].isoformat() if time else ""
    return {
        "snapshot": split.snapshot.digest,
        "rows": split.snapshot.rows,
        "learned_rows": split.final,
        "learned_until": last,
        "until": until.isoformat() if until else "",
        "contract": contract,
        "onnx": onnx.digest,
        "variant": onnx.variant,
        "recipe": recipe,
        "configuration": configuration,
        "configuration_digest": digest_of(configuration),
        "git_commit": git_commit(),
        "lock": hashlib.sha256((PROJECT / "requirements.lock").read_bytes()).hexdigest(),
        "code": code_version(),
    }


def digest_of(value: Any) -> str:
    """SHA-256 of a value's canonical JSON."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def git_commit() -> str:
    """The project's commit, with `-dirty` where files differ from it; `unknown` outside a git clone."""

    def git(*words: str) -> str:
        return subprocess.run(["git", "-C", str(PROJECT), *words], capture_output=True, text=True, check=True).stdout

    try:
        commit = git("rev-parse", "HEAD").strip()
        return f"{commit}-dirty" if git("status", "--porcelain").strip() else commit
    except (FileNotFoundError, subprocess.CalledProcessError):
        return "unknown"
