"""Register: a bundle as a version of the use case's model in MLflow, with its lineage."""

from __future__ import annotations

from typing import Any

from prefect import get_run_logger, task
from prefect.runtime import flow_run

from configs.schema import UseCase
from serving.scoring.bundle import read_bundle
from tasks.explaining.values import Influence
from tasks.fairness.told import numbers_of
from tasks.fairness.values import FairnessFound
from tasks.packaging.values import BundleRef, OnnxModel
from tasks.problems.problem import problem_of
from tasks.registry.provenance import keep_environment, provenance
from tasks.registry.values import Version
from tasks.registry.versions import CHALLENGER, as_version, champion, registry
from tasks.training.values import Evaluation


@task
def register(
    use_case: UseCase,
    bundle: BundleRef,
    onnx: OnnxModel,
    evaluation: Evaluation,
    fairness: FairnessFound | None = None,
    influence: Influence | None = None,
) -> Version:
    """Make the bundle the `challenger`; a bundle that is registered already keeps its version.

    The version is made in one call with all its tags, so a killed run leaves either no version or a whole one.
    """
    client = registry()
    version = _find(client, use_case.name, bundle)
    if version is None:
        parent = champion(use_case.name)
        version = _create(use_case, bundle, onnx, evaluation, parent.version if parent else "", fairness, influence)
        get_run_logger().info("Registered %s version %s", use_case.name, version.version)
    client.set_registered_model_alias(use_case.name, CHALLENGER, version.version)
    return version


def _find(client: Any, use_case: str, bundle: BundleRef) -> Version | None:
    found = client.search_model_versions(f"name='{use_case}' and tags.bundle='{bundle.digest}'")
    return as_version(found[0]) if found else None


def _create(
    use_case: UseCase,
    bundle: BundleRef,
    onnx: OnnxModel,
    evaluation: Evaluation,
    parent: str,
    fairness: FairnessFound | None,
    influence: Influence | None,
) -> Version:
    import mlflow
    import onnx as onnx_format

    mlflow.set_experiment(use_case.name)
    contents = read_bundle(bundle.path)
    keep_environment()
    tags = {
        **{key: value for key, value in contents.manifest.lineage.items() if isinstance(value, str)},
        **provenance(),
        "bundle": bundle.digest,
        "golden": onnx.golden,
        "flow_run": flow_run.get_id() or "",
        "flow_run_name": flow_run.get_name() or "",
        "parent": parent,
        **({"fairness": fairness.verdict} if fairness else {}),
    }
    with mlflow.start_run(run_name=f"{use_case.name}-{bundle.digest[:12]}", tags=tags):
        mlflow.log_params({"estimator": use_case.model.named, "seed": use_case.model.seed, **use_case.model.parameters})
        mlflow.log_metrics({**evaluation.metrics, **(numbers_of(fairness) if fairness else {})})
        if fairness is not None:
            mlflow.log_dict(fairness.model_dump(mode="json"), "fairness.json")
        if influence is not None:
            mlflow.log_dict(influence.model_dump(mode="json"), "influence.json")
            mlflow.log_text(influence.page_path.read_text(), "influence.html")
        mlflow.log_dict(use_case.model_dump(mode="json"), "use_case.json")
        mlflow.log_artifacts(str(bundle.path), "bundle")
        logged = mlflow.onnx.log_model(
            onnx_format.load(str(onnx.path)),
            name="model",
            signature=_signature(contents.contract),
            pip_requirements=["mlflow", "onnx", "onnxruntime"],
        )
    return as_version(mlflow.register_model(logged.model_uri, use_case.name, tags=tags))


def _signature(contract: Any) -> Any:
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, Schema

    kinds = {"float32": DataType.float, "string": DataType.string}
    inputs = Schema([ColSpec(kinds[column.dtype], column.name) for column in contract.columns])
    outputs = Schema([ColSpec(DataType[kind], name) for name, kind in problem_of(contract).graph.items()])
    return ModelSignature(inputs, outputs)
