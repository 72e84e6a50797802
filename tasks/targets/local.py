"""Releases as processes of this machine, kept running by a supervisor of their own that outlives the flow.

A release is a folder `releases/NAME` of the use case: `release.json`, `processes.json` for the supervisor, and what it says
of them in `status.json`.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil

from configs.errors import CheckFailed
from configs.settings import PROJECT, home, made, use_case_home
from tasks.keys import keys_folder
from tasks.signing_keys import public_key
from tasks.targets import supervisor
from tasks.targets.ports import free_port, is_free
from tasks.targets.settings import handed_over
from tasks.values import BundleRef, Release, Replica, write_atomically

START_SECONDS = 20


class NotSupervised(CheckFailed):
    """The supervisor of a release did not start."""


def observe(use_case: str) -> list[Release]:
    """What lies in `releases/`, and which of its processes run now."""
    folders = sorted(path.parent for path in use_case_home(use_case).glob("releases/*/release.json"))
    return [_observed(folder) for folder in folders]


def bring_up(release: Release) -> Release:
    """Write down what should run, and make sure that one supervisor sees to it."""
    folder = made(_folder(release))
    ports = _ports(folder, release.wanted)
    replicas = tuple(Replica(address=f"http://127.0.0.1:{port}", handle=str(port)) for port in ports)
    processes = [_process(release, port, number) for number, port in enumerate(ports)]
    _write(folder / "processes.json", {"processes": processes})
    write_atomically(folder / "release.json", release.model_copy(update={"replicas": replicas}).model_dump_json().encode())
    keeper = _supervisor(folder)
    if keeper is not None:
        keeper.send_signal(signal.SIGHUP)
    else:
        _start_supervisor(release, folder)
    return release.model_copy(update={"replicas": replicas})


def take_down(release: Release) -> None:
    """End the supervisor, which ends its processes first; what a killed supervisor left behind is ended here."""
    folder = _folder(release)
    if not folder.exists():
        return
    if keeper := _supervisor(folder):
        keeper.terminate()
        psutil.wait_procs([keeper], timeout=supervisor.STOP_SECONDS + 5)
    supervisor.stop([process for process, _ in supervisor.read_status(folder) if process])
    shutil.rmtree(folder)


def memory(release: Release) -> int:
    """The unique set size of its processes and what they started."""
    roots = [process for process, _ in supervisor.read_status(_folder(release)) if process]
    family = [each for root in roots for each in (root, *root.children(recursive=True))]
    return sum(process.memory_full_info().uss for process in family)


def last_words(release: Release) -> str:
    """The end of what its processes printed."""
    outputs = [_output(release, number) for number in range(release.wanted)]
    return "\n".join(path.read_text(errors="replace")[-2000:] for path in outputs if path.exists())


def _observed(folder: Path) -> Release:
    release = Release.model_validate_json((folder / "release.json").read_bytes())
    found = supervisor.read_status(folder)
    found += [(None, 0)] * (len(release.replicas) - len(found))
    kept = _supervisor(folder) is not None
    replicas = (
        replica.model_copy(update={"alive": kept and process is not None, "restarts": restarts})
        for replica, (process, restarts) in zip(release.replicas, found, strict=False)
    )
    return release.model_copy(update={"replicas": tuple(replicas)})


def _ports(folder: Path, wanted: int) -> list[int]:
    """One a replica: those of before while the release is up, so that the gateway's addresses stay right, else free ones."""
    path = folder / "release.json"
    known = [int(each.handle) for each in Release.model_validate_json(path.read_bytes()).replicas] if path.exists() else []
    if _supervisor(folder) is None:  # after a reboot they may be somebody else's
        running = {process is not None for process, _ in supervisor.read_status(folder)}
        known = [port for port in known if is_free(port) or True in running]
    while len(known) < wanted:
        port = free_port()
        if port not in known:
            known.append(port)
    return known[:wanted]


def _process(release: Release, port: int, number: int) -> dict[str, Any]:
    """The command of one replica. Its settings, and secrets, come by the supervisor's environment."""
    command = [sys.executable, "-m", "serving", "--bundle", str(BundleRef(digest=release.bundle).path)]
    command += ["--log", str(use_case_home(release.use_case) / release.log), "--port", str(port)]
    command += ["--version", release.version, "--release", release.name]
    command += ["--public-key", str(public_key())]
    if release.settings["SLIPWAY_AUTH"] == "on":
        command += ["--keys", str(keys_folder(release.use_case) / "keys.json")]
    return {"command": command, "output": str(_output(release, number))}


def _start_supervisor(release: Release, folder: Path) -> None:
    output = made(home() / "logs") / f"release-{release.name}.log"
    with output.open("ab") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "tasks.targets.supervisor", str(folder)],
            cwd=PROJECT,
            env={**os.environ, **release.settings, **handed_over(release)},
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            start_new_session=True,
        )
    deadline = time.monotonic() + START_SECONDS
    while _supervisor(folder) is None:
        if process.poll() not in (None, 3) or time.monotonic() > deadline:
            raise NotSupervised(f"the supervisor of {release.name} did not start; see {output}")
        time.sleep(0.02)


def _supervisor(folder: Path) -> psutil.Process | None:
    """The process that holds the folder's lock. Nobody holds it: there is none, whatever is written there."""
    path = folder / "lock"
    if not path.exists():
        return None
    with path.open("r+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            text = file.read()
            return supervisor.process_of(json.loads(text)) if text else None
    return None


def _folder(release: Release) -> Path:
    return use_case_home(release.use_case) / "releases" / release.name


def _output(release: Release, number: int) -> Path:
    return made(home() / "logs") / f"release-{release.name}-{number}.log"


def _write(path: Path, content: Any) -> None:
    write_atomically(path, json.dumps(content, indent=1).encode())
