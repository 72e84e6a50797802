"""The MLflow registry: versions of a use case's model, and the aliases `champion` and `challenger`."""

from __future__ import annotations

import json
import os
from typing import Any

from configs.errors import InputError
from configs.renamed import in_todays_words
from configs.schema import UseCase
from configs.settings import service_address
from tasks.packaging.values import BundleRef
from tasks.registry.values import Version
from tasks.routing.served import serving

CHAMPION, CHALLENGER = "champion", "challenger"


def registry() -> Any:
    """The MLflow client of this home."""
    os.environ["MLFLOW_ENABLE_ASYNC_LOGGING"] = "false"
    import mlflow

    mlflow.set_tracking_uri(service_address("mlflow"))
    return mlflow.MlflowClient()


def champion(use_case: str) -> Version | None:
    """The version that serves, or None before the first release.

    MLflow's alias is a mirror of it that a rollback without MLflow, or a person, may have left behind: here it follows.
    """
    from mlflow.exceptions import MlflowException

    client, served = registry(), serving(use_case)
    try:
        if served is not None:
            _settle(client, use_case, served.version.version)
        return as_version(client.get_model_version_by_alias(use_case, CHAMPION))
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
        return as_version(client.get_model_version(use_case, number))
    except MlflowException:
        known = ", ".join(version.version for version in versions(use_case)) or "none yet"
        raise InputError(f"use case {use_case!r} has no version {number!r}; versions: {known}") from None


def versions(use_case: str) -> list[Version]:
    """All versions, oldest first."""
    found = [as_version(item) for item in registry().search_model_versions(f"name='{use_case}'")]
    return sorted(found, key=lambda version: int(version.version))


def versions_by_number(use_case: str) -> dict[str, Version]:
    """All versions by their number."""
    return {version.version: version for version in versions(use_case)}


def _settle(client: Any, use_case: str, version: str) -> None:
    aliases = client.get_registered_model(use_case).aliases
    if aliases.get(CHAMPION) != version:
        client.set_registered_model_alias(use_case, CHAMPION, version)


def uncrown(use_case: str) -> None:
    """Nothing of the use case serves any more."""
    client = registry()
    if CHAMPION in client.get_registered_model(use_case).aliases:
        client.delete_registered_model_alias(use_case, CHAMPION)


def tag_version(use_case: str, version: str, key: str, value: str) -> None:
    """Keep a finding with the version."""
    registry().set_model_version_tag(use_case, version, key, value[:5000])


def recorded_use_case(version: Version) -> UseCase:
    """The configuration that a version was made with, from its lineage."""
    import mlflow

    registry()
    text = mlflow.artifacts.load_text(f"runs:/{version.run_id}/use_case.json")
    return UseCase.model_validate(in_todays_words(json.loads(text)))


def as_version(item: Any) -> Version:
    """MLflow's model version as a value."""
    tags = dict(item.tags)
    return Version(
        use_case=item.name,
        version=str(item.version),
        run_id=item.run_id,
        bundle=BundleRef(digest=tags["bundle"]),
        golden=tags["golden"],
        tags=tags,
    )
