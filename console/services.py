"""What `slipway up` starts: Prefect server and worker, MLflow, Traefik, and the files of the reports.

Each service is a process of its own that outlives the command, kept running by the supervisor that also keeps local
releases (`tasks/deploying/platforms/supervisor.py`); `services.json` in the home keeps its port. Everything listens on the
loopback interface.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import certifi
import httpx
import psutil

from configs.errors import InputError
from configs.files import locked, write_atomically
from configs.settings import TELEMETRY_OFF, home, made, pool, read_services
from configs.tls import gateway_tls, remember_tls
from tasks.deploying.platforms.ports import free_port, is_free
from tasks.deploying.platforms.supervision import end, listed, supervise, supervisor_of
from tasks.deploying.platforms.supervisor import STOP_SECONDS, Known, process_of, read_status, stop
from tasks.monitoring.workspace import workspace
from tasks.routing.traffic import refresh, routes_file

BIN = Path(sys.executable).parent
START_SECONDS = 120
START_TRIES = 4
MIN_FREE_BYTES = 500 * 2**20
LISTEN = psutil.CONN_LISTEN


class _PortLost(Exception):
    """Somebody else listens on a port that was free a moment ago: a home that started at the same moment."""


@dataclass(frozen=True)
class Service:
    """One process: how to start it on a port, and the path that answers 200 when it is ready (none: no port).

    `outlived`: what it started goes on without it.
    """

    name: str
    title: str
    command: Callable[[int], list[str]]
    ready: str = ""
    preferred: int = 0
    environment: dict[str, str] = field(default_factory=dict)
    outlived: bool = False


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
            lambda port: [python, "-m", "console.prefect_server", str(port)],
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
        Service("web", "Review", lambda port: [python, "-m", "console.web", str(port)], "/ready", 8082),
    ]


def worker() -> Service:
    """The Prefect worker; it waits for the server itself (`console/worker.py`)."""
    return Service(
        "worker",
        "Prefect worker",
        lambda _: [sys.executable, "-m", "console.worker", pool()],
        environment={
            "PREFECT_WORKER_QUERY_SECONDS": "1",
            "PREFECT_WORKER_PREFETCH_SECONDS": "1",
            "PREFECT_LOGGING_TO_API_BATCH_INTERVAL": "0.5",
        },
        outlived=True,  # flow runs end by themselves, and tell Prefect so
    )


def guard() -> Service:
    """What takes a broken challenger back within seconds (`console/guard.py`); it waits for nothing and has no port."""
    return Service("guard", "Guard of rollouts", lambda _: [sys.executable, "-m", "console.guard"])


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
    """What every process of this home needs to know; also set in the command line's own process. Writes nothing."""
    found = {**TELEMETRY_OFF, "SLIPWAY_HOME": str(home()), "PREFECT_HOME": str(home() / "prefect")}
    running = read_services()
    if "prefect" in running:
        found["PREFECT_API_URL"] = f"http://127.0.0.1:{running['prefect']['port']}/api"
        if _authority().exists():
            found["PREFECT_API_SSL_CERT_FILE"] = str(_authority())
    return found


def _authority() -> Path:
    """One certificate authority, where Prefect's clients look for all of them.

    The home's server speaks plain HTTP, and yet each client reads the whole list, for 45 ms; a run makes dozens of clients.
    """
    return home() / "prefect" / "authority.pem"


def _keep_authority() -> None:
    listed_there = Path(certifi.where()).read_text(encoding="ascii", errors="ignore")
    end = "-----END CERTIFICATE-----\n"
    first, _, _ = listed_there.partition(end)
    made(_authority().parent)
    write_atomically(_authority(), (first[first.index("-----BEGIN") :] + end).encode())


def up(say: Callable[[str], None]) -> list[str]:
    """Start what is not running, and register the deployments of every use case. Twice changes nothing.

    Returns:
        The names of the services that were started.

    Raises:
        InputError: a port that was asked for is taken, the disk is full, or a service does not start; then what this call
            started is stopped again.
    """
    require_disk()
    with locked(home() / "services.lock"):
        _end_unsupervised(say)
        started = _start([*services(), worker(), guard()], say)
        os.environ.update(environment())
        try:
            from console.deployments import register

            register(say)
        except BaseException:
            _stop(started)
            raise
    return started


def up_evidently(say: Callable[[str], None]) -> None:
    """Start Evidently's UI beside the others, where it does not run yet."""
    with locked(home() / "services.lock"):
        _start([evidently()], say)


def require_disk() -> None:
    """Refuse to begin what a full disk would break in the middle."""
    free = shutil.disk_usage(made(home())).free
    if free < MIN_FREE_BYTES:
        need, left = MIN_FREE_BYTES // 2**20, free // 2**20
        raise InputError(f"only {left} MiB are free on the disk of {home()}; at least {need} MiB are needed")


def down(say: Callable[[str], None], names: Collection[str] | None = None) -> None:
    """Stop services of this home, all if none is named: the worker first, which tells Prefect of its runs."""
    with locked(made(home()) / "services.lock"):
        _end_unsupervised(say)
        there = [entry["name"] for entry in listed(_folder())]
        gone = [name for name in there if names is None or name in names]
        if gone:
            say(f"Stopping {', '.join(gone)}")
        _stop(gone)
        if names is None:  # also what two supervisors that were killed left behind
            end(_folder())


def supervised() -> bool:
    """Whether somebody watches the services of this home."""
    return supervisor_of(_folder()) is not None


