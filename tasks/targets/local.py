"""Releases as processes of this machine. They outlive the flow that started them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil

from configs.schema import UseCase
from configs.settings import PROJECT, home, made, prediction_log
from tasks.keys import keys_folder
from tasks.signing_keys import public_key
from tasks.targets.ports import free_port
from tasks.targets.settings import environment, needs_keys
from tasks.values import BundleRef, Image, Release

STOP_SECONDS = 15


def start(release: Release, image: Image, use_case: UseCase) -> Release:
    """Start a server process in a session of its own; its handle is `PID:START`, so that a reused pid is not believed."""
    _stop_strays(release)
    port = free_port()
    command = [sys.executable, "-m", "serving", "--bundle", str(BundleRef(digest=release.bundle).path)]
    command += ["--log", str(prediction_log(release.use_case)), "--port", str(port)]
    command += ["--version", release.version, "--release", release.name]
    command += ["--public-key", str(public_key())]
    if needs_keys(use_case):
        command += ["--keys", str(keys_folder(use_case.name) / "keys.json")]
    with open(_output(release), "ab") as output:
        process = subprocess.Popen(
            command,
            cwd=PROJECT,
            env={**os.environ, **environment(use_case)},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    handle = f"{process.pid}:{psutil.Process(process.pid).create_time()}"
    return release.model_copy(update={"address": f"http://127.0.0.1:{port}", "handle": handle})


def stop(release: Release) -> None:
    """SIGTERM, and SIGKILL for what is left of its process group after the grace period."""
    if not alive(release):
        return
    pid = _pid(release)
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    while alive(release) and time.monotonic() < deadline:
        time.sleep(0.05)
    if alive(release):
        os.killpg(pid, signal.SIGKILL)


def alive(release: Release) -> bool:
    """Whether that very process runs."""
    pid, started = release.handle.split(":")
    try:
        process = psutil.Process(int(pid))
        return process.create_time() == float(started) and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def last_words(release: Release) -> str:
    """The end of its output."""
    path = _output(release)
    return path.read_text(errors="replace")[-2000:] if path.exists() else ""


def _stop_strays(release: Release) -> None:
    """Take away what a run left that was killed between starting the process and recording it."""
    marks = {"serving", release.name, str(prediction_log(release.use_case))}
    for process in psutil.process_iter(["cmdline"]):
        if marks <= set(process.info["cmdline"] or []):
            process.kill()


def _pid(release: Release) -> int:
    return int(release.handle.split(":")[0])


def _output(release: Release) -> Path:
    return made(home() / "logs") / f"release-{release.name}.log"
