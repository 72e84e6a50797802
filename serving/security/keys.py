"""API keys: who may ask for what, and how often.

A key reads `slipway_ID_SECRET`. The file holds the SHA-256 of the secret, never the secret: it has 256 random bits, so a
slow password hash would add nothing. The file is looked at twice a second: a key that is made or revoked counts at once.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from pathlib import Path
from typing import Literal

import msgspec

from serving.refusal import Refusal

Role = Literal["predict", "feedback", "admin"]
PREFIX = "slipway_"
_NOBODY = hashlib.sha256(b"").hexdigest()


class Key(msgspec.Struct, frozen=True, omit_defaults=True):
    """One key. `admin` may do everything; `rate` is requests a second, with a second's worth of burst."""

    id: str
    name: str
    roles: tuple[Role, ...]
    sha256: str
    created: str
    rate: float | None = None
    revoked: str | None = None

    def may(self, role: Role) -> bool:
        """Whether the key has the role."""
        return role in self.roles or "admin" in self.roles


class KeyFile(msgspec.Struct):
    """The content of `keys.json`."""

    keys: list[Key] = []


class KeysError(ValueError):
    """A key file that cannot be read; the message names it."""


def new_key(name: str, roles: tuple[Role, ...], created: str, rate: float | None = None) -> tuple[Key, str]:
    """A key, and the text to hand to its owner, which is kept nowhere.

    >>> key, text = new_key("checkout", ("predict",), "2026-01-01T00:00:00Z")
    >>> text.startswith(f"slipway_{key.id}_"), text in str(key)
    (True, False)
    """
    key_id, secret = secrets.token_hex(4), secrets.token_urlsafe(32)
    return Key(key_id, name, roles, hashlib.sha256(secret.encode()).hexdigest(), created, rate), f"{PREFIX}{key_id}_{secret}"


def read_keys(path: Path) -> list[Key]:
    """The keys of a file; none where there is no file.

    Raises:
        KeysError: it is not a key file.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=KeyFile).keys
    except FileNotFoundError:
        return []
    except msgspec.DecodeError as error:
        raise KeysError(f"{path}: {error}") from None


class Guard:
    """Lets requests in. One worker's: a rate is shared evenly by the workers."""

    def __init__(self, path: Path, workers: int = 1) -> None:
        self._path, self._workers = path, workers
        self._stamp = self._look()
        self._keys = _by_id(read_keys(path))
        self._buckets: dict[str, tuple[float, float]] = {}

    def tick(self) -> None:
        """Read the file again if it was replaced.

        Raises:
            KeysError: it cannot be read; the keys from before stay.
        """
        stamp = self._look()
        if stamp != self._stamp:
            self._stamp = stamp
            self._keys = _by_id(read_keys(self._path))

    def admit(self, authorization: str | None, role: Role) -> str:
        """The name of the key in an `Authorization: Bearer ...` header.

        Raises:
            Refusal: 401 no key or a wrong one, 403 without the role, 429 over the key's rate.
        """
        return self.key_of(authorization, role).name

    def key_of(self, authorization: str | None, role: Role | None = None) -> Key:
        """The key itself; without a role any will do."""
        scheme, _, text = (authorization or "").partition(" ")
        key_id, _, secret = text.removeprefix(PREFIX).partition("_")
        key = self._keys.get(key_id)
        # Compared also where there is no such key, so that the time taken does not tell which ids exist.
        right = hmac.compare_digest(hashlib.sha256(secret.encode()).hexdigest(), key.sha256 if key else _NOBODY)
        if key is None or not right or scheme.lower() != "bearer":
            raise Refusal(401, "a valid API key is needed: send 'Authorization: Bearer KEY'")
        if role is not None and not key.may(role):
            raise Refusal(403, f"key {key.name!r} has not the role {role!r}; it has {', '.join(key.roles)}")
        if key.rate is not None:
            self._take(key, key.rate / self._workers)
        return key

    def _take(self, key: Key, rate: float) -> None:
        """A token bucket that holds one second's tokens."""
        now = time.monotonic()
        tokens, then = self._buckets.get(key.id, (max(rate, 1.0), now))
        tokens = min(max(rate, 1.0), tokens + (now - then) * rate)
        if tokens < 1:
            raise Refusal(429, f"key {key.name!r} may ask {key.rate:g} times a second", max(1, round((1 - tokens) / rate)))
        self._buckets[key.id] = tokens - 1, now

    def _look(self) -> tuple[int, int]:
        try:
            status = self._path.stat()
        except FileNotFoundError:
            return 0, 0
        return status.st_mtime_ns, status.st_ino


def _by_id(keys: list[Key]) -> dict[str, Key]:
    return {key.id: key for key in keys if key.revoked is None}
