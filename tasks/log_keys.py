"""The secrets of a prediction log, however they are given: the key that it is encrypted with, and the keys of its hashes."""

from __future__ import annotations

from configs.errors import InputError
from configs.secrets import secret
from serving.segment import Cipher, SegmentError, log_key


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


def hash_keys(use_case: str) -> list[bytes]:
    """Every key that a hash in the log may have been made with, that of now first."""
    given = (secret("SLIPWAY_LOG_PEPPER") or "").encode()
    return [found for found in (given, key(), use_case.encode()) if found]
