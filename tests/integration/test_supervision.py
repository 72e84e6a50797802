"""What is killed comes back by itself, and after everything was killed by one command. Near the end: the other tests' home
has done its work."""

import os
import shutil
import signal
import subprocess
import time

import httpx
import psutil

from configs.files import append_line
from configs.settings import service_address, use_case_home
from console import services
from console.commands import boot
from tasks.routing.gateway import address


def of_home(folder):
    """Every process that works for the home."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.pid != os.getpid() and process.environ().get("SLIPWAY_HOME") == str(folder):
                found.append(process)
        except psutil.Error:
            continue
    return found


def waited_for(what, seconds=180):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if what():
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise AssertionError(what)


def released():
    return httpx.get(f"{address('loans')}/readyz", timeout=5).raise_for_status().json()


def test_every_service_that_is_killed_comes_back_and_an_accepted_run_is_not_lost(served):
    from prefect.client.orchestration import get_client
    from prefect.settings import PREFECT_API_URL, temporary_settings

    from console.follow import start

    before = released()
    names = [*(each.name for each in services.services()), "worker", "guard"]
    with temporary_settings({PREFECT_API_URL: f"{service_address('prefect')}/api"}):
        run = start("maintain", "loans")  # not `monitor`, which would look at the thousands of requests of all tests
        first = {name: services.known(name) for name in names}
        for each in first.values():
            each.process.kill()
        for name, each in first.items():
            waited_for(lambda name=name, each=each: services.known(name).restarts > each.restarts and services.is_up(name))
            assert services.known(name).why.startswith("signal 9 (SIGKILL)")
        for each in services.services():
            waited_for(
                lambda each=each: httpx.get(f"{service_address(each.name)}{each.ready}", timeout=5).status_code == 200
            )
        with get_client(sync_client=True) as client:
            waited_for(lambda: client.read_flow_run(run).state.is_final())
            assert client.read_flow_run(run).state.is_completed()
    assert released() == before
    told = served.run("status")
    assert told.count("(SIGKILL)") == len(names)


def test_a_run_stops_only_what_it_started(served):
    """The services and the release were there before."""
    before = released()
    process = served.command("run", "loans")
    for line in process.stdout:
        if "loans serves at" in line:
            break
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=120)
    assert released() == before
    assert services.supervised()
    assert services.is_up("worker")


def test_everything_that_was_killed_comes_back_by_the_command_for_boot(served):
    """All but a use case whose file is gone: it is told, and the others do not wait for it."""
    before = released()
    append_line(use_case_home("aaa") / "history.jsonl", b'{"time": "", "what": "deploy", "reason": "", "version": "1"}')
    killed = of_home(served.folder)
    assert len(killed) > 5
    for process in killed:
        process.kill()
    psutil.wait_procs(killed, timeout=20)
    done = subprocess.run(["sh", "-c", boot.command()], capture_output=True, text=True, timeout=400)
    shutil.rmtree(use_case_home("aaa"))
    told = done.stdout + done.stderr
    assert done.returncode == 1, told
    assert "aaa: use case 'aaa': no file configs/aaa.yaml" in done.stderr
    assert "Traceback" not in done.stderr.rpartition("failed: ")[2]
    assert released()["version"] == before["version"]
    assert services.supervised()
    assert "Nothing to change" in served.run("plan", "loans")
