"""One home with real services for all integration tests; commands are run as a person runs them."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
from pathlib import Path

import pytest

from configs.load import load_use_case
from configs.settings import PROJECT
from tasks.source import replay_rows
from tests.integration.server import Server

SLIPWAY = str(Path(sys.executable).parent / "slipway")


class Home:
    """A home folder and the command line on it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {**os.environ, "SLIPWAY_HOME": str(folder), "COLUMNS": "200"}

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

    def in_flow(self, body):
        """Run a function as a flow of this process, on the home's Prefect server."""
        from prefect import flow
        from prefect.settings import PREFECT_API_URL, PREFECT_LOCAL_STORAGE_PATH, temporary_settings

        from configs.settings import service_address

        api = f"{service_address('prefect')}/api"
        with temporary_settings({PREFECT_API_URL: api, PREFECT_LOCAL_STORAGE_PATH: self.folder / "results"}):
            return flow(body)()

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
