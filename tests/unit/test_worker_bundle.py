"""A worker serves the bundle that was checked when the server started, or none; what it checks is what it uses."""

import hashlib
import json
import shutil

import pytest

from configs.settings import store
from serving.load import served_model
from serving.options import Options
from serving.scoring.bundle import SIGNATURE, BundleError, read_bundle
from serving.scoring.onnx import Scorer
from serving.security.signature import read_public_key
from tasks.packaging.sign import sign
from tasks.packaging.signing_keys import public_key
from tasks.packaging.values import BundleRef


@pytest.fixture
def signed(built_bundle, home):
    """A bundle in this test's home, signed with this home's key."""
    folder = built_bundle[0]
    shutil.copytree(folder, store("bundles") / folder.name)
    return sign.fn(BundleRef(digest=folder.name)).path


def options(folder, home, **change):
    given = {
        "bundle": str(folder),
        "log": str(home / "log"),
        "digest": read_bundle(folder).digest,
        "public_key": public_key().read_text(),
        "sensitive": "keep",
    }
    return Options(**{**given, **change})


def swap(folder, other):
    """Put another model into the bundle, and the manifest that fits it: its hashes are right."""
    (folder / "model.onnx").write_bytes(other)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"]["model.onnx"] = hashlib.sha256(other).hexdigest()
    (folder / "manifest.json").write_text(json.dumps(manifest))


def test_a_worker_that_comes_back_serves_no_swapped_model(signed, home):
    began = options(signed, home)
    served_model(began).close()
    swap(signed, (signed / "model.onnx").read_bytes() + b"\x00")
    read_bundle(signed)  # by itself it is whole
    with pytest.raises(BundleError, match=r"model\.onnx is not the file that was signed"):
        served_model(began)


def test_without_a_signature_it_is_still_the_bundle_of_the_start(signed, home):
    began = options(signed, home, public_key="")
    swap(signed, (signed / "model.onnx").read_bytes() + b"\x00")
    with pytest.raises(BundleError, match="and this server began with"):
        served_model(began)


def test_another_bundle_of_the_same_owner_is_another_bundle(signed, home):
    with pytest.raises(BundleError, match="and this server began with 000000000000"):
        served_model(options(signed, home, digest="0" * 64))


def test_the_key_is_the_one_of_the_start_whatever_lies_in_its_file_now(signed, home, tmp_path, monkeypatch):
    began = options(signed, home)
    monkeypatch.setenv("SLIPWAY_SIGNING_KEY", str(tmp_path / "other" / "key.pem"))
    (signed / SIGNATURE).unlink()
    sign.fn(BundleRef(digest=signed.name))
    assert public_key().read_text() != began.public_key
    with pytest.raises(BundleError, match="was not made with the private key of the given public key"):
        served_model(began)


def test_what_was_checked_is_what_is_used(signed):
    """The file may be swapped at any moment after: nothing is read twice."""
    bundle = read_bundle(signed)
    (signed / "model.onnx").write_bytes(b"forged")
    (signed / "contract.json").write_bytes(b"{}")
    assert hashlib.sha256(bundle.model).hexdigest() == bundle.manifest.files["model.onnx"]
    Scorer(bundle.model, bundle.contract)
    assert bundle.contract.use_case == "small"


def test_what_cannot_be_read_is_no_bundle(signed):
    (signed / "card.md").unlink()
    (signed / "card.md").mkdir()
    with pytest.raises(BundleError, match=r"card\.md: cannot be read"):
        read_bundle(signed)


def test_a_pinned_key_that_is_none_is_told():
    with pytest.raises(BundleError, match="the given public key: is not a public key in PEM"):
        read_public_key(b"nonsense")
