"""Keeps the processes of one release running: `python -m tasks.targets.supervisor FOLDER`.

`processes.json` in the folder says which ones: `{"processes": [{"command": [...], "output": "FILE"}, ...]}`. A process that
ends is started again, after a delay that doubles with each failure in a row. SIGHUP reads the file again, SIGTERM ends all.

The kernel's lock on `lock` makes it the only supervisor of the folder, however many are started, and lets go when it ends,
however it ends: so no process id on disk has to be believed. One that finds processes of a supervisor that was killed
takes them over as they run.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import psutil

POLL_SECONDS = 0.05
FIRST_DELAY, LONGEST_DELAY = 0.1, 30.0
STEADY_SECONDS = 10.0  # a process that ran this long failed for a new reason: the delays begin anew
STOP_SECONDS = 15.0
LOCK_TRIES = 10


@dataclass
class Supervised:
    """One process: what to start, what runs, and how often it failed."""

    command: list[str]
    output: str
    process: psutil.Process | None = None
    restarts: int = 0
    failures: int = 0
    not_before: float = 0.0
    began: float = 0.0

    def look(self) -> bool:
        """Start it where it does not run; returns whether anything changed."""
        now = time.monotonic()
        if self.process is not None:
            if runs(self.process):
                return False
            self.failures = 1 if now - self.began > STEADY_SECONDS else self.failures + 1
            self.not_before = now + min(LONGEST_DELAY, FIRST_DELAY * 2 ** (self.failures - 1))
            self.restarts += 1
            self.process = None
            return True
        if now < self.not_before:
            return False
        with open(self.output, "ab") as output:
            started = subprocess.Popen(
                self.command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
            )
        self.process, self.began = psutil.Process(started.pid), now
        return True

    def status(self) -> dict[str, Any]:
        """What `status.json` says of it."""
        identity = [self.process.pid, self.process.create_time()] if self.process else None
        return {"process": identity, "restarts": self.restarts}


def main(folder: Path) -> int:
    """Supervise until SIGTERM. Status 3: another supervisor has this folder."""
    lock = open(folder / "lock", "a+", encoding="utf-8")  # noqa: SIM115 - held until the process ends
    if not _taken(lock):
        return 3
    asked: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda received, _: asked.append(received))
    lock.truncate(0)
    lock.write(json.dumps(identity(psutil.Process())))
    lock.flush()
    supervised = take_over(folder, read(folder))
    while not asked or asked[-1] == signal.SIGHUP:
        if asked:
            asked.clear()
            supervised = adjusted(supervised, read(folder))
            write_status(folder, supervised)
        changed = [each.look() for each in supervised]
        if any(changed):
            write_status(folder, supervised)
        time.sleep(POLL_SECONDS)
    stop([each.process for each in supervised if each.process])
    return 0


def _taken(lock: TextIO) -> bool:
    """Take the lock; somebody who only asks who holds it, holds it himself for a moment."""
    for _ in range(LOCK_TRIES):
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        time.sleep(POLL_SECONDS)
    return False


def read(folder: Path) -> list[Supervised]:
    """The processes that should run."""
    listed = json.loads((folder / "processes.json").read_text())["processes"]
    return [Supervised(each["command"], each["output"]) for each in listed]


def adjusted(before: list[Supervised], wanted: list[Supervised]) -> list[Supervised]:
    """What runs already stays; what is no longer wanted is stopped."""
    kept = {tuple(each.command): each for each in before}
    after = [kept.pop(tuple(each.command), each) for each in wanted]
    stop([each.process for each in kept.values() if each.process])
    return after


def take_over(folder: Path, wanted: list[Supervised]) -> list[Supervised]:
    """Processes that a killed supervisor left running are adopted; a process id that was used again is not."""
    for each, (found, restarts) in zip(wanted, read_status(folder), strict=False):
        if found is not None and runs(found) and found.cmdline() == each.command:
            each.process, each.restarts, each.began = found, restarts, time.monotonic()
    return wanted


def read_status(folder: Path) -> list[tuple[psutil.Process | None, int]]:
    """What a supervisor wrote last: each process, where that very one still runs, and its restarts."""
    path = folder / "status.json"
    listed = json.loads(path.read_text()) if path.exists() else []
    return [(process_of(each["process"]), each["restarts"]) for each in listed]


def write_status(folder: Path, supervised: list[Supervised]) -> None:
    """Replace `status.json` in one step."""
    temporary = folder / ".status.json"
    temporary.write_text(json.dumps([each.status() for each in supervised]))
    os.replace(temporary, folder / "status.json")


def identity(process: psutil.Process) -> list[float]:
    """Process id and start time: what makes a process that very process."""
    return [process.pid, process.create_time()]


def process_of(known: list[float] | None) -> psutil.Process | None:
    """The process of an identity, if it still runs."""
    if known is None:
        return None
    try:
        process = psutil.Process(int(known[0]))
        return process if process.create_time() == known[1] and runs(process) else None
    except psutil.NoSuchProcess:
        return None


def runs(process: psutil.Process) -> bool:
    """Whether it runs; one of our own that has ended is reaped."""
    with contextlib.suppress(ChildProcessError):  # taken over, so not ours to reap
        if os.waitpid(process.pid, os.WNOHANG)[0]:
            return False
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def stop(processes: list[psutil.Process]) -> None:
    """SIGTERM to each; SIGKILL, after the grace period, to what is left of it and of what it started."""
    families = [(process, _children(process)) for process in processes]
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.terminate()
    deadline = time.monotonic() + STOP_SECONDS
    while any(runs(process) for process in processes) and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
    for process, children in families:
        for each in (process, *children):
            with contextlib.suppress(psutil.NoSuchProcess):
                if each.is_running():
                    each.kill()


def _children(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.NoSuchProcess:
        return []


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
