"""`kill -9` of every service under load: `python -m benchmarks.supervision [--kills N] [SERVICE ...]`.

A home of its own serves `loans` at 50 requests a second. Each service is killed N times; where it has to do with flow runs,
Prefect accepts one before each. Printed: seconds until the service answers again, how many of them passed before its process
began (what supervision costs beside the service's own start), requests that failed, and runs that did not complete.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import httpx
from rich.console import Console
from rich.table import Table

SLIPWAY = str(Path(sys.executable).parent / "slipway")
RATE = 50
LONGEST = 120.0
SERVICES = ("gateway", "reports", "mlflow", "prefect", "worker")
WITH_RUNS = ("mlflow", "prefect", "worker")
PAUSE = 11.0  # longer than the supervisor's STEADY_SECONDS: no kill waits because of the one before


class Kill(NamedTuple):
    """One `kill -9`: seconds until the next process began, and until it answered; requests sent and failed meanwhile."""

    began: float
    answered: float
    sent: int
    failed: int


class Load:
    """Requests at fixed times, whether those before were answered or not."""

    def __init__(self, address: str, record: dict[str, Any]) -> None:
        self.sent, self.failed = 0, 0
        self._address, self._body, self._ended = address, {"records": [record]}, threading.Event()
        self._thread = threading.Thread(target=self._send)

    def __enter__(self) -> Load:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _send(self) -> None:
        due = time.monotonic()
        with httpx.Client(timeout=10) as http, ThreadPoolExecutor(64) as threads:
            while not self._ended.is_set():
                threads.submit(self._ask, http)
                self.sent += 1
                due += 1 / RATE
                time.sleep(max(0.0, due - time.monotonic()))

    def _ask(self, http: httpx.Client) -> None:
        try:
            good = http.post(f"{self._address}/predict", json=self._body).status_code == 200
        except httpx.TransportError:
            good = False
        self.failed += not good


def main() -> None:
    """Measure, and print one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("services", nargs="*", default=SERVICES, metavar="SERVICE", help=", ".join(SERVICES))
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["SLIPWAY_HOME"] = str(Path(folder) / "home")
        try:
            for words in (["up"], ["release", "loans"]):
                subprocess.run([SLIPWAY, *words], check=True, stdout=subprocess.DEVNULL)
            Console().print(measured(asked.services, asked.kills))
        finally:
            subprocess.run([SLIPWAY, "down"], check=True, stdout=subprocess.DEVNULL)


def measured(names: list[str], count: int) -> Table:
    """Kill, wait, and count."""
    from console import services

    os.environ.update(services.environment())
    from configs.load import load_use_case
    from tasks.data.source import replay_rows
    from tasks.routing.gateway import address

    table = Table(title=f"kill -9 under {RATE} requests a second", title_justify="left")
    for column in (
        "service",
        "kills",
        "back after s, median",
        "longest",
        "begun after s, longest",
        "failed",
        "of",
        "runs lost",
    ):
        table.add_column(column, justify="left" if column == "service" else "right")
    case = load_use_case("loans")
    row = replay_rows(case).to_pylist()[0]
    record = {name: value for name, value in row.items() if name in case.features.all and value is not None}
    with Load(address("loans"), record) as load:
        time.sleep(PAUSE)
        for name in names:
            runs, kills = [], []
            for _ in range(count):
                if name in WITH_RUNS:
                    runs.append(accepted())
                kills.append(killed(name, load))
            lost = str(unfinished(runs)) if runs else "-"
            back, begun = [each.answered for each in kills], max(each.began for each in kills)
            failed, sent = sum(each.failed for each in kills), sum(each.sent for each in kills)
            table.add_row(
                name,
                str(count),
                f"{statistics.median(back):.1f}",
                f"{max(back):.1f}",
                f"{begun:.2f}",
                str(failed),
                str(sent),
                lost,
            )
    return table


def killed(name: str, load: Load) -> Kill:
    """Kill a service, and wait until it answers."""
    from console import services

    process, answers = services.known(name).process, answering(name)
    assert process is not None, f"{name} does not run"
    sent, failed, began = load.sent, load.failed, time.monotonic()
    process.kill()
    while (found := services.known(name).process) is None or found == process:
        assert time.monotonic() - began < LONGEST, f"{name} is not started again"
        time.sleep(0.005)
    begun = time.monotonic() - began
    while not answers():
        assert time.monotonic() - began < LONGEST, f"{name} does not answer"
        time.sleep(0.02)
    back = time.monotonic() - began
    time.sleep(PAUSE)
    return Kill(begun, back, load.sent - sent, load.failed - failed)


def answering(name: str) -> Callable[[], bool]:
    """Asks whether the service is back. The worker has no port: it says when it begins to look for runs."""
    from configs.settings import home, service_address
    from console import services

    if name == "worker":
        log = home() / "logs" / "worker.log"
        before = log.read_text().count("started!")
        return lambda: log.read_text().count("started!") > before
    (path,) = [each.ready for each in services.services() if each.name == name]
    address = f"{service_address(name)}{path}"

    def answers() -> bool:
        try:
            return httpx.get(address, timeout=2).status_code == 200
        except httpx.TransportError:
            return False

    return answers


def accepted() -> Any:
    """A flow run that Prefect has accepted."""
    from console.follow import start

    return start("maintain", "loans")  # not `monitor`, which looks at all requests of the benchmark


def unfinished(runs: list[Any]) -> int:
    """How many of the runs do not come to their end."""
    from prefect.client.orchestration import get_client

    deadline = time.monotonic() + LONGEST * len(runs)
    with get_client(sync_client=True) as client:
        while time.monotonic() < deadline:
            states = [client.read_flow_run(run).state for run in runs]
            if all(state is not None and state.is_final() for state in states):
                break
            time.sleep(1)
    return sum(state is None or not state.is_completed() for state in states)


if __name__ == "__main__":
    main()
