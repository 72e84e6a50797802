"""Reproduction: the recorded snapshot of a version, and its ONNX bytes beside those built again."""

from __future__ import annotations

from datetime import datetime

from prefect import get_run_logger, task

from configs.errors import CheckFailed
from configs.schema import Recipe, UseCase
from serving.scoring.bundle import read_bundle
from tasks.data.source import training_rows
from tasks.data.values import Snapshot
from tasks.packaging.values import OnnxModel
from tasks.registry.provenance import provenance
from tasks.registry.values import Version
from tasks.store import put_parquet
from tasks.training.own import source_of


class NotReproduced(CheckFailed):
    """The version could not be built again; the message says where the two differ, `rebuilt` is the other ONNX's digest."""

    def __init__(self, message: str, rebuilt: str = "") -> None:
        super().__init__(message)
        self.rebuilt = rebuilt


@task
def recorded_snapshot(use_case: UseCase, version: Version) -> Snapshot:
    """The version's snapshot, from the store, or read from the source again where it is gone.

    Raises:
        NotReproduced: the source no longer gives the recorded rows.
    """
    recorded = read_bundle(version.bundle.path).manifest.lineage
    snapshot = Snapshot(digest=recorded["snapshot"], rows=recorded["rows"])
    if not snapshot.path.exists():
        until = datetime.fromisoformat(recorded["until"]) if recorded["until"] else None
        digest = put_parquet("snapshots", training_rows(use_case, until))
        if digest != snapshot.digest:
            raise NotReproduced(f"the source now gives snapshot {digest}, recorded is {snapshot.digest}")
    return snapshot


def recorded_recipe(use_case: UseCase, version: Version) -> Recipe:
    """What the version was made by; of an own file the recorded one, which the store has, whatever lies at its path now."""
    file = read_bundle(version.bundle.path).manifest.lineage.get("model_file", "")
    return use_case.recipe.model_copy(update={"source": file})


@task
def compare_onnx(version: Version, rebuilt: OnnxModel) -> str:
    """Compare bytes.

    Raises:
        NotReproduced: with the first difference, and what else differs from the record.
    """
    recorded, before = read_bundle(version.bundle.path).manifest.lineage, version.tags
    own = recorded["configuration"]["model"].get("pipeline")
    found = {**provenance(), **({"pipeline_source": source_of(own)} if own else {})}
    others = [
        f"{name} was {before.get(name, 'not recorded')}, is {now}" for name, now in found.items() if before.get(name) != now
    ]
    for other in others:
        get_run_logger().warning("Differs from the record: %s", other)
    if rebuilt.digest == recorded["onnx"]:
        return f"{version.use_case} version {version.version}: reproduced, equal ONNX bytes (SHA-256 {rebuilt.digest})"
    old, new = (version.bundle.path / "model.onnx").read_bytes(), rebuilt.path.read_bytes()
    first = next((i for i, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), min(len(old), len(new)))
    raise NotReproduced(
        f"{version.use_case} version {version.version}: ONNX differs from byte {first} on ({len(old)} and {len(new)} bytes; "
        f"SHA-256 {recorded['onnx']} and {rebuilt.digest}); {'; '.join(others) or 'commit, code and packages are the same'}",
        rebuilt.digest,
    )
