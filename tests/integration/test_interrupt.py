"""Ctrl-C of the main job, also where whoever started it ignores the signal: a shell does, for a job in its background."""

import os
import signal

import pytest

from tests.integration.conftest import Home
from tests.integration.server import read_until


@pytest.fixture
def sigint_ignored():
    """Processes started meanwhile inherit it."""
    handler = signal.signal(signal.SIGINT, signal.SIG_IGN)
    yield
    signal.signal(signal.SIGINT, handler)


@pytest.mark.usefixtures("sigint_ignored")
def test_interrupted_while_it_starts_it_ends_with_130_and_leaves_nothing_up(tmp_path):
    home = Home(tmp_path / "home")
    process = home.command("run", "loans", "--once")
    read_until(process, "Starting Prefect UI")
    os.kill(process.pid, signal.SIGINT)
    rest, _ = process.communicate(timeout=120)
    assert process.returncode == 130, rest
    assert "stopped; run the same command again" in rest
    assert "up" not in home.run("status").split()
