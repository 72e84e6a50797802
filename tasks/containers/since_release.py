"""Since the release: what has become known against the packages of an image, by the inventory that was kept of it."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

from configs.settings import reports
from tasks.containers.vulnerabilities import ask


class Known(NamedTuple):
    """What is known now against an image, and of that what is `new` since its release; `unknown`: why it is not known."""

    packages: int = 0
    all: tuple[str, ...] = ()
    new: tuple[str, ...] = ()
    unknown: str = ""


def known_since(use_case: str, bundle: str) -> Known:
    """Ask pip-audit about the Python packages in the newest inventory of that bundle's image.

    What Debian's packages have is not asked. Where nobody was asked at the release all counts as new.
    """
    found = [path for path in reports(use_case, "sbom").glob("*.cdx.json") if bundle and _bundle(path) == bundle]
    if not found:
        return Known(unknown="no inventory of the version that serves is kept")
    newest = max(found, key=lambda path: path.stat().st_mtime)
    parts = json.loads(newest.read_text(encoding="utf-8"))["components"]
    pinned = sorted(f"{part['name']}=={part['version']}" for part in parts if part.get("purl", "").startswith("pkg:pypi/"))
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write("\n".join(pinned))
        file.flush()
        packages, said = ask(["-r", file.name, "--no-deps"])
    answered = [package for package in packages if "vulns" in package]
    if not answered:
        why = f"knows none of the {len(packages)} packages" if packages else f"reached no list of vulnerabilities ({said})"
        return Known(unknown=f"pip-audit {why}")
    before = newest.with_suffix(".audit.json")
    then = {name for name, _ in _each(json.loads(before.read_text()))} if before.exists() else set()
    now = _each(answered)
    left = len(pinned) - len(answered)
    return Known(
        packages=len(answered),
        all=tuple(told for _, told in now),
        new=tuple(told for name, told in now if name not in then),
        unknown=f"pip-audit knows nothing of {left} of {len(pinned)} packages" if left else "",
    )


def _each(packages: list[dict[str, Any]]) -> list[tuple[tuple[str, str], str]]:
    """Every vulnerability: by package and its name, and in words."""
    return [
        ((package["name"], known["id"]), f"{package['name']} {package['version']}: {known['id']}{_fixed(known)}")
        for package in packages
        for known in package.get("vulns", [])
    ]


def _fixed(known: dict[str, Any]) -> str:
    fixed = ", ".join(known.get("fix_versions", []))
    return f" (fixed in {fixed})" if fixed else ""


def _bundle(path: Path) -> str:
    """The bundle in the image of an inventory; empty where the file is none."""
    try:
        properties = json.loads(path.read_text(encoding="utf-8"))["metadata"]["component"]["properties"]
    except (ValueError, KeyError, TypeError):
        return ""
    return next((str(each["value"]) for each in properties if each["name"] == "slipway:bundle"), "")
