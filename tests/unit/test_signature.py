"""A signature by OpenSSF's own library, checked by the server's few lines, against everything that could be changed."""

import hashlib
import json
import os
import shutil
import subprocess
import sys

import pytest

from configs.errors import InputError
from configs.settings import PROJECT, store
from serving.scoring.bundle import SIGNATURE, BundleError, read_bundle
from serving.security.signature import check_signature, read_public_key
from tasks.packaging.sign import sign
from tasks.packaging.signing_keys import private_key, public_key
from tasks.packaging.values import BundleRef


@pytest.fixture
def signed(built_bundle, home):
    """A bundle in this test's home, signed with this home's key."""
    folder = built_bundle[0]
    shutil.copytree(folder, store("bundles") / folder.name)
    return sign.fn(BundleRef(digest=folder.name)).path


def forge(folder, name, content):
    """What an attacker does who can write to the store: change a file, and the manifest with it."""
    (folder / name).write_bytes(content)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"][name] = hashlib.sha256(content).hexdigest()
    (folder / "manifest.json").write_text(json.dumps(manifest))


def test_what_was_signed_is_trusted_and_signing_again_changes_nothing(signed):
    before = (signed / SIGNATURE).read_bytes()
    check_signature(read_bundle(signed), public_key())
    sign.fn(BundleRef(digest=signed.name))
    assert (signed / SIGNATURE).read_bytes() == before


@pytest.mark.parametrize("name", ["model.onnx", "contract.json", "card.md"])
def test_a_forged_file_is_named(signed, name):
    forge(signed, name, (signed / name).read_bytes() + b" ")
    read_bundle(signed)  # the hashes are right
    with pytest.raises(BundleError, match=f"{name} is not the file that was signed"):
        check_signature(read_bundle(signed), public_key())


def test_another_s_signature_is_refused(signed, tmp_path, monkeypatch):
    mine = public_key().read_bytes()
    monkeypatch.setenv("SLIPWAY_SIGNING_KEY", str(tmp_path / "other" / "key.pem"))
    assert public_key().read_bytes() != mine
    with pytest.raises(BundleError, match="was not made with the private key of"):
        check_signature(read_bundle(signed), public_key())


def test_every_byte_of_the_signature_counts(signed):
    path = signed / SIGNATURE
    envelope = json.loads(path.read_text())
    for change in (
        lambda e: e["dsseEnvelope"].update(payloadType="text/plain"),
        lambda e: e["dsseEnvelope"].update(payload=e["dsseEnvelope"]["payload"][:-8]),
        lambda e: e["dsseEnvelope"]["signatures"].clear(),
        lambda e: e["dsseEnvelope"]["signatures"][0].update(sig="AAAA"),
        lambda e: e.pop("dsseEnvelope"),
    ):
        changed = json.loads(json.dumps(envelope))
        change(changed)
        path.write_text(json.dumps(changed))
        with pytest.raises(BundleError, match=SIGNATURE):
            check_signature(read_bundle(signed), public_key())
    path.unlink()
    with pytest.raises(BundleError, match="is missing, and a signature is required"):
        check_signature(read_bundle(signed), public_key())


def test_the_server_refuses_a_forged_bundle_at_start(signed, home):
    forge(signed, "model.onnx", b"other")
    command = [sys.executable, "-m", "serving", "--bundle", str(signed), "--log", str(home / "log")]
    done = subprocess.run(
        [*command, "--public-key", str(public_key())], cwd=PROJECT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, "Traceback" in done.stderr) == (2, False)
    assert "model.onnx is not the file that was signed" in done.stderr


def test_the_key_is_made_once_for_its_owner_only(home):
    path = private_key()
    assert path.stat().st_mode & 0o777 == 0o600
    text = path.read_bytes()
    assert private_key().read_bytes() == text
    os.chmod(path, 0o644)
    with pytest.raises(InputError, match="can be read by others"):
        private_key()


def test_a_key_that_is_none_is_told(home, tmp_path, monkeypatch):
    path = tmp_path / "key.pem"
    path.write_text("nonsense")
    path.chmod(0o600)
    monkeypatch.setenv("SLIPWAY_SIGNING_KEY", str(path))
    with pytest.raises(InputError, match="is not a private key in PEM"):
        public_key()
    with pytest.raises(BundleError, match="is not a public key in PEM"):
        read_public_key(path)
