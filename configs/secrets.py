"""Secrets: from a file, the environment or a Prefect block; never in an image, an argument, a log or MLflow."""

from __future__ import annotations

import functools
import os
import re
from pathlib import Path
from urllib.parse import quote

from configs.errors import InputError

NAMED = re.compile(r"\$\{(\w+)\}")
TELLING = 4  # letters; a shorter value is no secret, and stands in many words
SET = "set the variable {name}, or name a file in {name}_FILE that holds it"


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


def filled(where: str, address: str, encoded: bool = False) -> str:
    """The address with each `${NAME}` in it replaced by the secret of that name.

    With `encoded`, one that stands within a URL is percent-encoded, as a password with an `@` in it must be; one that the
    address begins with is an address itself.

    >>> os.environ["SLIPWAY_EXAMPLE"] = "p@ss"
    >>> filled("source.database", "postgresql://me:${SLIPWAY_EXAMPLE}@db/shop", encoded=True)
    'postgresql://me:p%40ss@db/shop'
    >>> filled("source.tables.rows", "${SLIPWAY_EXAMPLE}/rows.csv")
    'p@ss/rows.csv'

    Raises:
        InputError: nobody gave it; `where` is the key that the address stands at.
    """

    def value(match: re.Match[str]) -> str:
        found = secret(match[1])
        if found is None:
            raise InputError(f"{where}: ${{{match[1]}}} is not set; {SET.format(name=match[1])}")
        return quote(found, safe="") if encoded and "://" in address[: match.start()] else found

    return NAMED.sub(value, address)


def unfilled(told: str, address: str) -> str:
    """What is told of an address, with the names in place of the secrets that it was filled with.

    >>> os.environ["SLIPWAY_EXAMPLE"] = "p@ss"
    >>> unfilled("no answer from https://me:p@ss@host", "https://me:${SLIPWAY_EXAMPLE}@host")
    'no answer from https://me:${SLIPWAY_EXAMPLE}@host'
    """
    for name in NAMED.findall(address):
        for value in {found, quote(found, safe="")} if (found := secret(name)) and len(found) >= TELLING else ():
            told = told.replace(value, f"${{{name}}}")
    return told


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
