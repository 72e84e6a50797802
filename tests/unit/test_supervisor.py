"""The supervisor of local releases, with real processes killed at will."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time

import psutil
import pytest

from configs.settings import PROJECT
from tasks.deploying.platforms import supervisor
from tasks.deploying.platforms.supervision import end, supervise, supervisor_of

SLEEPER = [sys.executable, "-c", "import time; time.sleep(1000)"]
FAILS = [sys.executable, "-c", "raise SystemExit(1)"]


@pytest.fixture
def folder(tmp_path):
    yield tmp_path
    end(tmp_path)


@pytest.fixture
def start(folder):
    started = []

    def start():
        started.append(
            subprocess.Popen([sys.executable, "-m", "tasks.deploying.platforms.supervisor", str(folder)], cwd=PROJECT)
        )
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


def wanted(folder, *commands):
    listed = [
        {"name": str(n), "command": [*command, str(n)], "output": str(folder / f"{n}.log")}
        for n, command in enumerate(commands)
    ]
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
    return lambda found: len(found) == count and all(each.process for each in found)


def test_what_dies_is_started_again_and_sigterm_ends_all(folder, start):
    wanted(folder, SLEEPER, SLEEPER)
    keeper = start()
    first = status(folder, up(2))
    first[0].process.kill()
    second = status(folder, lambda found: up(2)(found) and found[0].restarts == 1)
    assert second[0].process.pid != first[0].process.pid
    assert second[1].process.pid == first[1].process.pid
    keeper.send_signal(signal.SIGTERM)
    assert keeper.wait(20) == 0
    assert not any(process.is_running() for process, *_ in second)


def test_a_process_that_always_fails_is_started_less_and_less_often(folder, start):
    wanted(folder, FAILS)
    start()
    time.sleep(4)
    restarts = status(folder, lambda found: bool(found))[0].restarts
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
    assert more[0].process.pid == first.process.pid
    wanted(folder, SLEEPER)
    keeper.send_signal(signal.SIGHUP)
    fewer = status(folder, up(1))
    assert fewer[0].process.pid == first.process.pid
    assert not more[2].process.is_running()


def second_of(keeper):
    """The one that stands by."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        for child in psutil.Process(keeper.pid).children():
            with contextlib.suppress(psutil.NoSuchProcess):
                if "--stand-by" in child.cmdline():
                    return child
        time.sleep(0.05)
    raise AssertionError("nobody stands by")


def test_a_killed_supervisor_is_replaced_by_the_one_that_stands_by(folder, start):
    """Again and again; no process is started anew for it, and one that ends later is."""
    wanted(folder, SLEEPER)
    start()
    (first,) = status(folder, up(1))
    keeper = supervisor_of(folder)
    for _ in range(3):
        second = second_of(keeper)
        keeper.kill()
        deadline = time.monotonic() + 20
        while (keeper := supervisor_of(folder)) != second:
            assert time.monotonic() < deadline
    first.process.kill()
    (after,) = status(folder, lambda found: up(1)(found) and found[0].restarts == 1)
    assert after.process.pid != first.process.pid
    assert "how is not known" in after.why
    second = second_of(keeper)
    second.kill()
    deadline = time.monotonic() + 20
    while second.is_running() and second_of(keeper) == second:
        assert time.monotonic() < deadline
    assert second_of(keeper) != second
    end(folder)
    assert supervisor_of(folder) is None
    supervisors = [each for each in psutil.process_iter(["cmdline"]) if str(folder) in (each.info["cmdline"] or [])]
    _, left = psutil.wait_procs([after.process, *supervisors], timeout=20)
    assert left == []


