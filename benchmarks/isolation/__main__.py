"""`python -m benchmarks.isolation [--rate 20] [--restarts each|none] [BREAK ...]`: six use cases, one of them broken.

Each gets so many requests a second. One is broken in one way after another; the other five must lose no request, and each
of release, monitor, retrain, rollback, `slipway down` and `slipway up` must work for them. Ends with status 1 where not.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys

import httpx
from rich.console import Console
from rich.table import Table

from benchmarks.isolation.breaks import BREAKS
from benchmarks.isolation.home import beside_each_other, flow, record, slipway
from benchmarks.isolation.traffic import Traffic
from tasks.history import read_history
from tasks.routing import gateway

NAMES = ["one", "two", "three", "four", "five", "six"]
BROKEN, OTHERS = NAMES[-1], NAMES[:-1]


def main() -> int:
    """Every break, and the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.isolation", description=__doc__)
    parser.add_argument("breaks", nargs="*", metavar="BREAK", help=f"any of: {', '.join(BREAKS)}")
    parser.add_argument("--rate", type=float, default=20, help="requests a second to each use case")
    parser.add_argument("--restarts", choices=["each", "none"], default="each", help="'down' and 'up' while it is broken")
    given = parser.parse_args()
    if unknown := set(given.breaks) - set(BREAKS):
        parser.error(f"unknown: {', '.join(unknown)}")
    table = Table(title=f"Six use cases, {given.rate:g} requests a second each; one is broken", title_justify="left")
    for column in ("break", "requests", "failed", "what does not work for another"):
        table.add_column(column)
    good = True
    with beside_each_other(NAMES):
        for what, neighbour in zip(given.breaks or BREAKS, itertools.cycle(OTHERS), strict=False):
            requests, failed, faults = broken(what, neighbour, given.rate, given.restarts == "each")
            good &= not failed and not faults
            row = (what, f"{requests:,}", failed or "0", "; ".join(faults) or "nothing")
            print(*row, sep=" | ", flush=True)
            table.add_row(*row)
    Console(width=160).print(table)
    return 0 if good else 1


def broken(what: str, neighbour: str, rate: float, restart: bool) -> tuple[int, str, list[str]]:
    """One break: the requests to the other five, those that failed, and which actions did not work for a neighbour."""
    body = json.dumps({"records": [record()]}).encode()
    targets = {name: (f"{gateway.address(name)}/predict", body) for name in NAMES}
    with BREAKS[what](BROKEN):
        with Traffic(targets, rate) as traffic:
            faults = list(actions(neighbour))
        if restart:
            faults += restarted(body)
    if restart:
        slipway("up")  # what was broken comes back too
    failed = {name: traffic.failed(name) for name in OTHERS}
    told = "; ".join(f"{name}: {dict(counts)}" for name, counts in failed.items() if counts)
    return sum(traffic.statuses[name].total() for name in OTHERS), told, faults


def restarted(body: bytes) -> list[str]:
    """What 'down' and 'up' leave undone; they may say that the broken one does not stop, or not come back."""
    down = slipway("down")
    slipway("up")
    faults = [f"down: {line}" for line in down.splitlines() if line.partition(":")[0] in OTHERS]
    return faults + [f"up: {name} does not answer" for name in OTHERS if not answers(name, body)]


def actions(neighbour: str) -> list[str]:
    """What does not work for a use case that is not broken."""
    faults = []
    if flow("release", neighbour) is None:
        faults.append("release")
    if flow("monitor", neighbour) is None:
        faults.append("monitor")
    if flow("retrain", neighbour) is None:
        faults.append("retrain")
    before = served(neighbour)
    back = slipway("rollback", neighbour)
    if back or served(neighbour) == before:
        faults.append(f"rollback: {back.splitlines()[-1] if back else 'the same version serves'}")
    if flow("deploy", neighbour, version=before) is None:
        faults.append("deploy")
    return faults


def served(name: str) -> str:
    """The version that serves, as the history has it."""
    return str(read_history(name, "deploy")[-1]["version"])


def answers(name: str, body: bytes) -> bool:
    """Whether a use case answers a request."""
    url = f"{gateway.address(name)}/predict"
    return httpx.post(url, content=body, headers={"content-type": "application/json"}, timeout=30).status_code == 200


if __name__ == "__main__":
    sys.exit(main())
