"""What is known against the packages that a server runs with: pip-audit on their lock, asked once an image."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from configs.files import write_atomically
from configs.settings import PROJECT, home

AUDIT_SECONDS = 120
UNREACHABLE_SECONDS = 3600


def audited(path: Path, must: bool) -> tuple[list[dict[str, Any]], str]:
    """Every package with its known vulnerabilities (`vulns`), kept in `path`; none, and why, where that cannot be said.

    Where no list was reached, nobody is asked again for an hour, unless it must be known.
    """
    if path.exists():
        return json.loads(path.read_text()), ""
    unreachable = home() / "audit-unreachable"
    if not must and unreachable.exists() and time.time() - unreachable.stat().st_mtime < UNREACHABLE_SECONDS:
        return [], "pip-audit reached no list of vulnerabilities within the last hour"
    packages, said = ask(["-r", str(PROJECT / "infra" / "serving.lock"), "--require-hashes"])
    unknown = [package for package in packages if "vulns" not in package]
    if not packages or len(unknown) == len(packages):
        unreachable.touch()
        return [], f"pip-audit reached no list of vulnerabilities ({said})"
    if unknown:  # not kept: the next release asks again
        names = ", ".join(f"{package['name']} ({package.get('skip_reason', 'no reason')})" for package in unknown)
        return [], f"pip-audit knows nothing of {len(unknown)} of {len(packages)} packages: {names}"
    write_atomically(path, json.dumps(packages, indent=1).encode())
    return packages, ""


def ask(packages: Sequence[str]) -> tuple[list[dict[str, Any]], str]:
    """What pip-audit found of the packages that these words name to it, and the last line that it said beside it."""
    command = [str(Path(sys.executable).parent / "pip-audit"), *packages, "--disable-pip", "--format", "json"]
    command += ["--progress-spinner", "off", "--timeout", "5"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=AUDIT_SECONDS, check=False)
        return json.loads(done.stdout)["dependencies"], ""
    except subprocess.TimeoutExpired:
        return [], f"no answer within {AUDIT_SECONDS} s"
    except json.JSONDecodeError:
        return [], (done.stderr.strip().splitlines() or ["it said nothing"])[-1][:200]
