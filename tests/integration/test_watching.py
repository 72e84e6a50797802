"""What Prefect does for a use case by itself, from its first release to its retirement; and how a failed run is told."""

import contextlib
import fcntl
import os
import shutil
import signal
import time

import httpx
import psutil
import pytest
from ruamel.yaml import YAML

from configs.settings import PROJECT, service_address, use_case_home


@pytest.fixture
def prefect(served):
    """A client of the home's Prefect server."""
    from prefect.client.orchestration import get_client
    from prefect.settings import PREFECT_API_URL, temporary_settings

    with temporary_settings({PREFECT_API_URL: f"{service_address('prefect')}/api"}), get_client(sync_client=True) as client:
        yield client


def until(found, what):
    """What `found` returns as soon as that is something."""
    deadline = time.monotonic() + 120
    while not (value := found()):
        assert time.monotonic() < deadline, what
        time.sleep(0.2)
    return value


def told(name):
    from tasks.history import read_history

    return [entry["reason"] for entry in read_history("loans", "failed") if name in entry["reason"]]


def paused(prefect, name):
    from tasks.monitoring.watching import deployments

    return {each.paused for each in deployments(prefect, name)}


def triggers_on(prefect, name):
    from tasks.monitoring.watching import deployments, triggers

    return {each.enabled for deployment in deployments(prefect, name) for each in triggers(prefect, deployment)}


def test_a_released_use_case_is_watched_and_one_that_is_not_waits(served, prefect):
    from prefect.exceptions import PrefectHTTPStatusError

    assert (paused(prefect, "loans"), paused(prefect, "flights")) == ({False}, {True})
    assert (triggers_on(prefect, "loans"), triggers_on(prefect, "flights")) == ({True}, {False})
    monitor = prefect.read_deployment_by_name("monitor/loans")
    assert (monitor.tags, monitor.parameters) == (["slipway", "monitor", "loans"], {"use_case": "loans"})
    assert [(each.schedule.cron, each.schedule.timezone) for each in monitor.schedules] == [("45 3 * * *", "UTC")]
    rollback = prefect.read_deployment_by_name("rollback/loans")
    with pytest.raises(PrefectHTTPStatusError, match="flights"):
        prefect.create_flow_run_from_deployment(rollback.id, parameters={"use_case": "flights"})


def test_a_run_that_fails_is_told(served, prefect):
    score = prefect.read_deployment_by_name("score/loans")
    prefect.create_flow_run_from_deployment(score.id, parameters={"use_case": "loans"})
    (reason,) = until(lambda: told("score-loans"), "nobody was told of the failure")
    assert "ended as Failed" in reason
    assert "score needs a 'source' and a 'destination'" in reason


def test_a_run_that_is_killed_is_told(served, prefect):
    monitor = prefect.read_deployment_by_name("monitor/loans")
    with open(use_case_home("loans") / "lock", "a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # so that the run waits, and dies before it has done anything
        run = prefect.create_flow_run_from_deployment(monitor.id)
        until(lambda: prefect.read_flow_run(run.id).state.is_running(), "the run did not start")
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if process.environ().get("PREFECT__FLOW_RUN_ID") == str(run.id):
                    os.kill(process.pid, signal.SIGKILL)
        (reason,) = until(lambda: told("monitor-loans"), "nobody was told of the crash")
    assert "ended as Crashed" in reason


def test_a_use_case_of_ones_own_comes_and_goes(served, prefect, tmp_path, monkeypatch):
    """Written down, it has deployments; changed, they follow; without its file they pause, and nothing is deleted.

    By what `slipway up` and every command on a use case call.
    """
    from console.deployments import register

    def registered():
        said = []
        register(said.append)
        return said

    folder = shutil.copytree(PROJECT / "configs", tmp_path / "configs", ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    monkeypatch.setenv("SLIPWAY_USE_CASES", str(folder))
    monkeypatch.setenv("PREFECT_API_URL", f"{service_address('prefect')}/api")
    yaml, mine = YAML(), folder / "mine.yaml"
    content = yaml.load((folder / "loans.yaml").read_text())
    content |= {"name": "mine", "time_zone": "Europe/Berlin"}
    yaml.dump(content, mine)
    (folder / "broken.yaml").write_text("name: broken\n")
    broken, told = registered()
    assert broken.startswith("The deployments of broken stay as they are: ")
    assert told == "Registering the deployments of flights, loans, mine", "a run has to know where each is written down"
    assert paused(prefect, "mine") == {True}
    (schedule,) = prefect.read_deployment_by_name("monitor/mine").schedules
    assert schedule.schedule.timezone == "Europe/Berlin"

    content["monitoring"]["schedule"] = None
    yaml.dump(content, mine)
    assert registered()[1:] == ["Registering the deployments of mine"]
    assert prefect.read_deployment_by_name("monitor/mine").schedules == []
    assert registered()[1:] == []

    mine.unlink()
    (told,) = registered()[1:]
    assert told.startswith("mine is no longer watched: its file is gone")
    assert (paused(prefect, "mine"), triggers_on(prefect, "mine")) == ({True}, {False})
    assert registered()[1:] == []
    assert paused(prefect, "loans") == {False}


def test_retired_and_released_again(served, prefect):
    """Near the end, because the release that the other tests know goes down."""
    from tasks.history import read_history
    from tasks.routing.gateway import address

    assert "next 20" in served.run("status") or "no schedule" in served.run("status")
    log, entries = use_case_home("loans") / "predictions", len(read_history("loans"))
    output = served.run("retire", "loans", "--yes", "--reason", "nobody asks any more")
    assert "Kept: prediction log, keys and history in" in output
    assert httpx.get(f"{address('loans')}/readyz", timeout=5).status_code == 404
    assert paused(prefect, "loans") == set()
    assert list(log.iterdir())
    assert len(read_history("loans")) == entries + 1
    status = served.run("status")
    assert "retired" in status
    assert "nobody asks any more" in status
    up = served.run("up")
    assert "serves again" not in up
    assert paused(prefect, "loans") == set()
    assert "is retired; 'slipway release loans' brings it back" in served.run("retire", "loans", "--yes", status=2)
    assert "so there is nothing to roll back" in served.run("rollback", "loans", status=2)

    served.run("release", "loans")
    assert httpx.get(f"{address('loans')}/readyz", timeout=5).status_code == 200
    assert (paused(prefect, "loans"), triggers_on(prefect, "loans")) == ({False}, {True})
