"""What is written for a start at boot. That its command brings everything back: tests/integration/test_supervision.py."""

import shutil
import subprocess

import pytest

from configs.settings import home as the_home
from console.commands import boot


@pytest.fixture
def told(home, monkeypatch):
    monkeypatch.setenv("SLIPWAY_LOG_KEY", "a secret")
    monkeypatch.setenv("SLIPWAY_LOG_PEPPER_FILE", "/run/pepper")
    monkeypatch.setenv("SLIPWAY_GATEWAY_PORT", "80 & 81")


def test_the_command_says_everything_that_the_environment_said_but_no_secret(told, home):
    """A shell reads it back as it was meant."""
    words = boot.command().partition("&& ")[2]
    shown = subprocess.run(["sh", "-c", words.replace("env ", "printf '%s\\n' ", 1)], capture_output=True, text=True).stdout
    lines = shown.splitlines()
    assert f"SLIPWAY_HOME={the_home()}" in lines
    assert "SLIPWAY_GATEWAY_PORT=80 & 81" in lines
    assert "SLIPWAY_LOG_PEPPER_FILE=/run/pepper" in lines
    assert lines[-1] == "up"
    assert "a secret" not in shown
    assert boot.secrets_left_out() == ["SLIPWAY_LOG_KEY"]


def test_the_unit_is_one_that_systemd_reads(told, tmp_path):
    if shutil.which("systemd-analyze") is None:
        pytest.skip("no systemd-analyze here")
    path = tmp_path / "slipway-test.service"
    path.write_text(boot._unit().content)
    done = subprocess.run(["systemd-analyze", "verify", "--user", str(path)], capture_output=True, text=True)
    assert "slipway-test.service:" not in done.stderr, done.stderr


def test_cron_s_line_is_one_line_that_begins_at_boot_and_escapes_percent_signs(told, monkeypatch):
    monkeypatch.setenv("SLIPWAY_GATEWAY_PORT", "100%")
    line = boot._line().content
    assert line.startswith("@reboot cd ")
    assert "\n" not in line
    assert "100\\%" in line
