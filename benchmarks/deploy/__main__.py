"""`python -m benchmarks.deploy [images|first|switches|kills|steps]... [--platform local|docker]`: under constant traffic.

images: their size beside the peers' packages (where `benchmarks.serving install` put them), and their start. first: seconds
from a trained model to the first served request. switches: deploys in a row between two versions. kills: `kill -9` of one of
two replicas, and of the only one. steps: `kill -9` of the deploying command at each step, and the same command again.
Without a platform, both; Docker needs an engine.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
from rich.console import Console
from rich.table import Table

from benchmarks.deploy.images import images

SLIPWAY = str(Path(sys.executable).parent / "slipway")
NO_ENGINE = "unix:///nowhere/docker.sock"
SWITCHES = {"local": 50, "docker": 20}
KILLS, STEADY_SECONDS = 20, 11.0
# What the command prints when a step is done; the first `bring_up` and `contract_gate` are the rehearsal's.
STEPS = ("containerize", "plan", "bring_up", "contract_gate", "integration_gate", "behaviour_gate", "load_gate", "bring_up",
         "contract_gate", "switch")  # fmt: skip


def main() -> int:
    """Run what is asked for, each platform in a home of its own."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.deploy", description=__doc__)
    parser.add_argument("measures", nargs="*", metavar="MEASURE")
    parser.add_argument("--platform", choices=["local", "docker"])
    given = parser.parse_args()
    if unknown := set(given.measures) - set(MEASURES):
        parser.error(f"unknown: {', '.join(unknown)}; known: {', '.join(MEASURES)}")
    for platform in [given.platform] if given.platform else ["local", "docker"]:
        table = Table(title=f"platform {platform}: loans, 200 requests a second", title_justify="left")
        for column in ("what", "times", "requests", "failed", "p50 ms", "p99 ms", "max ms"):
            table.add_column(column)
        with home(platform):
            for name in given.measures or MEASURES:
                for row in MEASURES[name](platform):
                    print(f"platform {platform}:", *row, flush=True)
                    table.add_row(*row)
        Console(width=120).print(table)
    return 0


@contextlib.contextmanager
def home(platform: str) -> Iterator[None]:
    """A home with two versions of `loans`, the second one serving."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["SLIPWAY_HOME"] = folder
        if platform == "local":
            os.environ["DOCKER_HOST"] = NO_ENGINE
        else:
            os.environ.pop("DOCKER_HOST", None)
        try:
            slipway("up")
            slipway("release", "loans")
            in_flow(second_version)
            yield
        finally:
            slipway("down")


def slipway(*words: str) -> str:
    """Run a command to its end."""
    done = subprocess.run([SLIPWAY, *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    assert done.returncode == 0, done.stdout
    return done.stdout


def in_flow(body: object, **parameters: object) -> object:
    """Run a function as a flow of this process, on the home's Prefect server."""
    from prefect import flow
    from prefect.settings import PREFECT_API_URL, PREFECT_LOCAL_STORAGE_PATH, temporary_settings

    from configs.settings import home, service_address

    storage = {PREFECT_API_URL: f"{service_address('prefect')}/api", PREFECT_LOCAL_STORAGE_PATH: home() / "results"}
    with temporary_settings(storage):
        return flow(body, name="benchmark")(**parameters)  # type: ignore[call-overload]


def second_version() -> None:
    """The same use case with another seed, released."""
    from configs.load import load_use_case
    from flows.chain import build, roll_out

    case = load_use_case("loans")
    other = case.model_copy(update={"model": case.model.model_copy(update={"seed": 1})})
    roll_out(case, build(other, None).version, "a benchmark")


def deploys(count: int, replicas: int) -> None:
    """Deploy version 1, 2, 1, ..."""
    from configs.load import load_use_case
    from flows.chain import roll_out
    from tasks.registry.versions import get_version

    case = load_use_case("loans")
    case = case.model_copy(update={"deploy": case.deploy.model_copy(update={"replicas": replicas})})
    for number in range(count):
        roll_out(case, get_version("loans", str(number % 2 + 1)), "a benchmark")


def first(platform: str) -> list[list[str]]:
    """From a trained, registered version to its first answer through the gateway: image, gates, start, switch."""
    for what, gates in (("with all gates", True), ("without gates.load", False)):
        seconds = [in_flow(first_answer, seed=seed + 10 * gates, gates=gates) for seed in (10, 11, 12)]
        told = f"{statistics.median(seconds):.1f} s, {min(seconds):.1f} to {max(seconds):.1f}"
        print(f"platform {platform}: trained model to first served request, {what}: {told}")
    return []


