"""Reading a bundle, and refusing one whose files are not what its manifest says."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import msgspec

from serving.contract.contract import Contract, parse_contract

REASONS = "reasons.npz"  # what reasons are given from, where the model has any
CODES = "codes.json"  # what they are told in words from, where the use case says how
SIGNATURE = "model.sig"  # beside the files that it signs, and so not among those that the manifest names


class BundleError(ValueError):
    """A bundle that must not be served; the message names the file and what is wrong with it."""


class Manifest(msgspec.Struct, frozen=True):
    """What is in the bundle (SHA-256 of every file) and where it comes from."""

    use_case: str
    files: dict[str, str]
    lineage: dict[str, Any]


class Bundle(msgspec.Struct, frozen=True):
    """One verified bundle. `digest` is the SHA-256 of its manifest, and so of everything in it.

    `model` is the ONNX file's content: the very bytes that were hashed, whatever happens to the file afterwards. So is
    `reasons` that of `REASONS`, and `codes` that of `CODES`, empty where there is none.
    """

    folder: Path
    digest: str
    manifest: Manifest
    contract: Contract
    model: bytes
    reasons: bytes = b""
    codes: bytes = b""


def read_bundle(folder: Path) -> Bundle:
    """The bundle in a folder. Each file is read once, and what is used of it are the bytes that were compared.

    Raises:
        BundleError: a file is missing, was changed, or is not named in the manifest.
    """
    path = folder / "manifest.json"
    if not path.is_file():
        raise BundleError(f"{folder}: no manifest.json, so this is not a bundle")
    raw = path.read_bytes()
    try:
        manifest = msgspec.json.decode(raw, type=Manifest)
    except msgspec.DecodeError as error:
        raise BundleError(f"{path}: {error}") from None
    used = dict.fromkeys(("contract.json", "model.onnx", REASONS, CODES), b"")
    present = {file.name for file in folder.iterdir()} - {"manifest.json", SIGNATURE}
    for name in sorted(present | manifest.files.keys()):
        if name not in present:
            raise BundleError(f"{folder}: {name} is missing")
        if name not in manifest.files:
            raise BundleError(f"{folder}: {name} is not named in manifest.json")
        content = _content(folder / name) if name in used else None
        digest = file_digest(folder / name) if content is None else hashlib.sha256(content).hexdigest()
        if digest != manifest.files[name]:
            raise BundleError(f"{folder}: {name} is not the file that manifest.json names (its SHA-256 differs)")
        if content is not None:
            used[name] = content
    for name, content in used.items():
        if not content and name not in (REASONS, CODES):
            raise BundleError(f"{folder}: {name} is missing")
    try:
        contract = parse_contract(used["contract.json"])
    except msgspec.DecodeError as error:
        raise BundleError(f"{folder}: contract.json: {error}") from None
    model, reasons, codes = used["model.onnx"], used[REASONS], used[CODES]
    return Bundle(folder, hashlib.sha256(raw).hexdigest(), manifest, contract, model, reasons, codes)


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BundleError(f"{path}: cannot be read ({error.strerror})") from None


def file_digest(path: Path) -> str:
    """SHA-256 of a file, as hex.

    Raises:
        BundleError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise BundleError(f"{path}: cannot be read ({error.strerror})") from None
