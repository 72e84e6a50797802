"""Slipway as a package, outside of its clone: installed, it releases an example and a use case of the user's own."""

import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from configs.settings import PROJECT
from tests.integration.conftest import own_ports


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """Runs `slipway` as it was installed, in a home folder that has nothing else."""
    folder = tmp_path_factory.mktemp("installed")
    uv = str(Path(sys.executable).with_name("uv"))  # what builds the package is in its cache since the set-up
    install = [uv, "pip", "install", "--quiet", "--offline", "--no-deps", "--python", sys.executable]
    subprocess.run([*install, "--target", str(folder / "site"), str(PROJECT)], check=True)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SLIPWAY_")}
    environment |= {**own_ports(), "PYTHONPATH": str(folder / "site"), "HOME": str(folder), "DOCKER_HOST": "unix:///none"}

    def slipway(*words):
        command = [sys.executable, "-m", "console.cli", *words]
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=600, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    yield slipway, folder, environment
    slipway("down")


def test_an_installed_slipway_releases_and_serves(installed):
    slipway, folder, environment = installed
    own = folder / ".slipway" / "written"
    own.mkdir(parents=True)
    example = (PROJECT / "configs" / "loans.yaml").read_text()
    (own / "mine.yaml").write_text(example.replace("name: loans", "name: mine"))
    output = slipway("release", "mine")
    assert "mine version 1 serves on platform local" in output
    gateway = f"http://127.0.0.1:{environment['SLIPWAY_GATEWAY_PORT']}"
    assert httpx.get(f"{gateway}/mine/readyz", timeout=5).json()["version"] == "1"
    assert (folder / "site" / "configs").is_dir()
    assert not (folder / "site" / ".slipway").exists()
