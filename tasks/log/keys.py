"""The secrets of a prediction log, however they are given: the key that it is encrypted with, and the keys of its hashes."""

from __future__ import annotations

import contextlib
import os
import secrets
import tempfile
from pathlib import Path

from configs.errors import InputError
from configs.secrets import secret
from configs.settings import use_case_home
from serving.log.segment import Cipher, SegmentError, log_key


def key() -> bytes | None:
    """The key of `SLIPWAY_LOG_KEY`, where one is given.

    Raises:
        InputError: it is no key.
    """
    try:
        return log_key({"SLIPWAY_LOG_KEY": secret("SLIPWAY_LOG_KEY") or ""})
    except ValueError as error:
        raise InputError(str(error)) from None


def cipher() -> Cipher | None:
    """What seals and opens with that key, where one is given."""
    found = key()
    return Cipher(found) if found else None


def required_cipher() -> Cipher:
    """The same; raises `SegmentError` where no key is given."""
    found = cipher()
    if found is None:
        raise SegmentError("the prediction log is encrypted; set SLIPWAY_LOG_KEY")
    return found


def pepper(use_case: str) -> str:
    """The key of the hashes: the secret `SLIPWAY_LOG_PEPPER`, else a random one of the use case, made when first needed.

    Raises:
        InputError: others may read it.
    """
    return secret("SLIPWAY_LOG_PEPPER") or _own_pepper(use_case)


def hash_keys(use_case: str) -> list[bytes]:
    """Every key that a hash in the log may have been made with, that of now first.

    Before a use case had a random one, the log's own key was it, or only the use case's name.
    """
    made = _own_pepper(use_case).encode() if _path(use_case).exists() else b""
    return [found for found in dict.fromkeys([pepper(use_case).encode(), made, key(), use_case.encode()]) if found]


def _own_pepper(use_case: str) -> str:
    """The one of `log.pepper`, which is in place whole, with mode 0600, or not at all."""
    path = _path(use_case)
    if not path.exists():
        with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=".log-pepper-") as file:  # mode 0600
            file.write(secrets.token_urlsafe(32))
            file.flush()
            with contextlib.suppress(FileExistsError):  # another run was faster
                os.link(file.name, path)
    mode = path.stat().st_mode & 0o777
    if mode & 0o077:
        raise InputError(f"the key of the log's hashes {path} can be read by others (mode {mode:o}); chmod 600 it")
    return path.read_text(encoding="utf-8")


def _path(use_case: str) -> Path:
    return use_case_home(use_case) / "log.pepper"


def given() -> list[str]:
    """The names of the secrets that somebody gave; a pepper that nobody gave is the use case's own."""
    return [name for name in ("SLIPWAY_LOG_KEY", "SLIPWAY_LOG_PEPPER") if secret(name)]
