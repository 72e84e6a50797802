"""What a version was made from: its data, configuration, code and run, from what the home keeps of it. Needs no service."""

from __future__ import annotations

from typing import Any

from serving.scoring.bundle import BundleError
from tasks.explaining.stored import stored_bundle
from tasks.rollouts.known import bundle_of, known_version

TAGS = ("flow_run_name", "git_commit", "code", "lock", "python", "packages", "parent")


def made_from(use_case: str, version: str) -> dict[str, Any]:
    """The bundle and its lineage (snapshot, rows, configuration), and which run of which code trained it.

    Where the home has no bundle of it any more, `unknown` says so.
    """
    known, digest = known_version(use_case, version), bundle_of(use_case, version)
    said = {"version": version, "bundle": digest, **{name: known.tags.get(name, "") for name in TAGS if known}}
    try:
        return {**said, **stored_bundle(version, digest).manifest.lineage}
    except BundleError as error:
        return {**said, "unknown": str(error)}
