"""Provenance: which commit, code and packages made a version. Kept with the version, and no part of what it is."""

from __future__ import annotations

import hashlib
import platform
import subprocess

from configs.settings import CLONE, PROJECT, shipped
from tasks.code import CODE, ENVIRONMENT


def provenance() -> dict[str, str]:
    """Of this process. A version that was made before keeps its own: the same inputs are the same version."""
    return {
        "git_commit": git_commit(),
        "code": CODE.digest(*CODE.sources),
        "lock": hashlib.sha256(shipped("requirements.lock").read_bytes()).hexdigest(),
        "python": platform.python_version(),
        "packages": hashlib.sha256(ENVIRONMENT.encode()).hexdigest(),
    }


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