def test_what_a_dead_process_started_is_ended_before_it_begins_anew_unless_it_may_outlive_it(folder, start):
    """Or it would hold the port; the runs of a worker go on without it."""
    parent = "import subprocess, sys, time; print(subprocess.Popen(sys.argv[1:]).pid, flush=True); time.sleep(1000)"
    command = [sys.executable, "-c", parent, *SLEEPER]
    both = [
        {"name": n, "command": [*command, n], "output": str(folder / n), "outlived": n == "stays"} for n in ("ends", "stays")
    ]
    (folder / "processes.json").write_text(json.dumps({"processes": both}))
    start()

    def children(count):
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            told = [(folder / name).read_text().split() if (folder / name).exists() else [] for name in ("ends", "stays")]
            if all(len(each) == count for each in told):
                return [psutil.Process(int(each[0])) for each in told] if count == 1 else []
            time.sleep(0.05)
        raise AssertionError("they do not start")

    ends, stays = children(1)
    for each in status(folder, up(2)):
        each.process.kill()
    children(2)
    assert not supervisor.runs(ends)
    assert supervisor.runs(stays)
    end(folder)
    stays.kill()


def test_it_ends_with_its_folder(tmp_path):
    """A home that was removed has nothing that could be told to stop."""
    folder = tmp_path / "gone"
    folder.mkdir()
    wanted(folder, SLEEPER)
    keeper = subprocess.Popen([sys.executable, "-m", "tasks.deploying.platforms.supervisor", str(folder)], cwd=PROJECT)
    (first,) = status(folder, up(1))
    shutil.rmtree(folder)
    assert keeper.wait(20) == 0
    assert not supervisor.runs(first.process)


def test_it_is_told_why_a_process_began_anew(folder, start):
    wanted(folder, SLEEPER, FAILS, ["/nowhere/program"])
    start()
    first = status(folder, lambda found: len(found) == 3 and found[0].process)
    first[0].process.kill()
    found = status(folder, lambda found: all(each.restarts for each in found))
    assert found[0].why.startswith("signal 9 (SIGKILL), 20")
    assert found[1].why.startswith("status 1, 20")
    assert "could not be started" in found[2].why


def test_each_process_has_its_own_environment_and_a_change_of_it_starts_it_anew(folder, start):
    tell = [sys.executable, "-c", "import os, time; print(os.environ['TOLD'], flush=True); time.sleep(1000)"]
    process = {"name": "a", "command": tell, "output": str(folder / "out")}
    start_it = {"folder": folder, "output": folder / "supervisor.log", "environment": {**os.environ, "TOLD": "outer"}}
    for told in ("one", "two"):
        supervise(processes=[{**process, "environment": {"TOLD": told}}], **start_it)
        deadline = time.monotonic() + 20
        while not (folder / "out").exists() or told not in (folder / "out").read_text():
            assert time.monotonic() < deadline
            time.sleep(0.05)
    assert (folder / "out").read_text().split() == ["one", "two"]


def test_killed_supervisors_leave_processes_that_the_next_one_takes_over(folder, start):
    wanted(folder, SLEEPER, SLEEPER)
    keeper = start()
    first = status(folder, up(2))
    second = second_of(keeper)
    second.kill()
    keeper.kill()
    keeper.wait()
    assert all(process.is_running() for process, *_ in first)
    first[1].process.kill()
    start()
    second = status(folder, lambda found: up(2)(found) and found[1].process.pid != first[1].process.pid)
    assert second[0].process.pid == first[0].process.pid


def test_a_process_id_on_disk_is_not_believed(folder, start):
    """After a reboot another program may have it, or even the same program with the same start second."""
    mine = psutil.Process(os.getpid())
    for known in ([mine.pid, mine.create_time() - 1], [mine.pid, mine.create_time()]):
        (folder / "status.json").write_text(json.dumps([{"name": "0", "process": known, "restarts": 0, "why": ""}]))
        wanted(folder, SLEEPER)
        keeper = start()
        found = status(folder, lambda found: up(1)(found) and found[0].process.pid != mine.pid)
        assert found[0].process.cmdline()[:-1] == SLEEPER
        keeper.terminate()
        keeper.wait(20)
