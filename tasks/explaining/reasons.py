"""Reasons of a logged answer, made again from the stored bundle of the version that gave it. Needs no service."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from serving.contract.faults import ContractError
from serving.reasons.reasons import reasons_of
from serving.scoring.bundle import BundleError
from serving.scoring.onnx import Scorer
from serving.traffic.plan import HALT
from tasks.explaining.stored import given, not_kept, stored_bundle

SAME = 1e-5  # how far two answers of one model to one record may lie apart


class Explained(NamedTuple):
    """The reasons as a native answer has them, or `none`: why there are none."""

    reasons: dict[str, Any] | None
    none: str = ""


def explained(record: dict[str, Any], digest: str) -> Explained:
    """The reasons of a logged prediction; `digest` is that of its version's bundle, empty where the home knows none.

    The stored model is asked again: reasons are told only where it says what was answered.
    """
    version, then = str(record["model_version"]), record.get("output")
    if record.get("variant") == HALT:
        return Explained(None, "a halt answered, and no model")
    if not then:
        return Explained(None, "no model answered")
    try:
        bundle = stored_bundle(version, digest)
    except BundleError as error:
        return Explained(None, str(error))
    if not bundle.reasons:
        return Explained(None, f"version {version} gives no reasons: its bundle holds nothing to give them from")
    if lacking := not_kept(bundle, record["features"]):
        return Explained(None, f"{lacking}, and without the values nobody can say what they added")
    try:
        arrays = bundle.contract.encode([given(bundle, record["features"])])
    except ContractError as error:
        return Explained(None, f"what the log has is no record that version {version} takes: {error}")
    (now,) = Scorer(bundle.model, bundle.contract).outputs(arrays)
    if len(now) != len(then) or not np.allclose(now, then, rtol=SAME, atol=SAME):
        return Explained(None, f"asked again, version {version} does not say what it answered, but {now.tolist()}")
    (told,) = reasons_of(bundle.reasons, bundle.codes, bundle.contract).told(arrays, [then])
    return Explained(told)
