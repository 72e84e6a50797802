"""Explained: the reasons of an answer in the log, from the stored bundle of the version that gave it. Needs no service."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from configs.settings import store
from serving.contract.contract import Contract, ContractError
from serving.reasons.reasons import reasons_of
from serving.scoring.bundle import Bundle, read_bundle
from serving.scoring.onnx import Scorer
from serving.traffic.plan import HALT

SAME = 1e-5  # how far two answers of one model to one record may lie apart
HASHED = "hmac:"


class Explained(NamedTuple):
    """The reasons as the server tells them, or `none`: why there are none."""

    reasons: dict[str, Any] | None
    none: str = ""


def explained(record: dict[str, Any], model: dict[str, Any]) -> Explained:
    """The reasons of a logged prediction; `model` is what `made_from` says of its version.

    The stored model is asked again: reasons are told only where it says what was answered.
    """
    if record.get("variant") == HALT:
        return Explained(None, "a halt answered, and no model")
    if "unknown" in model:
        return Explained(None, str(model["unknown"]))
    bundle = read_bundle(store("bundles") / model["bundle"])
    if not bundle.reasons:
        return Explained(None, f"version {model['version']} gives no reasons: its bundle holds nothing to give them from")
    if lacking := _not_kept(bundle, record["features"]):
        return Explained(None, lacking)
    try:
        arrays = bundle.contract.encode([_columns(bundle.contract, record["features"])])
    except ContractError as error:
        return Explained(None, f"what the log has is no record that version {model['version']} takes: {error}")
    (now,), then = Scorer(bundle.model, bundle.contract).outputs(arrays), record["output"]
    if len(now) != len(then) or not np.allclose(now, then, rtol=SAME, atol=SAME):
        return Explained(None, f"asked again, version {model['version']} does not say what it answered, but {now.tolist()}")
    (told,) = reasons_of(bundle.reasons, bundle.codes, bundle.contract).told(arrays, [then])
    return Explained(told)


def _columns(contract: Contract, features: dict[str, Any]) -> dict[str, Any]:
    return {name: features[name] for name in contract.names if name in features}


def _not_kept(bundle: Bundle, features: dict[str, Any]) -> str:
    """Which columns the log has hashed or left out; empty where it has all. A value that was null is not logged either."""
    sensitive = [column for column in bundle.contract.columns if column.sensitive]
    hashed = [each.name for each in sensitive if str(features.get(each.name, "")).startswith(HASHED)]
    omits = bundle.manifest.lineage.get("configuration", {}).get("log", {}).get("sensitive") == "omit"
    omitted = [each.name for each in sensitive if each.name not in features and (omits or not each.nullable)]
    told = [f"{how} {', '.join(names)}" for how, names in (("hashed", hashed), ("left out", omitted)) if names]
    return f"the log has {' and '.join(told)}, and without the values nobody can say what they added" if told else ""
