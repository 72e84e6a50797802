"""A release as a ZIP file for AWS Lambda's own Python: what the image holds of a server that needs no port, and the bundle.

The packages are those of `infra/serving.lock`, hash checked; the same bundle gives the same bytes.
"""

from __future__ import annotations

import platform
import re
import shutil
import subprocess
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

from configs.errors import CheckFailed, InputError
from configs.settings import PROJECT
from tasks.containers.images import SOURCE_DATE_EPOCH

PYTHON = "3.13"  # of Lambda's runtime `python3.13`, which brings AWS's client with it
# What a function imports; the lock's other packages are those of a server's port, of tracing, or of ONNX Runtime's tools.
PACKAGES = ("cffi", "cryptography", "msgspec", "numpy", "onnxruntime", "prometheus-client")
MODULES = ("serving.load", "serving.transports.aws_lambda", "serving.__main__", "serving.reasons.reasons")
GLIBC = (34, 28, 27, 17)  # minor versions that Lambda's Amazon Linux 2023 runs
PLATFORMS = (*(f"manylinux_2_{minor}_x86_64" for minor in GLIBC), "manylinux2014_x86_64")
MOST_UNPACKED = 250 * 1024 * 1024  # Lambda's quota, as its guide has it
LOCK = PROJECT / "infra" / "serving.lock"
FIRST = (1980, 1, 1, 0, 0, 0)  # the time of SOURCE_DATE_EPOCH, as ZIP files have it


class NotPackaged(CheckFailed):
    """The packages could not be fetched, or the function is larger than Lambda takes; nothing was written."""


def zip_function(bundle: Path, to: Path, progress: Callable[[str], None]) -> int:
    """Write the function's ZIP file; returns its size unpacked, in bytes. Packages that are not cached are fetched.

    Raises:
        InputError: there is no Python of Lambda's version here to compile with.
        NotPackaged: see there.
    """
    python = _python()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        progress(f"fetching {len(PACKAGES)} packages for Python {PYTHON}")
        packages = _installed(root, python)
        shutil.copytree(PROJECT / "serving", packages / "serving", ignore=shutil.ignore_patterns("__pycache__"))
        progress("leaving out what a function never opens, and compiling the rest")
        _slimmed(root, packages)
        shutil.copytree(bundle, packages / "bundle")
        size = sum(path.stat().st_size for path in packages.rglob("*") if path.is_file())
        if size > MOST_UNPACKED:
            raise NotPackaged(
                f"the function has {size / 2**20:.0f} MiB unpacked, and Lambda takes 250; deploy it as an image"
            )
        progress("packing")
        _pack(packages, to)
    return size


def _python() -> str:
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        raise InputError("a function's ZIP file is made on Linux x86_64, as its packages are for that; or deploy the image")
    found = shutil.which(f"python{PYTHON}")
    if found is None or subprocess.run([found, "--version"], capture_output=True, check=False).returncode:
        raise InputError(
            f"a function for Lambda's runtime python{PYTHON} is compiled with that Python, and there is no python{PYTHON} "
            "on the path; install one ('uv python install' does), or deploy the image"
        )
    return found


def _installed(root: Path, python: str) -> Path:
    """An environment with the packages; returns where they lie in it."""
    requirements = root / "requirements.txt"
    requirements.write_text(_locked())
    subprocess.run([python, "-m", "venv", str(root / "venv")], check=True)
    command = [str(root / "venv" / "bin" / "python"), "-m", "pip", "install", "--quiet", "--no-deps", "--no-compile"]
    command += ["--require-hashes", "--only-binary", ":all:", "--disable-pip-version-check", "-r", str(requirements)]
    packages = next((root / "venv" / "lib").glob("python*")) / "site-packages"
    command += ["--target", str(packages), *(word for tag in PLATFORMS for word in ("--platform", tag))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NotPackaged(f"the packages of {LOCK.name} could not be fetched: {done.stderr.strip().splitlines()[-1]}")
    return packages


def _locked() -> str:
    """The lock's lines of those packages, with their hashes."""
    entries = re.split(r"\n(?=\S)", LOCK.read_text())
    return "\n".join(entry for entry in entries if entry.partition("==")[0] in PACKAGES)


def _slimmed(root: Path, packages: Path) -> None:
    command = [str(root / "venv" / "bin" / "python"), str(PROJECT / "infra" / "slim.py"), str(root / "venv"), *MODULES]
    given = {"SOURCE_DATE_EPOCH": SOURCE_DATE_EPOCH, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONHASHSEED": "0"}
    done = subprocess.run(command, env={**given, "PATH": "/usr/bin:/bin"}, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NotPackaged(f"what was fetched does not run: {done.stderr.strip().splitlines()[-1]}")
    for left in (packages / "pip", *packages.glob("*.dist-info")):
        shutil.rmtree(left)


def _pack(packages: Path, to: Path) -> None:
    """Every file in the same order, with the same time and rights."""
    new = to.with_suffix(".new")
    with zipfile.ZipFile(new, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for path in sorted(path for path in packages.rglob("*") if path.is_file()):
            entry = zipfile.ZipInfo(str(path.relative_to(packages)), FIRST)
            entry.external_attr, entry.compress_type = 0o644 << 16, zipfile.ZIP_DEFLATED
            archive.writestr(entry, path.read_bytes(), compresslevel=9)
    new.replace(to)
