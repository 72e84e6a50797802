"""Keeps processes running: `python -m tasks.deploying.platforms.supervisor FOLDER`.

Those of one release, or the services of a home.

`processes.json` in the folder says which, each with its name, command, output file and what is added to its environment.
A process that ends is started again, after a delay that doubles with each failure in a row; `status.json` says how often,
and why it ended. SIGHUP reads the file again, SIGTERM ends all and removes it.

The kernel's lock on `lock` makes it the only supervisor of the folder, however many are started, and lets go when it ends,
however it ends: so no process id on disk has to be believed. A second one, started by the first, waits for that lock: when
the first is killed it goes on at once, takes over the processes as they run, and starts a second one itself.
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
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple, TextIO

import psutil

POLL_SECONDS = 0.05
FIRST_DELAY, LONGEST_DELAY = 0.1, 30.0
STEADY_SECONDS = 10.0  # a process that ran this long failed for a new reason: the delays begin anew
STOP_SECONDS = 15.0
LOCK_TRIES = 10
STAND_BY = "--stand-by"


class Known(NamedTuple):
    """What a supervisor said last of a process: the very process where it still runs, how often it began anew, and why."""

    process: psutil.Process | None
    restarts: int
    why: str
    name: str
    pid: int = 0


@dataclass
class Supervised:
    """One process: what to start, what runs, how often it failed and why.

    What it started itself ends with it, or would hold its port, unless it is `outlived`.
    """

    name: str
    command: list[str]
    output: str
    environment: dict[str, str] = field(default_factory=dict)
    outlived: bool = False
    process: psutil.Process | None = None
    child: subprocess.Popen[bytes] | None = None
    restarts: int = 0
    why: str = ""
    failures: int = 0
    not_before: float = 0.0
    began: float = 0.0

    def look(self) -> bool:
        """Start it where it does not run; returns whether anything changed."""
        now = time.monotonic()
        if self.process is not None:
            fate = self._fate()
            if fate is None:
                return False
            self._failed(fate, now)
            return True
        if now < self.not_before:
            return False
        try:
            self._start(now)
        except (OSError, psutil.NoSuchProcess) as error:  # its program is being installed anew, the disk is full: later
            self._failed(f"could not be started: {error}", now)
        return True

    def _start(self, now: float) -> None:
        with open(self.output, "ab") as output:
            self.child = subprocess.Popen(
                self.command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True,
                env={**os.environ, **self.environment},
            )  # fmt: skip
        self.process, self.began = psutil.Process(self.child.pid), now

    def _fate(self) -> str | None:
        """How it ended, if it did. Of one that was taken over the kernel tells nobody but its parent."""
        if self.child is None:
            return None if self.process and runs(self.process) else "ended; it was taken over, so how is not known"
        code = self.child.poll()
        return None if code is None else fate(code)

    def _failed(self, why: str, now: float) -> None:
        self.failures = 1 if now - self.began > STEADY_SECONDS else self.failures + 1
        self.not_before = now + min(LONGEST_DELAY, FIRST_DELAY * 2 ** (self.failures - 1))
        self.restarts += 1
        if self.process and not self.outlived:
            end_session(self.process.pid)
        self.why = f"{why}, {datetime.now(UTC):%Y-%m-%d %H:%M:%S}"
        self.process = self.child = None

    def status(self) -> dict[str, Any]:
        """What `status.json` says of it."""
        known = identity(self.process) if self.process else None
        return {"name": self.name, "process": known, "restarts": self.restarts, "why": self.why}


def fate(code: int) -> str:
    """An exit status in words.

    >>> fate(-9), fate(1)
    ('signal 9 (SIGKILL)', 'status 1')
    """
    if code >= 0:
        return f"status {code}"
    names = {number.value: number.name for number in signal.Signals}
    return f"signal {-code} ({names.get(-code, 'unknown')})"


def main(folder: Path, stands_by: bool = False) -> int:
    """Supervise until SIGTERM. Status 3: another supervisor has this folder."""
    lock = open(folder / "lock", "a+", encoding="utf-8")  # noqa: SIM115 - held until the process ends
    if stands_by:
        fcntl.flock(lock, fcntl.LOCK_EX)
    elif not _taken(lock):
        return 3
    asked: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda received, _: asked.append(received))
    lock.truncate(0)
    lock.write(json.dumps(identity(psutil.Process())))
    lock.flush()
    if not (folder / "processes.json").exists():  # what it would go on with was ended
        return 0
    command = [sys.executable, "-m", "tasks.deploying.platforms.supervisor", str(folder), STAND_BY]
    second = Supervised("stand-by", command, str(folder / "stand-by.log"))
    supervised, told = take_over(folder, read(folder)), False
    while folder.exists() and (not asked or asked[-1] == signal.SIGHUP):  # nobody could end it when the home is gone
        if asked:
            asked.clear()
            supervised, told = adjusted(supervised, read(folder)), False
        changed = [each.look() for each in supervised]
        told = (told and not any(changed)) or write_status(folder, supervised)
        second.look()
        time.sleep(POLL_SECONDS)
    (folder / "processes.json").unlink(missing_ok=True)
    stop([each.process for each in (second, *supervised) if each.process])
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
    return [
        Supervised(each["name"], each["command"], each["output"], each.get("environment", {}), each.get("outlived", False))
        for each in listed
    ]


def adjusted(before: list[Supervised], wanted: list[Supervised]) -> list[Supervised]:
    """What runs already stays; what is no longer wanted is stopped; what waits for its next start need not wait longer."""

    def content(each: Supervised) -> str:
        return json.dumps([each.name, each.command, each.environment])

    kept = {content(each): each for each in before}
    after = [kept.pop(content(each), each) for each in wanted]
    stop([each.process for each in kept.values() if each.process])
    for each in after:
        each.not_before, each.failures = 0.0, 0
    return after


def take_over(folder: Path, wanted: list[Supervised]) -> list[Supervised]:
    """Processes that a killed supervisor left running are adopted; a process id that was used again is not."""
    known = {each.name: each for each in read_status(folder)}
    for each in wanted:
        if (found := known.get(each.name)) is None:
            continue
        each.restarts, each.why = found.restarts, found.why
        if found.process is not None and _is_command(found.process, each.command):
            each.process, each.began = found.process, time.monotonic()
        elif found.pid and not each.outlived:
            end_session(found.pid)
    return wanted


def _is_command(process: psutil.Process, command: list[str]) -> bool:
    """Whether it runs this; a script's process has its interpreter in front."""
    try:
        return process.cmdline()[-len(command) :] == command
    except psutil.NoSuchProcess:
        return False


