"""One home with real services for all integration tests; commands are run as a person runs them."""

from __future__ import annotations

import contextlib
import functools
import io
import itertools
import os
import signal
import subprocess
import sys
from pathlib import Path
from unittest import mock

import pytest
from ruamel.yaml import YAML

from configs.load import load_use_case
from configs.settings import PROJECT
from tasks.data.source import replay_rows
from tasks.deploying.platforms.ports import is_free
from tests.integration.rolling import NAME, ROLLOUT, another, end_what_is_left
from tests.integration.server import Server

SLIPWAY = str(Path(sys.executable).parent / "slipway")
SERVICES = ("prefect", "mlflow", "gateway", "reports", "web", "evidently")
# Each worker of pytest-xdist has a range, below the ports that the kernel gives to connections.
PORTS = itertools.count(10_000 + 500 * int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")))


def own_port():
    """A port that no other home takes, whenever that one starts."""
    return next(port for port in PORTS if is_free(port))


def own_ports():
    """Ports for the services of one home."""
    return {f"SLIPWAY_{name.upper()}_PORT": str(own_port()) for name in SERVICES}


class Home:
    """A home folder and the command line on it."""

    def __init__(self, folder: Path, usual_ports: bool = False, **environment: str) -> None:
        self.folder, ports = folder, {} if usual_ports else own_ports()
        self.environment = {**os.environ, "SLIPWAY_HOME": str(folder), "COLUMNS": "200", **ports, **environment}

    def command(self, *words, **environment):
        return subprocess.Popen(
            [SLIPWAY, *words],
            cwd=PROJECT,
            env={**self.environment, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    @functools.cached_property
    def record(self):
        """An application as a client sends it."""
        case = load_use_case("loans")
        row = replay_rows(case).to_pylist()[0]
        return {name: value for name, value in row.items() if name in case.features.all and value is not None}

    def connected(self, results="results"):
        """While it is entered, this process is a client of the home's Prefect server; where it keeps results of steps."""
        from prefect.settings import PREFECT_API_URL, PREFECT_LOCAL_STORAGE_PATH, temporary_settings

        from configs.settings import service_address

        api = f"{service_address('prefect')}/api"
        return temporary_settings({PREFECT_API_URL: api, PREFECT_LOCAL_STORAGE_PATH: self.folder / results})

    def in_flow(self, body):
        """Run a function as a flow of this process, on the home's Prefect server."""
        from prefect import flow

        with self.connected():
            return flow(body)()

    def told(self, *words, status=2, **environment):
        """What a command says that is run in this process, on a home that is up: a line costs no start of a process."""
        from console.cli import main

        output, handlers = io.StringIO(), {each: signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)}
        with (
            self.connected("prefect/storage"),  # as a command's own process has it
            mock.patch.dict(os.environ, {**self.environment, **environment}),
            mock.patch.object(sys, "argv", ["slipway", *words]),
            contextlib.redirect_stdout(output),
            contextlib.redirect_stderr(output),
            pytest.raises(SystemExit) as ended,
        ):
            main()
        for each, handler in handlers.items():
            signal.signal(each, handler)
        assert ended.value.code == status, output.getvalue()
        return output.getvalue()

    def run(self, *words, status=0, **environment):
        process = self.command(*words, **environment)
        output, _ = process.communicate(timeout=600)
        assert process.returncode == status, f"slipway {' '.join(words)} ended with {process.returncode}:\n{output}"
        return output


def pause_schedules():
    """Or the monitoring of a quarter to four would look at the thousands of requests that tests send, and hold the lock."""
    from prefect.client.orchestration import get_client
    from prefect.settings import PREFECT_API_URL, temporary_settings

    from configs.settings import service_address

    with temporary_settings({PREFECT_API_URL: f"{service_address('prefect')}/api"}), get_client(sync_client=True) as client:
        for deployment in client.read_deployments():
            for schedule in deployment.schedules:
                client.update_deployment_schedule(deployment.id, schedule.id, active=False)


@pytest.fixture(scope="session")
def served(tmp_path_factory):
    """A home where `loans` was released once."""
    home = Home(tmp_path_factory.mktemp("served") / "home")
    previous = os.environ.get("SLIPWAY_HOME")
    os.environ["SLIPWAY_HOME"] = str(home.folder)  # so that tests can read what the commands wrote
    try:
        home.run("up")
        pause_schedules()
        home.run("release", "loans")
        yield home
    finally:
        home.run("down")
        os.environ.pop("SLIPWAY_HOME")
        if previous:
            os.environ["SLIPWAY_HOME"] = previous


@pytest.fixture(scope="module")
def rollouts(served, tmp_path_factory):
    """The home, where one version of a use case with a rollout serves, and the next version, which is registered."""
    folder, yaml = tmp_path_factory.mktemp("use_cases"), YAML(typ="safe")
    content = yaml.load((PROJECT / "configs" / "loans.yaml").read_text())
    content |= {"name": NAME, "rollout": ROLLOUT}
    content["deploy"] = {"platform": "local"}  # whose servers are up in a moment: stages last a second here
    content.pop("gates", None)  # the load of a minute is another test's
    yaml.dump(content, folder / f"{NAME}.yaml")
    assert served.record, "read while its use case is there"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SLIPWAY_USE_CASES", str(folder))
        served.environment["SLIPWAY_USE_CASES"] = str(folder)
        served.run("release", NAME)
        pause_schedules()
        yield served, served.in_flow(another)
        served.told("retire", NAME, "--yes", status=0)
    served.environment.pop("SLIPWAY_USE_CASES")
    served.run("up")  # where the file of `loans` was gone, its deployments were paused


@pytest.fixture
def rolled(rollouts):
    """The same; what a test leaves of its rollout ends with it, or one that fails would take the next ones along."""
    yield rollouts
    end_what_is_left(rollouts[0])


@pytest.fixture
def serve(bundle_folder, home):
    """Starts servers of the small bundle, whose log is that of use case `small`; they end with the test."""
    from configs.settings import prediction_log

    servers = []

    def start(*words, **more):
        servers.append(Server(bundle_folder, prediction_log("small"), *words, output=home / "server.log", **more))
        return servers[-1]

    yield start
    for server in servers:
        server.kill()
