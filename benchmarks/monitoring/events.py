"""From an event to a deployed champion, without a hand: how often of twenty, and in how many seconds."""

from __future__ import annotations

import os
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import track

from benchmarks.deploy.__main__ import NO_ENGINE, slipway
from configs.settings import PROJECT

EVENTS, PATIENCE = 20, 240.0
FIRST = datetime(2013, 3, 1, tzinfo=UTC)


def events(screen: Console) -> None:
    """Flights, an event of drift every second week of the year; each challenger is taken that is not much worse."""
    text = (PROJECT / "configs" / "flights.yaml").read_text()
    changed = text.replace("name: flights", "name: everytime").replace(
        "  window: 1 month", "  window: 1 month\n  tolerance: 0.5"
    )
    with tempfile.TemporaryDirectory() as folder:
        configs = Path(folder) / "configs"
        configs.mkdir()
        (configs / "everytime.yaml").write_text(changed)
        os.environ |= {"SLIPWAY_HOME": folder, "SLIPWAY_USE_CASES": str(configs), "DOCKER_HOST": NO_ENGINE}  # platform local
        try:
            slipway("up")
            slipway("release", "everytime", "--until", FIRST.isoformat())
            moments = [FIRST + timedelta(days=14 * number) for number in range(1, EVENTS + 1)]
            seconds = [_from_event(moment) for moment in track(moments, "events", console=screen)]
        finally:
            slipway("down")
    arrived = [second for second in seconds if second is not None]
    told = f"; median {np.median(arrived):.0f} s, longest {max(arrived):.0f} s" if arrived else ""
    screen.print(f"From event to deployed champion: {len(arrived)} of {EVENTS}{told} (platform local, with all gates)")


def _from_event(moment: datetime) -> float | None:
    """Emit what `conclude` emits, and wait for the deploy; None where none came."""
    from prefect.events import emit_event
    from prefect.settings import PREFECT_API_URL, temporary_settings

    from configs.settings import service_address
    from tasks.history import read_history

    before, began = len(read_history("everytime", "deploy")), time.monotonic()
    with temporary_settings({PREFECT_API_URL: f"{service_address('prefect')}/api"}):
        emit_event(
            event="slipway.drift",
            resource={"prefect.resource.id": "slipway.use-case.everytime", "slipway.retrain": "yes"},
            payload={"use_case": "everytime", "until": moment.isoformat(), "cause": "drift"},
        )
        while time.monotonic() - began < PATIENCE:
            if len(read_history("everytime", "deploy")) > before:
                return time.monotonic() - began
            time.sleep(0.5)
    last = read_history("everytime")[-1]
    print(f"{moment:%Y-%m-%d}: no deploy within {PATIENCE:.0f} s; last: {last['what']}: {last['reason']}", flush=True)
    return None
