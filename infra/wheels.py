"""Fetches the wheels of `infra/serving.lock` for the image's platform, hash checked, so that a build needs no network.

Usage: python infra/wheels.py FOLDER
"""

from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path

IMAGE_PYTHON = "3.11"  # the Python of the base image in infra/Dockerfile
LOCK = Path(__file__).with_name("serving.lock")


def main() -> int:
    """Download into the folder named on the command line."""
    machine = {"arm64": "aarch64", "AMD64": "x86_64"}.get(platform.machine(), platform.machine())
    platforms = [f"manylinux_2_{minor}_{machine}" for minor in (34, 28, 27, 17)] + [f"manylinux2014_{machine}"]
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes"]
    command += ["--only-binary", ":all:", "--python-version", IMAGE_PYTHON, "--dest", sys.argv[1]]
    for tag in platforms:
        command += ["--platform", tag]
    return subprocess.run([*command, "-r", str(LOCK)], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
