"""`slipway service`: what brings this home back after a reboot, by the user's own systemd or cron."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from configs.errors import InputError
from configs.settings import PROJECT, home, pool

KEPT = ("SLIPWAY_", "DOCKER_")


class Entry(NamedTuple):
    """What is written for a start at boot: where, its content, how it is switched on, and how it is undone."""

    where: str
    content: str
    switch_on: list[list[str]]
    undo: str


def entry() -> Entry:
    """For systemd where the user's one answers, else for cron.

    Raises:
        InputError: neither is on this machine.
    """
    if shutil.which("systemctl") and _runs(["systemctl", "--user", "show-environment"]):
        return _unit()
    if shutil.which("crontab"):
        return _line()
    raise InputError(
        f"neither systemd of this user ('systemctl --user') nor 'crontab' answers here; have this run at boot: {command()}"
    )


def command(verb: str = "up") -> str:
    """What brings everything back (or down), from any folder and environment; twice changes nothing."""
    words = [f"{name}={value}" for name, value in _environment().items()]
    program = [str(Path(sys.executable).parent / "slipway"), verb]
    return f"cd {shlex.quote(str(PROJECT))} && env {shlex.join([*words, *program])}"


def install(wanted: Entry) -> None:
    """Write it; what was written before is replaced."""
    if wanted.where == "crontab":
        before = subprocess.run(["crontab", "-l"], capture_output=True, text=True, check=False).stdout.splitlines()
        kept = [line for line in before if not line.endswith(_mark())]
        subprocess.run(["crontab", "-"], input="\n".join([*kept, wanted.content]) + "\n", text=True, check=True)
        return
    path = Path(wanted.where)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(wanted.content, encoding="utf-8")
    for words in wanted.switch_on:
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        if done.returncode:
            raise InputError(f"{shlex.join(words)}: {done.stderr.strip()}; {path} is written")


def _unit() -> Entry:
    name = f"{pool()}.service"
    folder = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "systemd" / "user"
    content = f"""[Unit]
Description=Slipway in {home()}

[Service]
Type=oneshot
RemainAfterExit=yes
# 1: a use case did not come back; the others and the services are up, and stay.
SuccessExitStatus=1
TimeoutStartSec=infinity
ExecStart=/bin/sh -c {_quoted(command("up"))}
ExecStop=/bin/sh -c {_quoted(command("down"))}

[Install]
WantedBy=default.target
"""
    on = [["systemctl", "--user", "daemon-reload"], ["systemctl", "--user", "enable", name], ["loginctl", "enable-linger"]]
    undo = f"systemctl --user disable {name}; rm {folder / name}"
    return Entry(str(folder / name), content, on, undo)


def _line() -> Entry:
    line = (
        f"@reboot {command().replace('%', chr(92) + '%')} >> {shlex.quote(str(home() / 'logs' / 'boot.log'))} 2>&1 {_mark()}"
    )
    return Entry("crontab", line, [], f"crontab -l | grep -v '{_mark()}$' | crontab -")


def _mark() -> str:
    return f"# {pool()}"


def _quoted(text: str) -> str:
    """One word of a systemd command line, in which `%` and `$` mean something."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{escaped}"'


def _environment() -> dict[str, str]:
    """What this home was told by its environment; a secret is not written down, only where it lies."""
    told = {name: value for name, value in os.environ.items() if name.startswith(KEPT) and not _is_secret(name)}
    return dict(sorted((told | {"SLIPWAY_HOME": str(home())}).items()))


def _is_secret(name: str) -> bool:
    return name == "SLIPWAY_POOL" or name.endswith(("_PEPPER", "_PASSWORD", "_USERNAME", "LOG_KEY"))


def secrets_left_out() -> list[str]:
    """Variables that hold a secret itself: at boot it has to come from a file or a Prefect block."""
    return sorted(name for name in os.environ if name.startswith(KEPT) and _is_secret(name) and name != "SLIPWAY_POOL")


def _runs(words: list[str]) -> bool:
    return subprocess.run(words, capture_output=True, check=False).returncode == 0
