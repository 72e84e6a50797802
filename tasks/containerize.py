"""Containerize: a bundle as an image on the Docker Engine, or, where there is none, as it lies here."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

from prefect import get_run_logger, task

from configs.errors import CheckFailed, InputError
from configs.schema import UseCase
from configs.settings import PROJECT
from tasks.signing_keys import key_id
from tasks.step import code_version
from tasks.targets.engine import engine
from tasks.values import Image, Version

WHEELS = PROJECT / ".venv" / "wheels"


class BuildError(CheckFailed):
    """The Docker Engine could not build the image; the message holds what it said."""


@task
def containerize(use_case: UseCase, version: Version) -> Image:
    """Build the image of a version; one that is there already is not built again.

    Raises:
        InputError: the use case wants Docker and no engine answers.
        BuildError: the build failed.
    """
    logger = get_run_logger()
    wanted = use_case.deploy.target
    client, why = engine()
    if wanted == "local" or client is None:
        if wanted == "docker":
            raise InputError(f"deploy.target is 'docker', but no Docker Engine answers ({why}); start it, or use 'local'")
        reason = "the use case asks for it" if wanted == "local" else f"no Docker Engine answers ({why})"
        logger.warning("Target local: %s", reason)
        return Image(target="local", why=reason)
    # The signature is in the image, and another home on this engine signs the same bundle with another key.
    reference = f"slipway/{use_case.name}:{version.bundle.digest[:12]}-{code_version()[:8]}-{key_id()[:8]}"
    image = _existing(client, reference)
    if image is None:
        logger.info("Building %s", reference)
        _build(client, version, reference)
        image = _existing(client, reference)
        assert image is not None, "the engine built it"
    return Image(target="docker", reference=reference, digest=image.id, why="a Docker Engine answers")


def _existing(client: Any, reference: str) -> Any:
    from docker.errors import ImageNotFound

    try:
        return client.images.get(reference)
    except ImageNotFound:
        return None


def _build(client: Any, version: Version, reference: str) -> None:
    logger = get_run_logger()
    if not any(WHEELS.glob("*.whl")):
        raise BuildError(f"no wheels in {WHEELS}; run 'make install' first")
    with tempfile.TemporaryDirectory() as folder:
        context = Path(folder)
        shutil.copyfile(PROJECT / "infra" / "Dockerfile", context / "Dockerfile")
        shutil.copytree(WHEELS, context / "wheels")
        shutil.copytree(PROJECT / "serving", context / "serving", ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copytree(version.bundle.path, context / "bundle")
        for path in context.rglob("*"):  # readable by the image's user, whatever this user's umask
            path.chmod(0o755 if path.is_dir() else 0o644)
        labels = {
            "org.opencontainers.image.title": f"slipway {version.use_case}",
            "org.opencontainers.image.version": version.version,
            "org.opencontainers.image.revision": version.tags.get("git_commit", ""),
            "slipway.bundle": version.bundle.digest,
        }
        for event in client.api.build(path=folder, tag=reference, rm=True, forcerm=True, decode=True, labels=labels):
            if "error" in event:
                raise BuildError(event["error"].strip())
            if event.get("stream", "").startswith(("Step", "Successfully")):
                logger.info("  %s", event["stream"].strip())
