"""Reasons of a logged answer, made again from the stored bundle of the version that gave it. Needs no service."""

from __future__ import annotations

from typing import Any, NamedTuple

from serving.reasons.reasons import reasons_of
from tasks.explaining.stored import UntoldError, logged


class Explained(NamedTuple):
    """The reasons as a native answer has them, or `none`: why there are none."""

    reasons: dict[str, Any] | None
    none: str = ""


def explained(record: dict[str, Any], digest: str) -> Explained:
    """The reasons of a logged prediction; `digest` is that of its version's bundle, empty where the home knows none.

    The stored model is asked again: reasons are told only where it says what was answered.
    """
    try:
        found = logged(record, digest)
    except UntoldError as error:
        return Explained(None, str(error))
    bundle = found.bundle
    if not bundle.reasons:
        version = record["model_version"]
        return Explained(None, f"version {version} gives no reasons: its bundle holds nothing to give them from")
    (told,) = reasons_of(bundle.reasons, bundle.codes, bundle.contract).told(found.arrays, [found.output])
    return Explained(told)
