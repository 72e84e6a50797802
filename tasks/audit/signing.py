"""The home's audit key, Ed25519, and the checkpoints that it signs (C2SP signed notes, which other tools of the field read).

It is another key than that of bundles, which may be one that a company's own infrastructure gave, of another kind.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from configs.errors import InputError
from configs.settings import home, made
from tasks.audit.outside import ED25519, SIGNED, Key, key_id


def audit_key(use_case: str) -> Key:
    """With what the checkpoints of a use case are verified; its name, their origin, is of this home and no other.

    Raises:
        InputError: the private key is not there, can be read by others, or is none.
    """
    public = _private().public_key().public_bytes_raw()
    name = f"slipway-{hashlib.sha256(public).hexdigest()[:8]}/{use_case}"
    return Key(name, key_id(name, public), public)


def key_text(key: Key) -> str:
    """The key as people pass it on: `NAME+ID+BASE64`."""
    return f"{key.name}+{key.id.hex()}+{base64.b64encode(ED25519 + key.public).decode()}"


def signed_checkpoint(use_case: str, size: int, root: bytes) -> str:
    """That the use case's first `size` entries have this root, now, as a signed note."""
    key = audit_key(use_case)
    time = datetime.now(UTC).isoformat(timespec="seconds")
    text = f"{key.name}\n{size}\n{base64.b64encode(root).decode()}\ntime {time}\n"
    signature = base64.b64encode(key.id + _private().sign(text.encode())).decode()
    return f"{text}\n{SIGNED}{key.name} {signature}\n"


def make_audit_key() -> None:
    """Make the private key, mode 0600, where there is none: before a first checkpoint, never in place of a lost one."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    made(audit_key_path().parent)
    text = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with contextlib.suppress(FileExistsError):
        file = os.open(audit_key_path(), os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with os.fdopen(file, "wb") as opened:
            opened.write(text)


def _private() -> Any:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    path = audit_key_path()
    if not path.exists():
        raise InputError(f"the audit key {path} is not there; put it back, or nothing can be signed or verified here")
    mode = path.stat().st_mode & 0o777
    if mode & 0o077:
        raise InputError(f"the audit key {path} can be read by others (mode {mode:o}); chmod 600 it")
    try:
        key = load_pem_private_key(path.read_bytes(), None)
    except (ValueError, TypeError) as error:
        raise InputError(f"the audit key {path} is not a private key in PEM without a password ({error})") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise InputError(f"the audit key {path} is no Ed25519 key; 'openssl genpkey -algorithm ed25519' makes one")
    return key


def audit_key_path() -> Path:
    """The PEM file of `SLIPWAY_AUDIT_KEY`, default `signing/audit.pem` in the home."""
    return Path(os.environ.get("SLIPWAY_AUDIT_KEY") or home() / "signing" / "audit.pem").expanduser()
