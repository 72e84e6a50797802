"""The signature of a bundle, in the format of OpenSSF model signing, made with an elliptic curve key.

It is a Sigstore bundle around a DSSE envelope whose payload is an in-toto statement with the SHA-256 of every file, so
whoever changes a file and the manifest with it is noticed too. Made by `tasks/packaging/sign.py` with `model-signing`;
checked here with `cryptography` alone, because the image holds no more.

Specifications: https://github.com/sigstore/model-transparency, https://github.com/secure-systems-lab/dsse,
https://github.com/in-toto/attestation/tree/main/spec/v1
"""

from __future__ import annotations

import base64
import binascii
from pathlib import Path
from typing import Any

import msgspec

from serving.scoring.bundle import SIGNATURE, Bundle, BundleError

PAYLOAD_TYPE = "application/vnd.in-toto+json"
PREDICATE_TYPE = "https://model_signing/signature/v1.0"


class _Signed(msgspec.Struct):
    sig: str


class _Envelope(msgspec.Struct, rename="camel"):
    payload: str
    payload_type: str
    signatures: list[_Signed]


class _SigstoreBundle(msgspec.Struct, rename="camel"):
    dsse_envelope: _Envelope


class _Resource(msgspec.Struct):
    name: str
    algorithm: str
    digest: str


class _Predicate(msgspec.Struct):
    resources: list[_Resource]


class _Statement(msgspec.Struct, rename="camel"):
    predicate_type: str
    predicate: _Predicate


def check_signature(bundle: Bundle, public_key: Path | bytes) -> None:
    """Raise unless the key's owner signed just this bundle; the key is a PEM file, or what stood in one.

    Raises:
        BundleError: there is no signature, another key made it, or it is of other files; the first of them is named.
    """
    path = bundle.folder / SIGNATURE
    if not path.is_file():
        raise BundleError(f"{bundle.folder}: {SIGNATURE} is missing, and a signature is required")
    try:
        envelope = msgspec.json.decode(path.read_bytes(), type=_SigstoreBundle).dsse_envelope
        payload = base64.b64decode(envelope.payload, validate=True)
        signature = base64.b64decode(envelope.signatures[0].sig, validate=True)
    except (msgspec.DecodeError, binascii.Error, IndexError) as error:
        raise BundleError(f"{path}: is not a signature ({error})") from None
    _check(_pae(envelope.payload_type, payload), signature, public_key, path)
    try:
        statement = msgspec.json.decode(payload, type=_Statement)
    except msgspec.DecodeError as error:
        raise BundleError(f"{path}: its statement cannot be read ({error})") from None
    if (envelope.payload_type, statement.predicate_type) != (PAYLOAD_TYPE, PREDICATE_TYPE):
        raise BundleError(f"{path}: is a signature of something else ({statement.predicate_type[:100]})")
    signed = {resource.name: f"{resource.algorithm}:{resource.digest}" for resource in statement.predicate.resources}
    present = {"manifest.json": bundle.digest, **bundle.manifest.files}
    names = sorted(present.keys() | signed.keys(), key=lambda name: (name == "manifest.json", name))  # it changes with any
    for name in names:
        if signed.get(name) != f"sha256:{present.get(name)}":
            raise BundleError(f"{bundle.folder}: {name} is not the file that was signed")


def _check(data: bytes, signature: bytes, public_key: Path | bytes, path: Path) -> None:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec

    digests: dict[int, Any] = {256: hashes.SHA256, 384: hashes.SHA384, 521: hashes.SHA512}
    key = read_public_key(public_key)
    try:
        key.verify(signature, data, ec.ECDSA(digests[key.curve.key_size]()))
    except InvalidSignature:
        raise BundleError(f"{path}: was not made with the private key of {_name(public_key)}, or was changed") from None


def read_public_key(source: Path | bytes) -> Any:
    """The elliptic curve public key of a PEM file, or of its content.

    Raises:
        BundleError: it is none, or there is no such file.
    """
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        key = load_pem_public_key(source.read_bytes() if isinstance(source, Path) else source)
    except (OSError, ValueError) as error:
        raise BundleError(f"{_name(source)}: is not a public key in PEM ({error})") from None
    if not isinstance(key, EllipticCurvePublicKey) or key.curve.key_size not in (256, 384, 521):
        raise BundleError(f"{_name(source)}: must be an elliptic curve key (P-256, P-384 or P-521)")
    return key


def _name(source: Path | bytes) -> str:
    return str(source) if isinstance(source, Path) else "the given public key"


def _pae(kind: str, payload: bytes) -> bytes:
    """DSSE's pre-authentication encoding."""
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind.encode(), len(payload), payload)
