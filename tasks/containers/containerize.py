"""Containerize: a bundle as an image on the Docker Engine, or, where there is none, as it lies here."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from prefect import get_run_logger, task

from configs.errors import CheckFailed
from configs.schema import UseCase
from configs.settings import CLONE, PROJECT, home
from tasks.containers.engine import engine
from tasks.containers.images import RECIPE, SOURCE_DATE_EPOCH, wanted_image
from tasks.containers.values import Image
from tasks.registry.values import Version

WHEELS = PROJECT / ".venv" / "wheels" if CLONE else home() / "wheels"
FETCH = "make install" if CLONE else f"python -m infra.wheels {WHEELS}"


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
    if image.platform == "local":
        logger.warning("Platform local: %s", image.why)
        return image
    client, _ = engine()
    if not image.digest:
        logger.info("Building %s", image.reference)
        _build(client, version, image.reference)
    return wanted_image(use_case, version)


def _build(client: Any, version: Version, reference: str) -> None:
    logger = get_run_logger()
    if not any(WHEELS.glob("*.whl")):
        raise BuildError(f"no wheels in {WHEELS}; run '{FETCH}' first")
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
