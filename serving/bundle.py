"""Reading a bundle, and refusing one whose files are not what its manifest says."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import msgspec

from serving.contract import Contract, read_contract

SIGNATURE = "model.sig"  # beside the files that it signs, and so not among those that the manifest names


class BundleError(ValueError):
    """A bundle that must not be served; the message names the file and what is wrong with it."""


class Manifest(msgspec.Struct, frozen=True):
    """What is in the bundle (SHA-256 of every file) and where it comes from."""

    use_case: str
    files: dict[str, str]
    lineage: dict[str, Any]


class Bundle(msgspec.Struct, frozen=True):
    """One verified bundle. `digest` is the SHA-256 of its manifest, and so of everything in it."""

    folder: Path
    digest: str
    manifest: Manifest
    contract: Contract

    @property
    def model(self) -> Path:
        """The ONNX file."""
        return self.folder / "model.onnx"


def read_bundle(folder: Path) -> Bundle:
    """The bundle in a folder, every file compared with its hash in the manifest.

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
    present = {file.name for file in folder.iterdir()} - {"manifest.json", SIGNATURE}
    for name in sorted(present | manifest.files.keys()):
        if name not in present:
            raise BundleError(f"{folder}: {name} is missing")
        if name not in manifest.files:
            raise BundleError(f"{folder}: {name} is not named in manifest.json")
        if file_digest(folder / name) != manifest.files[name]:
            raise BundleError(f"{folder}: {name} is not the file that manifest.json names (its SHA-256 differs)")
    return Bundle(folder, hashlib.sha256(raw).hexdigest(), manifest, read_contract(folder / "contract.json"))


def file_digest(path: Path) -> str:
    """SHA-256 of a file, as hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
