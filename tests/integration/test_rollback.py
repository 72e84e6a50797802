"""A rollback is an emergency: it goes through while a run holds the use case, and while MLflow and Prefect are dead.

After `test_loop` and `test_reconciler`: both leave one version or another of `loans` behind the gateway.
"""

import contextlib
import os
import signal
import time

import httpx
import psutil
import pytest

from configs.load import load_use_case
from tests.integration.replicas import comes_back, kill
from tests.integration.server import Load


def serving():
    from tasks.routing.served import serving

    return serving("loans").version.version


@pytest.fixture
def two_versions(served):
    """The home, and two versions that have both served: the second took over from the first."""
    from configs.settings import use_case_home
    from flows.chain import build, roll_out

    def prepare():
        case = load_use_case("loans")
        other = case.model_copy(update={"model": case.model.model_copy(update={"seed": 1})})
        versions = [build(each, None).version for each in (case, other)]
        for version in versions:
            (use_case_home("loans") / "served" / f"{version.version}.json").unlink(missing_ok=True)
            roll_out(case, version, "a test")
        return [version.version for version in versions]

    first, second = served.in_flow(prepare)
    assert serving() == second
    return served, first, second


def rolled_back(served):
    told = served.run("rollback", "loans", "--reason", "it denies everybody")
    assert "it denies everybody" in told
    return told


def alias():
    from tasks.registry.versions import registry

    return registry().get_registered_model("loans").aliases["champion"]


@contextlib.contextmanager
def held(served, moment, *words):
    """A command, stopped right behind the line of its log that has these words; it goes on with `go_on`, or ends here."""
    process, told = served.command(*words), ""
    for line in process.stdout:
        told += line
        if moment in line:
            break
    assert process.poll() is None, told
    os.killpg(process.pid, signal.SIGSTOP)
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def go_on(process):
    os.killpg(process.pid, signal.SIGCONT)
    return process.communicate(timeout=300)[0]


@pytest.mark.parametrize(
    ("moment", "words"),
    [("Gate contract", ("deploy", "loans", "--version", "{second}")), ("derive_contract", ("release", "loans"))],
)
def test_a_rollback_waits_for_no_run_and_what_was_running_is_fenced(two_versions, moment, words):
    """A deploy stopped in its rehearsal, and a release stopped before it trained: neither switches back afterwards."""
    from configs.settings import use_case_home
    from tasks.routing.gateway import address

    served, first, second = two_versions
    load = Load(address("loans"), served.record)
    (use_case_home("loans") / "gates").rename(served.folder / f"gates-{time.time_ns()}")  # so that gates are gone through
    with held(served, moment, *[word.format(second=second) for word in words]) as process, load:
        told = rolled_back(served)
        assert f"loans version {first} serves: it denies everybody" in told
        rest = go_on(process)
    assert load.lost == [], f"{len(load.lost)} lost of {len(load.answers)}: {load.lost[:3]}"
    assert process.returncode == 1, rest
    assert "loans was rolled back after this run began (it denies everybody" in rest
    assert "'slipway deploy loans --version N'" in rest
    assert serving() == first
    assert httpx.get(f"{address('loans')}/readyz", timeout=5).json()["version"] == first
    assert alias() == first


def test_a_rollback_needs_neither_mlflow_nor_prefect(two_versions):
    from configs.settings import read_services
    from tasks.routing.gateway import address

    served, first, _ = two_versions
    with Load(address("loans"), served.record) as load, dead(read_services(), "mlflow", "prefect"):
        told = rolled_back(served)
    assert load.lost == [], f"{len(load.lost)} lost of {len(load.answers)}: {load.lost[:3]}"
    assert f"loans version {first} serves: it denies everybody" in told
    served.run("up")
    assert "it denies everybody" in served.run("status")
    from tasks.registry.versions import the_champion

    assert the_champion("loans").version == first
    assert alias() == first


def test_a_halt_needs_neither_and_outlives_a_dead_server_and_a_deploy(two_versions):
    from configs.settings import read_services
    from tasks.routing.gateway import address
    from tasks.routing.served import serving as served_now

    served, first, _ = two_versions

    def asked():
        answer = httpx.post(f"{address('loans')}/predict", json={"records": [served.record]}, timeout=30)
        return answer.status_code, answer.text

    assert asked()[0] == 200
    with dead(read_services(), "mlflow", "prefect"):
        told = served.run("halt", "loans", "--reason", "it denies everybody")
        assert "loans is halted: every request is refused (503)" in told
        status, text = asked()
        assert (status, "a person has halted this model: it denies everybody" in text) == (503, True)
    served.run("up")
    release = served_now("loans").release
    kill(release, 0)
    comes_back(release.replicas[0].address)
    assert asked()[0] == 503
    assert "halted" in served.run("status")
    served.told("deploy", "loans", "--version", first, status=0)
    assert serving() == first
    assert asked()[0] == 503
    served.told("halt", "loans", "--lift", "--reason", "the version before is back", status=0)
    assert asked()[0] == 200
    assert "is not halted" in served.told("halt", "loans", "--lift", "--reason", "again")


@contextlib.contextmanager
def dead(services, *names):
    """Killed, and killed again whenever something starts them, until the block ends."""
    import threading

    over = threading.Event()

    def kill():
        ports = {services[name]["port"] for name in names}
        while not over.wait(0.2):
            for connection in psutil.net_connections("tcp"):
                if connection.status == "LISTEN" and connection.laddr.port in ports and connection.pid:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(connection.pid, signal.SIGKILL)

    thread = threading.Thread(target=kill)
    thread.start()
    time.sleep(1)
    try:
        yield
    finally:
        over.set()
        thread.join()
