"""Stored: a logged answer, with the bundle that the home keeps of its version; asked again before a word is said of it."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from configs.settings import store
from serving.contract.faults import ContractError
from serving.scoring.bundle import Bundle, BundleError, read_bundle
from serving.scoring.onnx import Scorer
from serving.traffic.plan import HALT

SAME = 1e-5  # how far two answers of one model to one record may lie apart
HASHED = "hmac:"


class UntoldError(ValueError):
    """Nothing can be said of why a model answered so; the message says what is in the way."""


class Logged(NamedTuple):
    """What a model was given by name, and as it takes it, one (1, 1) array a column; what it answered, k numbers."""

    bundle: Bundle
    scorer: Scorer
    given: dict[str, Any]
    arrays: dict[str, np.ndarray]
    output: list[float]


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


def logged(record: dict[str, Any], digest: str) -> Logged:
    """A logged prediction; `digest` is that of its version's bundle, empty where the home knows none.

    Raises:
        UntoldError: no model answered, the log does not keep all that it was given, the bundle is gone, or its model, asked
            again, does not say what it answered.
    """
    version, then = str(record["model_version"]), record.get("output")
    if record.get("variant") == HALT:
        raise UntoldError("a halt answered, and no model")
    if not then:
        raise UntoldError("no model answered")
    try:
        bundle = stored_bundle(version, digest)
    except BundleError as error:
        raise UntoldError(str(error)) from None
    if lacking := _not_kept(bundle, record["features"]):
        raise UntoldError(lacking)
    given = {name: record["features"][name] for name in bundle.contract.names if name in record["features"]}
    try:
        arrays = bundle.contract.encode([given])
    except ContractError as error:
        raise UntoldError(f"what the log has is no record that version {version} takes: {error}") from None
    scorer = Scorer(bundle.model, bundle.contract)
    (now,) = scorer.outputs(arrays)
    if len(now) != len(then) or not np.allclose(now, then, rtol=SAME, atol=SAME):
        raise UntoldError(f"asked again, version {version} does not say what it answered, but {now.tolist()}")
    return Logged(bundle, scorer, given, arrays, then)


def _not_kept(bundle: Bundle, features: dict[str, Any]) -> str:
    """Which columns the log has hashed or left out; empty where it has all. A value that was null is not logged either."""
    sensitive = [column for column in bundle.contract.columns if column.sensitive]
    hashed = [each.name for each in sensitive if str(features.get(each.name, "")).startswith(HASHED)]
    omits = bundle.manifest.lineage.get("configuration", {}).get("log", {}).get("sensitive") == "omit"
    omitted = [each.name for each in sensitive if each.name not in features and (omits or not each.nullable)]
    told = [f"{how} {', '.join(names)}" for how, names in (("hashed", hashed), ("left out", omitted)) if names]
    return f"the log has {' and '.join(told)}, and without the values nobody can say why" if told else ""
