"""The main job: everything up, a first release, history replayed as live traffic, and the loop that keeps it right."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from uuid import UUID

from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterName, FlowFilter, FlowFilterName
from prefect.client.schemas.objects import FlowRun
from prefect.client.schemas.sorting import FlowRunSort
from rich.console import Console

from configs.errors import CheckFailed
from configs.forms import parse_time
from configs.schema import UseCase
from console.commands.replay import Replay, replayed
from console.commands.rolling import rolled_out
from console.commands.status import addresses
from console.commands.summary import summarize
from console.follow import follow, start
from console.releases import serving
from serving.scoring.bundle import read_bundle
from tasks.history import read_history
from tasks.log.windows import calendar
from tasks.monitoring.findings import findings, retraining_cause, told
from tasks.monitoring.values import Finding
from tasks.registry.versions import champion, the_champion
from tasks.routing import gateway

TRIGGER_SECONDS = 90


def main_job(case: UseCase, until: datetime | None, rate: float | None, began: float, screen: Console) -> None:
    """Release, then window after window: replay, monitor, and the retraining that Prefect starts; then the summary."""
    if champion(case.name) is None:
        screen.rule("Release")
        follow(start("release", case.name, reason="the first release"), screen)
    elif serving(case.name) is None:
        screen.rule("The champion comes back")
        follow(start("deploy", case.name), screen)
    screen.print(f"[green]{case.name} serves at {gateway.address(case.name)}[/] after {_minutes(began)}")
    replay = the_replay(case)
    for name, end, count in _windows(case, replay, until):
        if name not in _looked_at(case):
            screen.rule(f"Window {name}")
            if end is not None:
                rolled_out(case, replay, end, rate, screen)
            replayed(replay, end, count, rate, screen)
            follow(start("monitor", case.name), screen)
        _react(case, name, screen)
    screen.rule(f"After {_minutes(began)}")
    summarize(case, screen)
    screen.print(addresses())


def the_replay(case: UseCase) -> Replay:
    """The replay of a use case that serves."""
    return Replay(case, read_bundle(the_champion(case.name).bundle.path).contract)


def _windows(case: UseCase, replay: Replay, until: datetime | None) -> Iterator[tuple[str, datetime | None, int | None]]:
    """Each window of the replay: its name, and up to what moment or how many rows to send for it."""
    rows = replay.rows()
    if rows[0].moment is None or replay.last is None:
        size = int(case.monitoring.window.split()[0])
        for first in range(0, len(rows) - size + 1, size):
            yield f"rows-{first}-{first + size - 1}", None, first + size
        return
    last = min(until, replay.last) if until else replay.last
    beyond = last + timedelta(days=32)
    for name, begin, end in calendar(case.monitoring.window, rows[0].moment, beyond):
        if begin >= last:
            return
        yield name, end, None


def _looked_at(case: UseCase) -> set[str]:
    return {finding.window for finding in findings(case.name)}


def _react(case: UseCase, name: str, screen: Console) -> None:
    """Wait for the retraining that Prefect starts from the window's event, if the use case wants one."""
    finding = next((f for f in findings(case.name) if f.window == name and f.look == "first"), None)
    if finding is None or not retraining_cause(case, finding.causes, finding.new_labels) or _answered(case, finding):
        return
    screen.print(f"{told(finding)}: waiting for Prefect to start the retraining")
    runs = _started_by(finding)
    if runs and all(run.state is not None and run.state.is_crashed() for run in runs):
        follow(start("monitor", case.name, window=name), screen)  # stopped in the middle: ask again
    follow(_triggered(finding), screen)


def _answered(case: UseCase, finding: Finding) -> bool:
    """Whether a retraining after this window has come to its verdict, or had to wait."""
    entries = [*read_history(case.name, "verdict"), *read_history(case.name, "declined")]
    return any(entry.get("until") == finding.until for entry in entries)


def _triggered(finding: Finding) -> UUID:
    """The flow run that Prefect's automation makes from the event."""
    deadline = time.monotonic() + TRIGGER_SECONDS
    while time.monotonic() < deadline:
        for run in _started_by(finding):
            if run.state is None or not run.state.is_crashed():
                return run.id
        time.sleep(0.5)
    raise CheckFailed(f"no retraining was started by the event of window {finding.window} within {TRIGGER_SECONDS} s")


def _started_by(finding: Finding) -> list[FlowRun]:
    """Runs of the use case's deployment `retrain` with the finding's time."""
    with get_client(sync_client=True) as client:
        runs = client.read_flow_runs(
            flow_filter=FlowFilter(name=FlowFilterName(any_=["retrain"])),
            deployment_filter=DeploymentFilter(name=DeploymentFilterName(any_=[finding.use_case])),
            sort=FlowRunSort.EXPECTED_START_TIME_DESC,
            limit=50,
        )
    return [run for run in runs if parse_time(run.parameters.get("until")) == parse_time(finding.until)]


def _minutes(began: float) -> str:
    seconds = round(time.monotonic() - began)
    return f"{seconds // 60} min {seconds % 60:02d} s"
