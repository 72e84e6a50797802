"""Releases as containers of the Docker Engine, published on the loopback interface."""

from __future__ import annotations

import hashlib
import os
from typing import Any

from configs.errors import InputError
from configs.schema import UseCase
from configs.settings import home, prediction_log
from tasks.keys import keys_folder
from tasks.signing_keys import public_key
from tasks.targets.engine import engine
from tasks.targets.ports import free_port
from tasks.targets.settings import environment
from tasks.values import Image, Release

IMAGE_USER = 10001
STOP_SECONDS = 15


def start(release: Release, image: Image, use_case: UseCase) -> Release:
    """Run the image: read-only, without capabilities, as a user that is never root; log and keys are mounted."""
    client = _client()
    port = free_port()
    log = prediction_log(release.use_case)
    user = os.getuid() or IMAGE_USER
    if user != os.getuid():
        os.chown(log, user, user)
    name = container_name(release)
    _remove(client, name)
    container = client.containers.run(
        image.reference,
        name=name,
        detach=True,
        user=f"{user}:{os.getgid() or IMAGE_USER}",
        ports={"8080/tcp": ("127.0.0.1", port)},
        volumes={
            str(log): {"bind": "/log", "mode": "rw"},
            str(keys_folder(release.use_case)): {"bind": "/keys", "mode": "ro"},
            str(public_key().parent): {"bind": "/signing", "mode": "ro"},
        },
        environment={
            "SLIPWAY_MODEL_VERSION": release.version,
            "SLIPWAY_RELEASE": release.name,
            "SLIPWAY_KEYS": "/keys/keys.json",
            "SLIPWAY_PUBLIC_KEY": "/signing/public.pem",
            **environment(use_case),
        },
        labels={"slipway.home": str(home()), "slipway.use_case": release.use_case, "slipway.release": release.name},
        read_only=True,
        tmpfs={"/tmp": "size=16m"},
        cap_drop=["ALL"],
        security_opt=["no-new-privileges"],
        restart_policy={"Name": "unless-stopped"},
    )
    return release.model_copy(update={"address": f"http://127.0.0.1:{port}", "handle": container.id})


def stop(release: Release) -> None:
    """Stop gracefully and remove."""
    container = _container(release)
    if container is not None:
        container.stop(timeout=STOP_SECONDS)
        container.remove(force=True)


def alive(release: Release) -> bool:
    """Whether its container runs."""
    container = _container(release)
    return container is not None and container.status == "running"


def last_words(release: Release) -> str:
    """The end of its output."""
    container = _container(release)
    return container.logs(tail=40).decode(errors="replace") if container is not None else "the container is gone"


def container_name(release: Release) -> str:
    """Unique to the home, so that two homes on one engine do not meet."""
    return f"slipway-{hashlib.sha256(str(home()).encode()).hexdigest()[:6]}-{release.name}"


def _client() -> Any:
    client, why = engine()
    if client is None:
        raise InputError(f"a release runs on Docker, but no Docker Engine answers ({why}); start it and run this again")
    return client


def _container(release: Release) -> Any:
    from docker.errors import NotFound

    try:
        return _client().containers.get(release.handle)
    except NotFound:
        return None


def _remove(client: Any, name: str) -> None:
    """Take away what a killed run left under the name."""
    from docker.errors import NotFound

    try:
        client.containers.get(name).remove(force=True)
    except NotFound:
        return
