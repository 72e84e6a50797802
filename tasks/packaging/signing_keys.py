"""The key pair that bundles are signed with: the user's own, made at the first run where there is none."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from configs.errors import InputError
from configs.files import write_atomically
from configs.settings import home, made


def private_key() -> Path:
    """The PEM file of the private key: `SLIPWAY_SIGNING_KEY`, default `signing/private.pem` in the home; made, mode 0600.

    Raises:
        InputError: others may read it.
    """
    path = signing_key_path()
    if not path.exists():
        _make(path)
    mode = path.stat().st_mode & 0o777
    if mode & 0o077:
        raise InputError(f"the signing key {path} can be read by others (mode {mode:o}); chmod 600 it, or make another")
    return path


def signing_key_path() -> Path:
    """Where the private key is, or will be."""
    return Path(os.environ.get("SLIPWAY_SIGNING_KEY") or home() / "signing" / "private.pem").expanduser()


def public_key() -> Path:
    """The PEM file of the public key, in a folder of its own that containers mount; always that of `private_key`."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

    path, key = made(home() / "signing" / "public") / "public.pem", private_key()
    try:
        public = load_pem_private_key(key.read_bytes(), None).public_key()
    except (ValueError, TypeError) as error:
        raise InputError(f"the signing key {key} is not a private key in PEM without a password ({error})") from None
    text = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    if not path.exists() or path.read_bytes() != text:
        write_atomically(path, text)
    return path


def key_id() -> str:
    """SHA-256 of the public key's file, as hex: the name under which model signing knows it."""
    return hashlib.sha256(public_key().read_bytes()).hexdigest()


def _make(path: Path) -> None:
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    made(path.parent)
    text = ec.generate_private_key(ec.SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    try:
        file = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except FileExistsError:  # another run was faster
        return
    with os.fdopen(file, "wb") as opened:
        opened.write(text)
