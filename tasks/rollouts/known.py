"""What the home knows of a version that it met: switched to, rolled out, or deployed. Needs no registry."""

from __future__ import annotations

from tasks.history import read_history
from tasks.registry.values import Version
from tasks.rollouts.state import last_rollout
from tasks.routing.served import served_version


def known_version(use_case: str, version: str) -> Version | None:
    """Its record, where it ever served or is a part of the last rollout."""
    if served := served_version(use_case, version):
        return served.version
    state = last_rollout(use_case)
    among = [state.challenger, state.champion, *(each.version for each in state.variants)] if state else []
    return next((each for each in among if each.version == version), None)


def bundle_of(use_case: str, version: str) -> str:
    """The digest of its bundle; empty where the home does not know it."""
    if known := known_version(use_case, version):
        return known.bundle.digest
    entries = [entry for entry in read_history(use_case, "deploy") if entry["version"] == version]
    return str(entries[-1].get("bundle", "")) if entries else ""