def first_answer(seed: int, gates: bool) -> float:
    """A new version, and how long it takes to answer."""
    from benchmarks.deploy.traffic import Traffic
    from configs.load import load_use_case
    from configs.schema import Gates
    from flows.chain import build, roll_out
    from tasks.routing import gateway

    case = load_use_case("loans")
    case = case.model_copy(update={"model": case.model.model_copy(update={"seed": seed})})
    if not gates:
        case = case.model_copy(update={"gates": Gates(behaviour=case.gates.behaviour)})
    version, body = build(case, None).version, Traffic("loans").plan["bodies"][0]
    began = time.monotonic()
    release = roll_out(case, version, "a benchmark")
    answer = httpx.post(f"{gateway.address('loans')}/predict", json=body, timeout=10).raise_for_status()
    assert answer.headers["x-slipway-release"] == release.name
    return time.monotonic() - began


def switches(platform: str) -> list[list[str]]:
    """Deploys in a row."""
    from benchmarks.deploy.traffic import Traffic

    count = SWITCHES[platform]
    with Traffic("loans") as traffic:
        in_flow(deploys, count=count, replicas=1)
    return [traffic.row("deploys in a row", count)]


def kills(platform: str) -> list[list[str]]:
    """`kill -9` of one of two replicas, all of its processes, and of the only one."""
    from benchmarks.deploy.traffic import Traffic

    rows = []
    for replicas, count in ((2, KILLS), (1, KILLS // 4)):
        in_flow(deploys, count=2, replicas=replicas)
        with Traffic("loans") as traffic:
            for number in range(count):
                kill_replica(number % replicas)
                time.sleep(STEADY_SECONDS / replicas)  # a server that dies sooner again is started later and later
        rows.append(traffic.row(f"kill -9 of one of {replicas}" if replicas > 1 else "kill -9 of the only replica", count))
    return rows


def kill_replica(number: int) -> None:
    """SIGKILL to every process of a replica; returns when it answers again."""
    import psutil

    from tasks.deploying.reconcile import releases

    (release,) = releases("loans")
    replica = release.replicas[number]
    process = psutil.Process(_pid(release.platform, release.name, number, replica.handle))
    for each in [process, *process.children(recursive=True)]:
        each.kill()
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        time.sleep(0.1)
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(f"{replica.address}/readyz", timeout=2).status_code == 200:
                return
    raise AssertionError(f"replica {number} did not come back")


def _pid(platform: str, release: str, number: int, handle: str) -> int:
    if platform == "docker":
        from tasks.containers.engine import engine

        return int(engine()[0].containers.get(handle).attrs["State"]["Pid"])
    import json

    from configs.settings import use_case_home

    path = use_case_home("loans") / "releases" / release / "status.json"
    return int(json.loads(path.read_text())[number]["process"][0])


def steps(platform: str) -> list[list[str]]:
    """The deploying command is killed when each step has just ended, and run again."""
    from benchmarks.deploy.traffic import Traffic

    rows, version = [], 2
    for killed_after in range(len(STEPS)):
        version = 3 - version
        forget_gates()
        with Traffic("loans") as traffic:
            kill_after(killed_after, "deploy", "loans", "--version", str(version))
            assert f"loans version {version} serves" in slipway("deploy", "loans", "--version", str(version))
        assert "Nothing to change" in slipway("plan", "loans")
        rows.append(traffic.row(f"flow killed after {STEPS[killed_after]}", 1))
    return rows


def kill_after(number: int, *words: str) -> None:
    """SIGKILL to the command when it has told of the end of so many steps."""
    process = subprocess.Popen(
        [SLIPWAY, *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )
    waiting = list(STEPS[: number + 1])
    assert process.stdout
    for line in process.stdout:
        if re.search(rf"'{waiting[0]}-\w+' - Finished", line):
            waiting.pop(0)
        if not waiting:
            break
    assert not waiting, f"ended before {waiting[0]}"
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def forget_gates() -> None:
    """So that a version is rehearsed again."""
    from configs.settings import use_case_home

    shutil.rmtree(use_case_home("loans") / "gates", ignore_errors=True)


MEASURES = {"images": images, "first": first, "switches": switches, "kills": kills, "steps": steps}

if __name__ == "__main__":
    sys.exit(main())
