"""Which image a version should run from: its name holds a digest of everything that decides its content."""

from __future__ import annotations

import hashlib
from typing import Any

from configs.errors import InputError
from configs.schema import Resources, UseCase
from configs.settings import PROJECT
from tasks.containers.engine import engine
from tasks.containers.values import Image
from tasks.packaging.signing_keys import key_id
from tasks.registry.values import Version

RECIPE = (PROJECT / "infra" / "Dockerfile", PROJECT / "infra" / "slim.py", PROJECT / "infra" / "serving.lock")
# Every file in an image has this time: the first that a ZIP archive can hold, 1 January 1980.
SOURCE_DATE_EPOCH = "315532800"


def wanted_image(use_case: UseCase, version: Version) -> Image:
    """Which platform the version runs on and from what image; `digest` is empty while the image is not built.

    Raises:
        InputError: the use case wants Docker, or what only Docker can give, and no engine answers.
    """
    client, silent = engine()
    if use_case.deploy.platform == "local" or client is None:
        if wanted := _wants_docker(use_case):
            raise InputError(
                f"{wanted}, but no Docker Engine answers ({silent}); start it, or take that out of the use case"
            )
        reason = f"no Docker Engine answers ({silent})" if use_case.deploy.platform == "auto" else "the use case asks for it"
        return Image(platform="local", reference=f"processes:{recipe_digest()[:8]}", why=reason)
    # The signature is in the image, and another home on this engine signs the same bundle with another key.
    tag = f"{version.bundle.digest[:12]}-{recipe_digest()[:8]}-{key_id()[:8]}"
    reference = f"slipway/{use_case.name}:{tag}"
    return Image(platform="docker", reference=reference, digest=_digest(client, reference), why="a Docker Engine answers")


def _wants_docker(use_case: UseCase) -> str:
    """What the use case says that processes of this machine could not keep, or "". The schema has refused it for `local`."""
    deploy = use_case.deploy
    if deploy.platform == "docker":
        return "deploy.platform is 'docker'"
    if deploy.resources != Resources():
        return "deploy.resources are limits that only containers keep"
    return "deploy.registry is where images are pushed" if deploy.registry else ""


def recipe_digest() -> str:
    """SHA-256 over everything but the bundle that decides what a server does: `serving/`, its lock, the Dockerfile."""
    digest = hashlib.sha256()
    files = (path for path in (PROJECT / "serving").rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    for path in [*sorted(files), *RECIPE]:
        digest.update(f"{path.relative_to(PROJECT)}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()


def _digest(client: Any, reference: str) -> str:
    from docker.errors import ImageNotFound

    try:
        return str(client.images.get(reference).id)
    except ImageNotFound:
        return ""
