"""Register: a bundle as a version of the use case's model in MLflow, with its lineage; and the registry's aliases."""

from __future__ import annotations

import json
import os
from typing import Any

from prefect import get_run_logger, task
from prefect.runtime import flow_run

from configs.errors import InputError
from configs.schema import UseCase
from configs.settings import service_address
from serving.bundle import read_bundle
from tasks.values import BundleRef, Evaluation, OnnxModel, Version

CHAMPION, CHALLENGER = "champion", "challenger"


@task
def register(use_case: UseCase, bundle: BundleRef, onnx: OnnxModel, evaluation: Evaluation) -> Version:
    """Make the bundle the `challenger`; a bundle that is registered already keeps its version.

    The version is made in one call with all its tags, so a killed run leaves either no version or a whole one.
    """
    client = registry()
    version = _find(client, use_case.name, bundle)
    if version is None:
        parent = champion(use_case.name)
        version = _create(use_case, bundle, onnx, evaluation, parent.version if parent else "")
        get_run_logger().info("Registered %s version %s", use_case.name, version.version)
    client.set_registered_model_alias(use_case.name, CHALLENGER, version.version)
    return version


def registry() -> Any:
    """The MLflow client of this home."""
    os.environ["MLFLOW_ENABLE_ASYNC_LOGGING"] = "false"
    import mlflow

    mlflow.set_tracking_uri(service_address("mlflow"))
    return mlflow.MlflowClient()


def champion(use_case: str) -> Version | None:
    """The version that serves, or None before the first release."""
    from mlflow.exceptions import MlflowException

    try:
        return _version(registry().get_model_version_by_alias(use_case, CHAMPION))
    except MlflowException as error:
        if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            return None
        raise


def the_champion(use_case: str) -> Version:
    """The version that serves.

    Raises:
        InputError: there is none yet.
    """
    version = champion(use_case)
    if version is None:
        raise InputError(f"use case {use_case!r} has no champion yet; run 'slipway release {use_case}' first")
    return version


def get_version(use_case: str, number: str) -> Version:
    """One version of a use case.

    Raises:
        InputError: there is no such version.
    """
    from mlflow.exceptions import MlflowException

    client = registry()
    try:
        return _version(client.get_model_version(use_case, number))
    except MlflowException:
        known = ", ".join(version.version for version in versions(use_case)) or "none yet"
        raise InputError(f"use case {use_case!r} has no version {number!r}; versions: {known}") from None


def versions(use_case: str) -> list[Version]:
    """All versions, oldest first."""
    found = [_version(item) for item in registry().search_model_versions(f"name='{use_case}'")]
    return sorted(found, key=lambda version: int(version.version))


def crown(version: Version) -> None:
    """Make a version the champion."""
    registry().set_registered_model_alias(version.use_case, CHAMPION, version.version)


def _find(client: Any, use_case: str, bundle: BundleRef) -> Version | None:
    found = client.search_model_versions(f"name='{use_case}' and tags.bundle='{bundle.digest}'")
    return _version(found[0]) if found else None


def _version(item: Any) -> Version:
    tags = dict(item.tags)
    return Version(
        use_case=item.name,
        version=str(item.version),
        run_id=item.run_id,
        bundle=BundleRef(digest=tags["bundle"]),
        golden=tags["golden"],
        tags=tags,
    )


def _create(use_case: UseCase, bundle: BundleRef, onnx: OnnxModel, evaluation: Evaluation, parent: str) -> Version:
    import mlflow
    import onnx as onnx_format

    mlflow.set_experiment(use_case.name)
    contents = read_bundle(bundle.path)
    tags = {
        **{key: value for key, value in contents.manifest.lineage.items() if isinstance(value, str)},
        "bundle": bundle.digest,
        "golden": onnx.golden,
        "flow_run": flow_run.get_id() or "",
        "flow_run_name": flow_run.get_name() or "",
        "parent": parent,
    }
    with mlflow.start_run(run_name=f"{use_case.name}-{bundle.digest[:12]}", tags=tags):
        mlflow.log_params({"estimator": use_case.model.estimator, "seed": use_case.model.seed, **use_case.model.parameters})
        mlflow.log_metrics(evaluation.metrics)
        mlflow.log_dict(use_case.model_dump(mode="json"), "use_case.json")
        mlflow.log_artifacts(str(bundle.path), "bundle")
        mlflow.log_artifact(str(onnx.golden_path), "golden")
        logged = mlflow.onnx.log_model(
            onnx_format.load(str(onnx.path)),
            name="model",
            signature=_signature(contents.contract),
            pip_requirements=["mlflow", "onnx", "onnxruntime"],
        )
    return _version(mlflow.register_model(logged.model_uri, use_case.name, tags=tags))


def _signature(contract: Any) -> Any:
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, Schema

    kinds = {"float32": DataType.float, "string": DataType.string}
    inputs = Schema([ColSpec(kinds[column.dtype], column.name) for column in contract.columns])
    return ModelSignature(inputs, Schema([ColSpec(DataType.long, "label"), ColSpec(DataType.float, "probabilities")]))


def recorded_use_case(version: Version) -> UseCase:
    """The configuration that a version was made with, from its lineage."""
    import mlflow

    registry()
    text = mlflow.artifacts.load_text(f"runs:/{version.run_id}/use_case.json")
    return UseCase.model_validate(json.loads(text))
