"""What `slipway up` starts: Prefect server and worker, MLflow, Traefik, and the files of the reports.

Each service is a process of its own that outlives the command; `services.json` in the home keeps its port, process id and
start time, so that a stale id is never believed. Everything listens on the loopback interface.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil

from configs.errors import InputError
from configs.files import write_atomically
from configs.settings import PROJECT, TELEMETRY_OFF, home, made, read_services
from configs.tls import gateway_tls, remember_tls
from tasks.targets.ports import free_port, is_free
from tasks.traffic import refresh, routes_file
from tasks.workspace import workspace

BIN = Path(sys.executable).parent
POOL = "slipway"
START_SECONDS = 120
STOP_SECONDS = 20
MIN_FREE_BYTES = 500 * 2**20


@dataclass(frozen=True)
class Service:
    """One process: how to start it on a port, and the path that answers 200 when it is ready (none: no port)."""

    name: str
    title: str
    command: Callable[[int], list[str]]
    ready: str = ""
    preferred: int = 0
    environment: dict[str, str] = field(default_factory=dict)


def services() -> list[Service]:
    """All services, in the order they are started."""
    state, python = home(), sys.executable
    mlflow = made(state / "mlflow")
    tls = gateway_tls()
    secure = [f"--entryPoints.websecure.address={tls.address}", "--entryPoints.websecure.http.tls=true"] if tls else []
    return [
        Service(
            "prefect",
            "Prefect UI",
            lambda port: [f"{BIN}/prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)],
            "/api/health",
            4200,
        ),
        Service(
            "mlflow",
            "MLflow UI",
            lambda port: [
                *(f"{BIN}/mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"),
                *(
                    "--backend-store-uri",
                    f"sqlite:///{mlflow}/mlflow.db",
                    "--artifacts-destination",
                    f"{mlflow}/artifacts",
                ),
            ],
            "/health",
            5000,
            {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},  # its job runners take 1 GB and have nothing to do here
        ),
        Service(
            "gateway",
            "API",
            lambda port: [
                f"{BIN}/traefik",
                f"--entryPoints.web.address=127.0.0.1:{port}",
                *secure,
                f"--providers.file.filename={routes_file()}",
                "--providers.file.watch=true",
                "--providers.providersThrottleDuration=100ms",
                "--ping=true",
                "--ping.entryPoint=web",
                "--log.level=WARN",
                "--log.noColor=true",
                "--global.checkNewVersion=false",
                "--global.sendAnonymousUsage=false",
            ],
            "/ping",
            8080,
        ),
        Service(
            "reports",
            "Reports",
            lambda port: [
                *(python, "-m", "http.server", str(port), "--bind", "127.0.0.1"),
                *("--directory", str(made(state / "reports"))),
            ],
            "/",
            8081,
        ),
    ]


def worker() -> Service:
    """The Prefect worker; it is started once the server answers."""
    return Service(
        "worker",
        "Prefect worker",
        lambda _: [f"{BIN}/prefect", "worker", "start", "--pool", POOL, "--type", "process", "--name", POOL],
        environment={
            "PREFECT_WORKER_QUERY_SECONDS": "1",
            "PREFECT_WORKER_PREFETCH_SECONDS": "1",
            "PREFECT_LOGGING_TO_API_BATCH_INTERVAL": "0.5",
        },
    )


def evidently() -> Service:
    """Evidently's UI over the history of all windows; `slipway ui` starts it, since it takes 300 MB."""
    return Service(
        "evidently",
        "Evidently UI",
        lambda port: [
            *(f"{BIN}/evidently", "ui", "--host", "127.0.0.1", "--port", str(port)),
            *("--workspace", str(workspace())),
        ],
        "/api/version",
        8000,
    )


def environment() -> dict[str, str]:
    """What every process of this home needs to know; also set in the command line's own process."""
    found = {**TELEMETRY_OFF, "SLIPWAY_HOME": str(home()), "PREFECT_HOME": str(made(home() / "prefect"))}
    running = read_services()
    if "prefect" in running:
        found["PREFECT_API_URL"] = f"http://127.0.0.1:{running['prefect']['port']}/api"
    return found


def up(say: Callable[[str], None]) -> None:
    """Start what is not running, and register the deployments of `prefect.yaml`. Twice changes nothing.

    Raises:
        InputError: a port that was asked for is taken, the disk is full, or a service does not start; then what this call
            started is stopped again.
    """
    require_disk()
    made(home() / "logs")
    missing = [service for service in services() if not is_up(service.name)]
    ports = {service.name: _port(service) for service in missing}
    if "gateway" in ports:  # one that runs keeps what it was started with
        remember_tls(gateway_tls())
        for told in refresh():
            say(f"Left out: {told}")
    if missing:
        say(f"Starting {', '.join(service.title for service in missing)} in {home()}")
    started: list[str] = []
    try:
        for service in missing:
            _start(service, ports[service.name])
            started.append(service.name)
        for service in missing:
            _wait(service)
        os.environ.update(environment())
        if not is_up("worker"):
            _end_orphans(say)
            _start(worker(), 0)
            started.append("worker")
        _deploy(say)
    except BaseException:
        _stop(started)
        raise


def up_evidently(say: Callable[[str], None]) -> None:
    """Start Evidently's UI beside the others, where it does not run yet."""
    service = evidently()
    if not is_up(service.name):
        say(f"Starting {service.title}")
        _start(service, _port(service))
        _wait(service)


