"""The supervisor of local releases, with real processes killed at will."""

import json
import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from configs.settings import PROJECT
from tasks.targets import supervisor

SLEEPER = [sys.executable, "-c", "import time; time.sleep(1000)"]
FAILS = [sys.executable, "-c", "raise SystemExit(1)"]


@pytest.fixture
def folder(tmp_path):
    yield tmp_path
    for process, _ in supervisor.read_status(tmp_path):
        if process:
            process.kill()


@pytest.fixture
def start(folder):
    started = []

    def start():
        started.append(subprocess.Popen([sys.executable, "-m", "tasks.targets.supervisor", str(folder)], cwd=PROJECT))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


def wanted(folder, *commands):
    listed = [{"command": [*command, str(n)], "output": str(folder / f"{n}.log")} for n, command in enumerate(commands)]
    (folder / "processes.json").write_text(json.dumps({"processes": listed}))


def status(folder, until, seconds=15):
    """What the supervisor says once it is as expected."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = supervisor.read_status(folder)
        if until(found):
            return found
        time.sleep(0.05)
    raise AssertionError(supervisor.read_status(folder))


def up(count):
    return lambda found: len(found) == count and all(process for process, _ in found)


def test_what_dies_is_started_again_and_sigterm_ends_all(folder, start):
    wanted(folder, SLEEPER, SLEEPER)
    keeper = start()
    first = status(folder, up(2))
    first[0][0].kill()
    second = status(folder, lambda found: up(2)(found) and found[0][1] == 1)
    assert second[0][0].pid != first[0][0].pid
    assert second[1][0].pid == first[1][0].pid
    keeper.send_signal(signal.SIGTERM)
    assert keeper.wait(20) == 0
    assert not any(process.is_running() for process, _ in second)


def test_a_process_that_always_fails_is_started_less_and_less_often(folder, start):
    wanted(folder, FAILS)
    start()
    time.sleep(4)
    restarts = status(folder, lambda found: bool(found))[0][1]
    assert 4 <= restarts <= 6, "0.1, 0.2, 0.4, 0.8, 1.6 seconds apart"


def test_one_owner_and_sighup_scales(folder, start):
    wanted(folder, SLEEPER)
    start_1, start_2 = start(), start()
    time.sleep(0.2)
    (first,) = status(folder, up(1))
    deadline = time.monotonic() + 20
    while start_1.poll() is None and start_2.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    ended, keeper = (start_1, start_2) if start_2.poll() is None else (start_2, start_1)
    assert (ended.poll(), keeper.poll()) == (3, None)
    wanted(folder, SLEEPER, SLEEPER, SLEEPER)
    keeper.send_signal(signal.SIGHUP)
    more = status(folder, up(3))
    assert more[0][0].pid == first[0].pid
    wanted(folder, SLEEPER)
    keeper.send_signal(signal.SIGHUP)
    fewer = status(folder, up(1))
    assert fewer[0][0].pid == first[0].pid
    assert not more[2][0].is_running()


def test_a_killed_supervisor_s_processes_go_on_and_are_taken_over(folder, start):
    wanted(folder, SLEEPER, SLEEPER)
    keeper = start()
    first = status(folder, up(2))
    keeper.kill()
    keeper.wait()
    assert all(process.is_running() for process, _ in first)
    first[1][0].kill()
    start()
    second = status(folder, lambda found: up(2)(found) and found[1][0].pid != first[1][0].pid)
    assert second[0][0].pid == first[0][0].pid


def test_a_process_id_on_disk_is_not_believed(folder, start):
    """After a reboot another program may have it, or even the same program with the same start second."""
    wanted(folder, SLEEPER)
    mine = psutil.Process(os.getpid())
    for known in ([mine.pid, mine.create_time() - 1], [mine.pid, mine.create_time()]):
        (folder / "status.json").write_text(json.dumps([{"process": known, "restarts": 0}]))
        keeper = start()
        found = status(folder, lambda found: up(1)(found) and found[0][0].pid != mine.pid)
        assert found[0][0].cmdline()[:-1] == SLEEPER
        keeper.terminate()
        keeper.wait(20)
