"""Handing processes to a supervisor (`supervisor.py`) that outlives whoever started it, and taking them back."""

from __future__ import annotations

import contextlib
import fcntl
import json
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil

from configs.errors import CheckFailed
from configs.files import write_atomically
from configs.settings import PROJECT
from tasks.deploying.platforms import supervisor

START_SECONDS = 20


class NotSupervised(CheckFailed):
    """A supervisor did not start."""


def supervise(folder: Path, processes: list[dict[str, Any]], output: Path, environment: Mapping[str, str]) -> None:
    """Write down what should run, and make sure that a supervisor sees to it; a new one has this environment."""
    write_atomically(folder / "processes.json", json.dumps({"processes": processes}, indent=1).encode())
    keeper = supervisor_of(folder)
    if keeper is not None:
        keeper.send_signal(signal.SIGHUP)
        return
    with output.open("ab") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "tasks.deploying.platforms.supervisor", str(folder)],
            cwd=PROJECT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            start_new_session=True,
        )
    deadline = time.monotonic() + START_SECONDS
    while supervisor_of(folder) is None:
        if process.poll() not in (None, 3) or time.monotonic() > deadline:
            raise NotSupervised(f"the supervisor of {folder.name} did not start; see {output}")
        time.sleep(0.02)


def supervisor_of(folder: Path) -> psutil.Process | None:
    """The process that holds the folder's lock. Nobody holds it: there is none, whatever is written there."""
    path, deadline = folder / "lock", time.monotonic() + START_SECONDS
    while path.exists() and time.monotonic() < deadline:
        with path.open("r+", encoding="utf-8") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                text = file.read()
            else:
                return None
        with contextlib.suppress(ValueError):
            if found := supervisor.process_of(json.loads(text)):
                return found
        time.sleep(0.02)  # it has the lock, and is about to write who it is
    return None


def end(folder: Path) -> None:
    """End the supervisor, which ends its processes first; what killed supervisors left behind is ended here."""
    (folder / "processes.json").unlink(missing_ok=True)  # so that one that stands by does not go on
    if keeper := supervisor_of(folder):
        keeper.terminate()
        psutil.wait_procs([keeper], timeout=supervisor.STOP_SECONDS + 5)
    left = supervisor.read_status(folder)
    supervisor.stop([each.process for each in left if each.process])
    for each in left:
        if each.pid:
            supervisor.end_session(each.pid)


def listed(folder: Path) -> list[dict[str, Any]]:
    """What the supervisor was told to keep running."""
    path = folder / "processes.json"
    return list(json.loads(path.read_text())["processes"]) if path.exists() else []
