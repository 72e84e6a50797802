"""The API keys of a use case: made, listed and revoked in the file that its servers read (`serving/security/keys.py`)."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from configs.errors import InputError
from configs.files import write_atomically
from configs.settings import made, use_case_home
from serving.security.keys import PREFIX, Key, KeyFile, KeysError, Role, new_key, read_keys
from tasks.history import record

INTERNAL = "slipway"  # the key of integration tests and replays, which may say on whose behalf they ask


def keys_folder(use_case: str) -> Path:
    """The folder of the key file; containers mount it, because a file that is replaced cannot be mounted."""
    return made(use_case_home(use_case) / "keys")


def list_keys(use_case: str) -> list[Key]:
    """Every key, also revoked ones.

    Raises:
        InputError: the key file cannot be read.
    """
    try:
        return read_keys(keys_folder(use_case) / "keys.json")
    except KeysError as error:
        raise InputError(str(error)) from None


def create_key(use_case: str, name: str, roles: tuple[Role, ...], rate: float | None = None) -> str:
    """Make a key; returns its text, which is kept nowhere.

    Raises:
        InputError: a key of that name is in use.
    """
    with _changing(use_case):
        keys = list_keys(use_case)
        if any(key.name == name and key.revoked is None for key in keys):
            raise InputError(f"use case {use_case!r} has a key {name!r}; revoke it first, or take another name")
        key, text = new_key(name, roles, _now(), rate)
        _write(use_case, [*keys, key])
    record(use_case, "key-created", f"key {name!r} with {', '.join(roles)}", key=key.id)
    return text


def revoke_key(use_case: str, name: str) -> Key:
    """Take a key's rights away, by its name or id. Its line stays, for the audit.

    Raises:
        InputError: there is no such key, or it was revoked before.
    """
    with _changing(use_case):
        keys = list_keys(use_case)
        found = [key for key in keys if name in (key.name, key.id) and key.revoked is None]
        if not found:
            known = ", ".join(sorted(key.name for key in keys if key.revoked is None)) or "none"
            raise InputError(f"use case {use_case!r} has no key {name!r} in use; in use: {known}")
        gone = msgspec.structs.replace(found[0], revoked=_now())
        _write(use_case, [gone if key.id == gone.id else key for key in keys])
    record(use_case, "key-revoked", f"key {gone.name!r} revoked", key=gone.id)
    return gone


def internal_headers(use_case: str, caller: str) -> dict[str, str]:
    """What Slipway's own clients send: who they are, and its own key."""
    return {"authorization": f"Bearer {internal_key(use_case)}", "x-slipway-caller": caller}


def internal_key(use_case: str) -> str:
    """Slipway's own key, made when it is first needed: before a server starts, so that it knows the key from then on."""
    path = use_case_home(use_case) / "internal.key"
    text = path.read_text() if path.exists() else ""
    mine = next((key for key in list_keys(use_case) if key.name == INTERNAL and key.revoked is None), None)
    if mine is None or not text.startswith(f"{PREFIX}{mine.id}_"):
        if mine is not None:
            revoke_key(use_case, INTERNAL)
        text = create_key(use_case, INTERNAL, ("predict", "feedback", "admin"))
        write_atomically(path, text.encode(), 0o600)
    return text


@contextmanager
def _changing(use_case: str) -> Iterator[None]:
    with open(use_case_home(use_case) / "keys.lock", "a", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _write(use_case: str, keys: list[Key]) -> None:
    path = keys_folder(use_case) / "keys.json"
    write_atomically(path, msgspec.json.format(msgspec.json.encode(KeyFile(keys)), indent=1) + b"\n")
    os.chmod(path, 0o644)  # a container's user reads it; it holds no secret


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
