"""Stored: the bundle that this home keeps of a version, and what of a logged record it can be asked with."""

from __future__ import annotations

from typing import Any

from configs.settings import store
from serving.scoring.bundle import Bundle, BundleError, read_bundle

HASHED = "hmac:"


def stored_bundle(version: str, digest: str) -> Bundle:
    """The bundle that the home keeps of a version.

    Raises:
        BundleError: it has none, or it is not what it was.
    """
    if not digest:
        raise BundleError(f"version {version} was never switched to in this home; ask MLflow")
    bundle = read_bundle(store("bundles") / digest)
    if bundle.digest != digest:
        raise BundleError(f"the bundle in the store is {bundle.digest}, not {digest}: it was changed")
    return bundle


def given(bundle: Bundle, features: dict[str, Any]) -> dict[str, Any]:
    """What the model was given of a logged record: no identifier, nor what the contract does not know."""
    return {name: features[name] for name in bundle.contract.names if name in features}


def not_kept(bundle: Bundle, features: dict[str, Any]) -> str:
    """Which columns the log has hashed or left out; empty where it has all. A value that was null is not logged either."""
    sensitive = [column for column in bundle.contract.columns if column.sensitive]
    hashed = [each.name for each in sensitive if str(features.get(each.name, "")).startswith(HASHED)]
    omits = bundle.manifest.lineage.get("configuration", {}).get("log", {}).get("sensitive") == "omit"
    omitted = [each.name for each in sensitive if each.name not in features and (omits or not each.nullable)]
    told = [f"{how} {', '.join(names)}" for how, names in (("hashed", hashed), ("left out", omitted)) if names]
    return f"the log has {' and '.join(told)}" if told else ""
