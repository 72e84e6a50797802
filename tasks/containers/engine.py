"""The Docker Engine, where there is one."""

from __future__ import annotations

from typing import Any


def engine() -> tuple[Any, str]:
    """A client of the Docker Engine, or None and why there is none."""
    import docker
    from docker.errors import DockerException

    try:
        client = docker.from_env(timeout=60)
        client.ping()
    except DockerException as error:
        return None, str(error).split("(")[0].strip() or type(error).__name__
    return client, ""
