"""Containerize: a bundle as an image on the Docker Engine, or, where there is none, as it lies here."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from prefect import get_run_logger, task

from configs.errors import CheckFailed, InputError
from configs.schema import UseCase
from configs.settings import PROJECT
from tasks.signing_keys import key_id
from tasks.targets.engine import engine
from tasks.values import Image, Version

WHEELS = PROJECT / ".venv" / "wheels"
RECIPE = (PROJECT / "infra" / "Dockerfile", PROJECT / "infra" / "slim.py", PROJECT / "infra" / "serving.lock")
# Every file in an image has this time: the first that a ZIP archive can hold, 1 January 1980.
SOURCE_DATE_EPOCH = "315532800"


class BuildError(CheckFailed):
    """The Docker Engine could not build the image; the message holds what it said."""


@task
def containerize(use_case: UseCase, version: Version) -> Image:
    """Build the image of a version; one that is there already is not built again.

    Raises:
        InputError: the use case wants Docker and no engine answers.
        BuildError: the build failed.
    """
    logger, image = get_run_logger(), wanted_image(use_case, version)
    if image.target == "local":
        logger.warning("Target local: %s", image.why)
        return image
    client, _ = engine()
    if not image.digest:
        logger.info("Building %s", image.reference)
        _build(client, version, image.reference)
    return wanted_image(use_case, version)


def wanted_image(use_case: UseCase, version: Version) -> Image:
    """Which target the version runs on and from what image; `digest` is empty while the image is not built.

    Raises:
        InputError: the use case wants Docker and no engine answers.
    """
    client, silent = engine()
    if use_case.deploy.target == "local" or client is None:
        if use_case.deploy.target == "docker":
            raise InputError(f"deploy.target is 'docker', but no Docker Engine answers ({silent}); start it, or use 'local'")
        reason = f"no Docker Engine answers ({silent})" if use_case.deploy.target == "auto" else "the use case asks for it"
        return Image(target="local", reference=f"processes:{recipe_digest()[:8]}", why=reason)
    # The signature is in the image, and another home on this engine signs the same bundle with another key.
    tag = f"{version.bundle.digest[:12]}-{recipe_digest()[:8]}-{key_id()[:8]}"
    reference = f"slipway/{use_case.name}:{tag}"
    return Image(target="docker", reference=reference, digest=_digest(client, reference), why="a Docker Engine answers")


def recipe_digest() -> str:
    """SHA-256 over everything but the bundle that decides what a server does: `serving/`, its lock, the Dockerfile."""
    digest = hashlib.sha256()
    for path in [*sorted((PROJECT / "serving").rglob("*.py")), *RECIPE]:
        digest.update(f"{path.relative_to(PROJECT)}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()


def _digest(client: Any, reference: str) -> str:
    from docker.errors import ImageNotFound

    try:
        return str(client.images.get(reference).id)
    except ImageNotFound:
        return ""


def _build(client: Any, version: Version, reference: str) -> None:
    logger = get_run_logger()
    if not any(WHEELS.glob("*.whl")):
        raise BuildError(f"no wheels in {WHEELS}; run 'make install' first")
    labels = {
        "org.opencontainers.image.title": f"slipway {version.use_case}",
        "org.opencontainers.image.version": version.version,
        "org.opencontainers.image.revision": version.tags.get("git_commit", ""),
        "slipway.use_case": version.use_case,
        "slipway.bundle": version.bundle.digest,
    }
    with tempfile.TemporaryDirectory() as folder:
        _write_context(Path(folder), version.bundle.path)
        for told in _progress(
            client.api.build(
                path=folder,
                tag=reference,
                rm=True,
                forcerm=True,
                decode=True,
                labels=labels,
                buildargs={"SOURCE_DATE_EPOCH": SOURCE_DATE_EPOCH},
            )
        ):
            logger.info("  %s", told)


def _write_context(context: Path, bundle: Path) -> None:
    """What the Dockerfile copies; every file has the same time, and the image's user can read it, whatever the umask."""
    for path in RECIPE[:2]:
        shutil.copyfile(path, context / path.name)
    shutil.copytree(WHEELS, context / "wheels")
    shutil.copytree(PROJECT / "serving", context / "serving", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(bundle, context / "bundle" / "bundle")
    for path in context.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
        os.utime(path, (int(SOURCE_DATE_EPOCH), int(SOURCE_DATE_EPOCH)))


def _progress(events: Iterator[dict[str, Any]]) -> Iterator[str]:
    """The steps of a build as the engine streams them.

    Raises:
        BuildError: what it said last.
    """
    for event in events:
        if "error" in event:
            raise BuildError(event["error"].strip())
        if event.get("stream", "").startswith(("Step", "Successfully")):
            yield event["stream"].strip()
