"""Sign: a bundle, with OpenSSF model signing and the user's own key, so that nothing else is ever served as it."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from prefect import task

from configs.settings import store
from serving.scoring.bundle import SIGNATURE, BundleError, read_bundle
from serving.security.signature import check_signature
from tasks.packaging.signing_keys import private_key, public_key
from tasks.packaging.values import BundleRef


@task
def sign(bundle: BundleRef) -> BundleRef:
    """Put the signature into the bundle's folder; one that holds already stays."""
    try:
        check_signature(read_bundle(bundle.path), public_key())
    except BundleError:
        _sign(bundle.path)
        check_signature(read_bundle(bundle.path), public_key())
    return bundle


def _sign(folder: Path) -> None:
    from model_signing import hashing, signing

    with tempfile.TemporaryDirectory(dir=store("bundles"), prefix=".sign-") as work:
        signature = Path(work) / SIGNATURE
        hashed = hashing.Config().set_ignored_paths(paths=[folder / SIGNATURE], ignore_git_paths=False)
        signing.Config().use_elliptic_key_signer(private_key=private_key()).set_hashing_config(hashed).sign(
            folder, signature
        )
        signature.chmod(0o644)
        os.replace(signature, folder / SIGNATURE)
