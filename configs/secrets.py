"""Secrets: from a file, the environment or a Prefect block; never in an image, an argument, a log or MLflow."""

from __future__ import annotations

import functools
import os
from pathlib import Path

from configs.errors import InputError


def secret(name: str) -> str | None:
    """The secret of that name, or None where nobody gave one.

    For `SLIPWAY_LOG_KEY` these are asked in this order: the file that `SLIPWAY_LOG_KEY_FILE` names, the variable
    `SLIPWAY_LOG_KEY`, the Prefect block `Secret` named `slipway-log-key` of the server that this process works with.

    Raises:
        InputError: the file cannot be read, or is empty: what should be secret must not silently be nothing.
    """
    if path := os.environ.get(f"{name}_FILE"):
        try:
            text = Path(path).expanduser().read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "not UTF-8"
            raise InputError(f"{name}_FILE={path}: cannot be read ({why})") from None
        if not text:
            raise InputError(f"{name}_FILE={path}: is empty; write the secret into it, or unset {name}_FILE")
        return text
    return os.environ.get(name) or _block(name.lower().replace("_", "-"), os.environ.get("PREFECT_API_URL", ""))


@functools.cache
def _block(name: str, server: str) -> str | None:
    if not server:
        return None
    import httpx
    from prefect.client.orchestration import get_client
    from prefect.exceptions import ObjectNotFound

    with get_client(sync_client=True) as client:
        try:
            return str(client.read_block_document_by_name(name, "secret").data["value"])
        except (ObjectNotFound, httpx.ConnectError):  # no such block; or no server, and then no flow runs either
            return None