def read_status(folder: Path) -> list[Known]:
    """What a supervisor wrote last: each process, where that very one still runs, and its restarts."""
    path = folder / "status.json"
    listed = json.loads(path.read_text()) if path.exists() else []
    return [
        Known(
            process_of(each["process"]), each["restarts"], each.get("why", ""), each.get("name", ""), _pid(each["process"])
        )
        for each in listed
    ]


def _pid(known: list[float] | None) -> int:
    return int(known[0]) if known else 0


def write_status(folder: Path, supervised: list[Supervised]) -> bool:
    """Replace `status.json` in one step; False where it cannot be written now: a full disk must not end the supervision."""
    temporary = folder / ".status.json"
    try:
        temporary.write_text(json.dumps([each.status() for each in supervised]))
        os.replace(temporary, folder / "status.json")
    except OSError:
        return False
    return True


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


def end_session(leader: int) -> None:
    """SIGKILL to what a process that is gone left behind: every process here leads a session of its own.

    The kernel gives its number to no other process while the session has members, so one that has it now has none of them.
    """
    with contextlib.suppress(psutil.NoSuchProcess):
        if runs(psutil.Process(leader)):
            return
    for process in psutil.process_iter():
        with contextlib.suppress(ProcessLookupError, psutil.NoSuchProcess):
            if os.getsid(process.pid) == leader:
                process.kill()


def _children(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.NoSuchProcess:
        return []


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), STAND_BY in sys.argv))
