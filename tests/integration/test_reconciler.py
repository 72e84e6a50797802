"""The reconciler on real servers: dying replicas, releases that must not serve, killed flows, secrets. After `test_loop`,
whose windows its load would fill."""

import os
import signal
import time

import psutil
import pytest

from configs.errors import InputError
from configs.load import load_use_case
from configs.schema import Direction, Resources
from tests.integration.replicas import comes_back, gets_requests, kill
from tests.integration.server import Load, read_until

CANARY = "canary-that-nobody-may-see"


def with_deploy(**changes):
    case = load_use_case("loans")
    return case.model_copy(update={"deploy": case.deploy.model_copy(update=changes)})


def rolled_out(served, case):
    """Deploy the champion as the use case says."""
    from flows.chain import roll_out
    from tasks.registry.versions import the_champion

    return served.in_flow(lambda: roll_out(case, the_champion("loans"), "a test"))


def the_release():
    from tasks.deploying.reconcile import releases

    (release,) = releases("loans")
    return release


def test_a_killed_replica_is_not_noticed_and_secrets_are_seen_nowhere(served, monkeypatch):
    """Two replicas with limits, one killed under load; then the only one; then back to what the use case says."""
    from tasks.containers.engine import engine
    from tasks.routing.gateway import address

    monkeypatch.setenv("SLIPWAY_LOG_PEPPER", CANARY)
    client, _ = engine()
    limits = Resources(cpus=1.5, memory="512 MiB") if client else Resources()
    release = rolled_out(served, with_deploy(replicas=2, resources=limits))
    assert len(release.addresses) == 2
    if client:
        container = client.containers.get(release.replicas[0].handle)
        host = container.attrs["HostConfig"]
        assert (host["NanoCpus"], host["Memory"], host["MemorySwap"]) == (1_500_000_000, 512 * 2**20, 512 * 2**20)
        assert host["NetworkMode"].startswith("slipway-")
        assert CANARY not in str(client.api.history(container.attrs["Image"])) + str(container.attrs["Args"])
        assert CANARY not in str(container.labels)
    told = served.run("plan", "loans")
    assert "start" in told
    assert "stop" in told
    with Load(address("loans"), served.record) as load:
        for number in (0, 1):
            kill(release, number)
            comes_back(release.replicas[number].address)
            gets_requests(release.replicas[number].address)
    assert load.lost == [], f"{len(load.lost)} lost of {len(load.answers)}: {load.lost[:3]}"

    seen = [path for path in served.folder.rglob("*") if path.is_file() and CANARY.encode() in path.read_bytes()]
    assert seen == []
    assert not any(CANARY in " ".join(process.info["cmdline"] or []) for process in psutil.process_iter(["cmdline"]))

    monkeypatch.delenv("SLIPWAY_LOG_PEPPER")
    served.run("deploy", "loans")
    assert "Nothing to change" in served.run("plan", "loans")
    lone = the_release()
    with Load(address("loans"), served.record) as load:
        kill(lone, 0)
        comes_back(lone.replicas[0].address)
    assert load.lost == [], f"{len(load.lost)} lost of {len(load.answers)}: {load.lost[:3]}"


def test_a_release_that_fails_a_gate_gets_no_traffic(served):
    """The gate is wrong here, and the model right; what counts is that nothing changes, and that it is told and kept."""
    from configs.settings import use_case_home
    from tasks.gates.checks import GateClosed
    from tasks.history import read_history
    from tasks.registry.versions import champion, registry
    from tasks.routing.gateway import address, routed

    wrong = Direction(test="direction", add={"obrat": 10}, probability="never falls", because="debt helps")
    case = load_use_case("loans")
    case = case.model_copy(update={"gates": case.gates.model_copy(update={"behaviour": [wrong]})})
    before, servers = the_release(), routed("loans")
    with Load(address("loans"), served.record) as load, pytest.raises(GateClosed, match="debt helps: obrat"):
        rolled_out(served, case)
    assert load.lost == []
    assert set(load.answers) == {before.name}
    assert (the_release(), routed("loans")) == (before, servers)
    assert not (use_case_home("loans") / "rehearsal").exists()
    entry = read_history("loans", "gate")[-1]
    assert (entry["passed"], "debt helps" in entry["reason"]) == (False, True)
    tags = registry().get_model_version("loans", champion("loans").version).tags
    assert "1 of 7 checks failed" in tags["gate.behaviour"]


@pytest.mark.parametrize("moment", ["'load_gate-\\w+' - Gate load", "bring_up(?s:.)*bring_up-\\w+' - Finished"])
def test_a_flow_killed_in_a_deploy_leaves_traffic_alone_and_is_finished_by_the_next(served, moment):
    from configs.settings import use_case_home
    from tasks.routing.gateway import address

    (use_case_home("loans") / "gates").rename(served.folder / f"gates-{time.time_ns()}")
    before = the_release()
    with Load(address("loans"), served.record) as load:
        process = served.command("deploy", "loans")
        read_until(process, moment)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        served.run("deploy", "loans")
    assert load.lost == []
    assert the_release().name == before.name
    assert "Nothing to change" in served.run("plan", "loans")


def test_a_gpu_that_is_not_there_is_told(served):
    from tasks.containers.engine import engine

    client, why = engine()
    if client is None:
        pytest.skip(f"no Docker Engine answers ({why})")
    if "nvidia" in client.info().get("Runtimes", {}):
        pytest.skip("this engine has a GPU")
    with pytest.raises(InputError, match=r"deploy\.resources\.gpus is 1, but this Docker Engine knows no GPU"):
        rolled_out(served, with_deploy(resources=Resources(gpus=1)))


def test_a_secret_in_a_prefect_block(served):
    from prefect.blocks.system import Secret
    from prefect.settings import PREFECT_API_URL, temporary_settings

    from configs.secrets import secret
    from configs.settings import service_address

    api = f"{service_address('prefect')}/api"
    with temporary_settings({PREFECT_API_URL: api}), pytest.MonkeyPatch.context() as patch:
        patch.setenv("PREFECT_API_URL", api)
        Secret(value="in a block").save("slipway-test-secret")
        assert secret("SLIPWAY_TEST_SECRET") == "in a block"
        assert secret("SLIPWAY_OTHER_SECRET") is None