def require_disk() -> None:
    """Refuse to begin what a full disk would break in the middle."""
    free = shutil.disk_usage(made(home())).free
    if free < MIN_FREE_BYTES:
        need, left = MIN_FREE_BYTES // 2**20, free // 2**20
        raise InputError(f"only {left} MiB are free on the disk of {home()}; at least {need} MiB are needed")


def down(say: Callable[[str], None]) -> None:
    """Stop every service of this home: the worker first, which tells Prefect of its runs, then the others at once."""
    for names in (["worker"], ["evidently", "gateway", "reports", "mlflow", "prefect"]):
        if running := [name for name in names if is_up(name)]:
            say(f"Stopping {', '.join(running)}")
            _stop(running)
    known = read_services()
    _write({name: {"port": entry["port"]} for name, entry in known.items() if name != "worker"})


def is_up(name: str) -> bool:
    """Whether the very process that was started runs."""
    return _process(name) is not None


def _process(name: str) -> psutil.Process | None:
    entry = read_services().get(name, {})
    if "pid" not in entry:
        return None
    try:
        process = psutil.Process(entry["pid"])
        same = process.create_time() == entry["started"] and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return None
    return process if same else None


def _start(service: Service, port: int) -> None:
    own = {**os.environ, **environment(), **service.environment}
    if service.name == "prefect":
        own["PREFECT_API_URL"] = f"http://127.0.0.1:{port}/api"
    with open(home() / "logs" / f"{service.name}.log", "ab") as log:
        process = subprocess.Popen(
            service.command(port), cwd=PROJECT, env=own, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            start_new_session=True,
        )  # fmt: skip
    known = read_services()
    known[service.name] = {"port": port, "pid": process.pid, "started": psutil.Process(process.pid).create_time()}
    _write(known)


def _port(service: Service) -> int:
    """The port asked for, else the one of last time, else the usual one, else any free one."""
    variable = f"SLIPWAY_{service.name.upper()}_PORT"
    if asked := os.environ.get(variable):
        if not asked.isdigit() or not is_free(int(asked)):
            raise InputError(f"{variable}={asked}: this port is taken or not a port; choose another, or unset it")
        return int(asked)
    last = read_services().get(service.name, {}).get("port", 0)
    return next((port for port in (last, service.preferred) if port and is_free(port)), None) or free_port()


def _wait(service: Service) -> None:
    entry = read_services()[service.name]
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and is_up(service.name):
        try:
            if httpx.get(f"http://127.0.0.1:{entry['port']}{service.ready}", timeout=2).status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise InputError(f"{service.title} did not start; see {home() / 'logs' / f'{service.name}.log'}")


def _stop(names: list[str]) -> None:
    """SIGTERM to the processes, then SIGKILL to them and whatever they started that is still there."""
    processes = [process for name in names if (process := _process(name))]
    family = [each for process in processes for each in [*process.children(recursive=True), process]]
    for process in processes:
        process.terminate()
    _, left = psutil.wait_procs(family, timeout=STOP_SECONDS)
    for survivor in left:
        survivor.kill()


def _end_orphans(say: Callable[[str], None]) -> None:
    """Tell Prefect that the runs of a worker that is gone are gone too, or they would hold their deployment's only slot."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import (
        FlowRunFilter,
        FlowRunFilterState,
        FlowRunFilterStateType,
        WorkPoolFilter,
        WorkPoolFilterName,
    )
    from prefect.client.schemas.objects import StateType
    from prefect.states import Crashed

    unfinished = FlowRunFilterStateType(any_=[StateType.RUNNING, StateType.PENDING, StateType.CANCELLING])
    with get_client(sync_client=True) as client:
        orphans = client.read_flow_runs(
            flow_run_filter=FlowRunFilter(state=FlowRunFilterState(type=unfinished)),
            work_pool_filter=WorkPoolFilter(name=WorkPoolFilterName(any_=[POOL])),
        )
        for run in orphans:
            client.set_flow_run_state(run.id, Crashed(message="Its worker was stopped; run it again to go on from here"))
            say(f"Flow run {run.name} was stopped with its worker")


def _deploy(say: Callable[[str], None]) -> None:
    """Register the deployments, unless this server has just these already."""
    from tasks.step import code_version

    text = (PROJECT / "prefect.yaml").read_text()
    mark, wanted = home() / "prefect" / "deployed", f"{code_version()}\n{PROJECT}\n{text}"
    if mark.exists() and mark.read_text() == wanted:
        return
    say("Registering the deployments of prefect.yaml")
    command = [f"{BIN}/prefect", "--no-prompt", "deploy", "--all"]
    pool = [f"{BIN}/prefect", "--no-prompt", "work-pool", "create", POOL, "--type", "process", "--overwrite"]
    for words in (pool, command):
        done = subprocess.run(words, cwd=PROJECT, env={**os.environ}, capture_output=True, text=True, check=False)
        if done.returncode:
            raise InputError(f"{' '.join(words[1:])} failed: {(done.stderr or done.stdout).strip()[-2000:]}")
    write_atomically(mark, wanted.encode())


def _write(known: dict[str, dict[str, float]]) -> None:
    write_atomically(home() / "services.json", json.dumps(known, indent=1).encode())