def is_up(name: str) -> bool:
    """Whether the very process that was started runs."""
    return known(name).process is not None


def known(name: str) -> Known:
    """What the supervisor said last of a service."""
    return next((each for each in read_status(_folder()) if each.name == name), Known(None, 0, "", name))


def _start(wanted: list[Service], say: Callable[[str], None]) -> list[str]:
    """Hand the services that do not run to the supervisor, and wait until they answer; all or none of them."""
    if not listed(_folder()):  # what is left of a supervisor that was killed while it ended
        end(_folder())
    missing = [service for service in wanted if not is_up(service.name)]
    if not missing and supervised():
        return []
    names = [service.name for service in missing]
    ports = _ports(missing)
    if "prefect" in names:
        _keep_authority()
    if "gateway" in names:  # one that runs keeps what it was started with
        remember_tls(gateway_tls())
        for told in refresh():
            say(f"Left out: {told}")
    if missing:
        say(f"Starting {', '.join(service.title for service in missing)} in {home()}")
    try:
        try:
            _begin(missing, ports)
        except _PortLost as lost:
            say(str(lost))
            _stop(names)  # all once more, each on a port that is free now
            _begin(missing, _ports(missing))
    except BaseException:
        _stop(names)
        raise
    return names


def _begin(missing: list[Service], ports: dict[str, dict[str, int]]) -> None:
    _write(read_services() | ports)
    names = [service.name for service in missing]
    kept = [entry for entry in listed(_folder()) if entry["name"] not in names]
    before = {name: known(name).restarts for name in names}
    _supervise([*kept, *(_entry(service, ports.get(service.name, {}).get("port", 0)) for service in missing)])
    for service in missing:
        _wait(service, before[service.name])


def _entry(service: Service, port: int) -> dict[str, Any]:
    """What the supervisor is told of a service."""
    log = made(home() / "logs") / f"{service.name}.log"
    return {
        "name": service.name,
        "command": service.command(port),
        "output": str(log),
        "environment": {**environment(), **service.environment},
        "outlived": service.outlived,
    }


def _supervise(entries: list[dict[str, Any]]) -> None:
    supervise(_folder(), entries, made(home() / "logs") / "services.log", {**os.environ, **environment()})


def _stop(names: Collection[str]) -> None:
    """The worker before the others; the supervisor itself when nothing is left."""
    for gone in ([name for name in names if name == "worker"], names):
        left = [entry for entry in listed(_folder()) if entry["name"] not in gone]
        if len(left) == len(listed(_folder())):
            continue
        stopping = [process for name in gone if (process := known(name).process)]
        if left:
            _supervise(left)
            psutil.wait_procs(stopping, timeout=STOP_SECONDS + 5)
        else:
            end(_folder())


def _end_unsupervised(say: Callable[[str], None]) -> None:
    """Stop what an earlier version of Slipway started, which watched over nothing; ports are kept."""
    entries = read_services()
    old = [process for entry in entries.values() if (process := process_of(_identity(entry)))]
    if old:
        say("Stopping the services that an earlier version started")
        stop(old)
    if any("pid" in entry for entry in entries.values()):
        _write({name: {"port": entry["port"]} for name, entry in entries.items()})


def _identity(entry: dict[str, Any]) -> list[float] | None:
    return [entry["pid"], entry["started"]] if "pid" in entry else None


def _folder() -> Path:
    return made(home() / "services")


def _ports(wanted: list[Service]) -> dict[str, dict[str, int]]:
    return {service.name: {"port": _port(service)} for service in wanted if service.ready}


def _port(service: Service) -> int:
    """The port asked for, else the one of last time, else the usual one, else any free one."""
    variable = f"SLIPWAY_{service.name.upper()}_PORT"
    if asked := os.environ.get(variable):
        if not asked.isdigit() or not is_free(int(asked)):
            raise InputError(f"{variable}={asked}: this port is taken or not a port; choose another, or unset it")
        return int(asked)
    last = read_services().get(service.name, {}).get("port", 0)
    return next((port for port in (last, service.preferred) if port and is_free(port)), None) or free_port()


def _wait(service: Service, restarts: int) -> None:
    """Until it answers; one that ends again and again at its start will not."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        found = known(service.name)
        if found.process and (not service.ready or _answers(service, found.process)):
            return
        if found.restarts > restarts and service.ready and not found.process and not is_free(port := _port_of(service)):
            raise _PortLost(f"{service.title}: port {port} is taken by now")
        if found.restarts - restarts >= START_TRIES:
            break
        time.sleep(0.1)
    why = known(service.name).why
    log = home() / "logs" / f"{service.name}.log"
    raise InputError(f"{service.title} did not start{f' ({why})' if why else ''}; see {log}")


def _answers(service: Service, process: psutil.Process) -> bool:
    """Whether it answers, and not somebody else's service on its port."""
    try:
        answer = httpx.get(f"http://127.0.0.1:{_port_of(service)}{service.ready}", timeout=2)
        family = [process, *process.children(recursive=True)]
        ports = {each.laddr.port for member in family for each in member.net_connections() if each.status == LISTEN}
    except (httpx.TransportError, psutil.NoSuchProcess):
        return False
    return answer.status_code == 200 and _port_of(service) in ports


def _port_of(service: Service) -> int:
    return int(read_services()[service.name]["port"])


def _write(known: dict[str, dict[str, float]]) -> None:
    write_atomically(home() / "services.json", json.dumps(known, indent=1).encode())
