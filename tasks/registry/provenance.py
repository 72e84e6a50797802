"""Provenance: which commit, code and packages made a version. Kept with the version, and no part of what it is."""

from __future__ import annotations

import hashlib
import platform
import subprocess
from collections.abc import Mapping

from configs.settings import CLONE, PROJECT, shipped, store
from tasks.code import CODE, ENVIRONMENT
from tasks.store import put


def provenance() -> dict[str, str]:
    """Of this process. A version that was made before keeps its own: the same inputs are the same version."""
    return {
        "git_commit": git_commit(),
        "code": CODE.digest(*CODE.sources),
        "lock": hashlib.sha256(shipped("requirements.lock").read_bytes()).hexdigest(),
        "python": platform.python_version(),
        "packages": hashlib.sha256(ENVIRONMENT.encode()).hexdigest(),
    }


def keep_environment() -> None:
    """Keep the names and versions of the packages under their digest, so that those that differ can be named."""
    put("environments", ".txt", ENVIRONMENT.encode())


def environment_of(tags: Mapping[str, str]) -> dict[str, str] | None:
    """The packages that a version was made with, by name; None where this home does not have the list."""
    path = store("environments") / f"{tags.get('packages', '')}.txt"
    if not path.exists():
        return None
    named = (line.rpartition("-") for line in path.read_text().splitlines()[1:])  # the first line is Python's
    return {name: version for name, _, version in named}


def git_commit() -> str:
    """The project's commit, with `-dirty` where files differ from it; `unknown` where it lies in no clone of its own."""
    if not CLONE:
        return "unknown"  # a repository that site-packages happens to lie in says nothing of Slipway

    def git(*words: str) -> str:
        return subprocess.run(["git", "-C", str(PROJECT), *words], capture_output=True, text=True, check=True).stdout

    try:
        commit = git("rev-parse", "HEAD").strip()
        return f"{commit}-dirty" if git("status", "--porcelain").strip() else commit
    except (FileNotFoundError, subprocess.CalledProcessError):
        return "unknown"
