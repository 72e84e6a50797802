import subprocess
import sys

import pytest

from configs.settings import PROJECT
from serving.scoring.bundle import BundleError, read_bundle


@pytest.mark.parametrize("name", ["model.onnx", "contract.json", "card.md", "reasons.npz"])
def test_a_changed_file_is_refused_by_name(bundle_folder, name):
    path = bundle_folder / name
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(BundleError, match=f"{name} is not the file"):
        read_bundle(bundle_folder)


def test_a_missing_and_a_stray_file_are_refused(bundle_folder):
    (bundle_folder / "extra.pkl").write_bytes(b"x")
    with pytest.raises(BundleError, match=r"extra\.pkl is not named"):
        read_bundle(bundle_folder)
    (bundle_folder / "extra.pkl").unlink()
    (bundle_folder / "card.md").unlink()
    with pytest.raises(BundleError, match=r"card\.md is missing"):
        read_bundle(bundle_folder)


def test_no_pickle_in_it(bundle_folder):
    assert not [path for path in bundle_folder.iterdir() if path.suffix in (".pkl", ".pickle", ".joblib")]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "model.onnx is not the file that manifest.json names"),
        (("--keys", "nowhere.json"), "model.onnx is not the file"),
    ],
)
def test_a_tampered_bundle_is_refused_at_start(bundle_folder, home, words, told):
    (bundle_folder / "model.onnx").write_bytes(b"other")
    command = [sys.executable, "-m", "serving", "--bundle", str(bundle_folder), "--log", str(home), *words]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert told in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("words", "environment", "told"),
    [
        (("--host", "0.0.0.0"), {}, "authentication is on (host 0.0.0.0), but --keys names no key file"),
        (("--auth", "on"), {}, "--keys names no key file"),
        (("--tls-certificate", "x.pem"), {}, "give --tls-certificate and --tls-key together"),
        (("--tls-certificate", "x.pem", "--tls-key", "y.pem"), {}, "x.pem: no such file"),
        ((), {"SLIPWAY_LOG_KEY": "short"}, "SLIPWAY_LOG_KEY must be base64 of 32 bytes"),
        (("--workers", "0"), {}, "--workers 0: must be above 0"),
        (("--port", "70000"), {}, "--port 70000: must be 0 to 65535"),
        (("--log", "/dev/null/log"), {}, "--log /dev/null/log: cannot be written"),
    ],
)
def test_bad_options_are_one_line(bundle_folder, home, words, environment, told):
    command = [sys.executable, "-m", "serving", "--bundle", str(bundle_folder), "--log", str(home), *words]
    done = subprocess.run(
        command, cwd=PROJECT, env={"PATH": "/usr/bin:/bin", **environment}, capture_output=True, text=True, check=False
    )
    assert (done.returncode, "Traceback" in done.stderr) == (2, False), done.stderr
    assert told in done.stderr
