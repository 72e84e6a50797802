"""`slipway audit why --rebuild`: the version that answered, trained again as `slipway reproduce` does, and asked."""

from __future__ import annotations

from rich.console import Console

from configs.errors import CheckFailed
from configs.settings import store
from console import services
from serving.scoring.bundle import BundleError
from tasks.audit.again import ask
from tasks.audit.values import Rebuilt
from tasks.audit.why import Why
from tasks.explaining.stored import stored_bundle


def rebuilt(found: Why) -> Rebuilt:
    """Train it again from the stored snapshot and configuration; Prefect and MLflow are started where they are not up.

    Raises:
        CheckFailed: the home has not the bundle that answered.
    """
    version = found.model["version"]
    try:
        bundle = stored_bundle(version, found.model["bundle"])
    except BundleError as error:
        raise CheckFailed(f"prediction {found.prediction_id} cannot be trained again: {error}") from None
    if not all(services.is_up(name) for name in ("prefect", "mlflow")):
        services.up(Console(stderr=True).print)
    from flows.reproduce import reproduce as flow  # Prefect reads its address once
    from tasks.registry.reproduction import NotReproduced

    try:
        told, digest = flow(found.use_case, version), bundle.manifest.lineage["onnx"]
    except NotReproduced as error:
        told, digest = str(error), error.rebuilt
    if not digest:
        return Rebuilt(equal=False, told=told)
    model = (store("onnx") / f"{digest}.onnx").read_bytes()
    return Rebuilt(equal=model == bundle.model, told=told, onnx=digest, again=ask(bundle, model, found.asked[-1]))
