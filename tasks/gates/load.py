"""Load: a ramp to the promised throughput, a flash sale, a soak; latencies from the moment each request was due."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from prefect import get_run_logger, task
from prefect.artifacts import create_link_artifact

from configs.errors import CheckFailed
from configs.schema import Load, UseCase
from configs.settings import PROJECT, report_address, reports
from tasks.deploying.keys import internal_headers
from tasks.deploying.platforms.platform import platform_of
from tasks.deploying.values import Release
from tasks.gates.cases import reference_records
from tasks.gates.checks import Check, conclude
from tasks.log.read import TEST_CALLER
from tasks.routing import gateway

FLASH_FACTOR, FLASH_RISE, FLASH_SECONDS = 5, 1.0, 2.0
REFUSED = (429, 503)
SAMPLE_SECONDS = 0.25


class Result(NamedTuple):
    """What came of one request: times in seconds, `latency` from `due`, `lag` is how late the generator itself was."""

    phase: str
    due: float
    latency: float
    lag: float
    status: int


class Memory(NamedTuple):
    """Resident bytes at a time in seconds since the load began."""

    at: float
    held: int


@task
def load_gate(use_case: UseCase, release: Release) -> None:
    """Ask for what the use case promises, and plot it; without `gates.load` there is no promise to check.

    Raises:
        GateClosed: latency, errors or memory were over their bounds, with the figures.
    """
    load = use_case.gates.load
    if load is None:
        get_run_logger().info("Gate load: the use case promises no throughput (gates.load), so none was asked for")
        return
    told = f"{load.rate:g} requests a second, {FLASH_FACTOR * load.rate:g} in the flash"
    get_run_logger().info("Gate load: %s, %.0f s", told, sum(phase["seconds"] for phase in phases(load)))
    results, memory = generate(release, load)
    page = reports(release.use_case, "load") / f"{release.name}.html"
    plot(results, memory, load, release, page)
    create_link_artifact(key=f"load-plot-{release.use_case}", link=report_address(page), link_text=f"Load on {release.name}")
    conclude("load", release, judge(results, memory, load))


def phases(load: Load) -> list[dict[str, Any]]:
    """The generator's plan: rates in requests a second."""
    rate, ramp, soak = load.rate, load.ramp.total_seconds(), load.soak.total_seconds()
    return [
        {"phase": "ramp", "first": 0.0, "last": rate, "seconds": ramp},
        {"phase": "flash", "first": rate, "last": FLASH_FACTOR * rate, "seconds": FLASH_RISE},
        {"phase": "flash", "first": FLASH_FACTOR * rate, "last": FLASH_FACTOR * rate, "seconds": FLASH_SECONDS},
        {"phase": "soak", "first": rate, "last": rate, "seconds": soak},
    ]


def generate(release: Release, load: Load) -> tuple[list[Result], list[Memory]]:
    """Run the generator against the release, through the gateway, and sample its memory meanwhile."""
    wanted = phases(load)
    plan = {
        "address": gateway.address(release.use_case).removesuffix(f"/{release.use_case}"),
        "path": f"/{release.use_case}/predict",
        "headers": {**internal_headers(release.use_case, TEST_CALLER), gateway.CANDIDATE: release.name},
        "bodies": [{"records": [record]} for record in reference_records(release)],
        "phases": wanted,
    }
    # The plan holds a key, so it goes by the standard input, which no list of processes shows.
    process = subprocess.Popen(
        [sys.executable, "-m", "tasks.gates.generator"],
        cwd=PROJECT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    memory: list[Memory] = []
    ended = threading.Event()
    sampler = threading.Thread(target=_sample, args=(release, memory, ended))
    sampler.start()
    try:
        output, errors = process.communicate(json.dumps(plan), timeout=300 + sum(phase["seconds"] for phase in wanted))
    finally:
        ended.set()
        sampler.join()
        process.kill()
    if process.returncode:
        raise CheckFailed(f"the load generator ended with status {process.returncode}: {errors.strip()[-1000:]}")
    return [Result(*json.loads(line)) for line in output.splitlines()], memory


def _sample(release: Release, memory: list[Memory], ended: threading.Event) -> None:
    waited = 0.0
    while not ended.wait(SAMPLE_SECONDS):
        waited += SAMPLE_SECONDS
        memory.append(Memory(waited, platform_of(release).memory(release)))


def judge(results: list[Result], memory: list[Memory], load: Load) -> list[Check]:
    """Every bound of the use case, with what was measured."""
    steady = [result for result in results if result.phase != "flash"]
    flash = [result for result in results if result.phase == "flash"]
    errors = sum(result.status != 200 for result in steady) / max(1, len(steady))
    failed = sum(result.status != 200 and result.status not in REFUSED for result in flash)
    refused = sum(result.status in REFUSED for result in flash)
    p50, p99 = percentiles(steady)
    lag = float(np.percentile([result.lag for result in results], 99) * 1000) if results else 0.0
    grown = growth(memory, load)
    flash_50, flash_99 = percentiles(flash)
    return [
        Check(
            "latency at the promised rate",
            bool(steady) and p99 <= load.p99,
            f"p50 {p50:.1f} ms, p99 {p99:.1f} ms; at most {load.p99:g} ms"
            if steady
            else "no request fell into ramp and soak, so nothing is known; make 'gates.load.soak' longer",
        ),
        Check(
            "errors at the promised rate",
            errors <= load.errors,
            f"{errors:.2%} of {len(steady):,}; at most {load.errors:.2%}",
        ),
        Check(
            "flash sale",
            failed == 0,
            f"{failed} failed, {refused} refused of {len(flash):,}; p50 {flash_50:.1f} ms, p99 {flash_99:.1f} ms",
        ),
        Check(
            "memory", grown <= load.memory, f"{grown / 2**20:+.1f} MiB over the soak; at most {load.memory / 2**20:.0f} MiB"
        ),
        Check("generator", True, f"99 of 100 requests left within {lag:.1f} ms of their time, which their latency holds"),
    ]


def percentiles(results: list[Result]) -> tuple[float, float]:
    """p50 and p99 of the latency, in milliseconds; an error counts as long as it took."""
    if not results:
        return 0.0, 0.0
    found = np.percentile([result.latency for result in results], [50, 99]) * 1000
    return float(found[0]), float(found[1])


def growth(memory: list[Memory], load: Load) -> int:
    """Median of the soak's last third less that of its first, in bytes."""
    soak = memory[-max(3, int(load.soak.total_seconds() / SAMPLE_SECONDS)) :]
    third = max(1, len(soak) // 3)
    held = [sample.held for sample in soak]
    return int(np.median(held[-third:]) - np.median(held[:third])) if held else 0


def plot(results: list[Result], memory: list[Memory], load: Load, release: Release, page: Path) -> None:
    """Latency of every request over time, arrivals a second, refusals and errors, and memory."""
    import plotly.graph_objects as go
    from plotly.subplots import make_subplots

    figure = make_subplots(
        rows=3,
        cols=1,
        shared_xaxes=True,
        subplot_titles=("latency from the due time, ms", "requests a second", "memory, MiB"),
    )
    due = np.array([result.due for result in results])
    for name, keep in (
        ("answered", [result.status == 200 for result in results]),
        ("refused", [result.status in REFUSED for result in results]),
        ("failed", [result.status != 200 and result.status not in REFUSED for result in results]),
    ):
        chosen = np.flatnonzero(keep)
        latency = [max(results[i].latency * 1000, 0.01) for i in chosen]
        figure.add_trace(go.Scattergl(x=due[chosen], y=latency, mode="markers", name=name, marker={"size": 3}), 1, 1)
    figure.add_hline(y=load.p99, line_dash="dot", annotation_text=f"p99 at most {load.p99:g} ms", row=1, col=1)
    counts, edges = np.histogram(due, bins=np.arange(0, max(due, default=1.0) + 0.5, 0.5))
    figure.add_trace(go.Scatter(x=edges[:-1], y=counts * 2, name="arrivals", line_shape="hv"), 2, 1)
    figure.add_trace(go.Scatter(x=[m.at for m in memory], y=[m.held / 2**20 for m in memory], name="memory"), 3, 1)
    figure.update_yaxes(type="log", row=1, col=1)
    figure.update_xaxes(title_text="seconds", row=3, col=1)
    figure.update_layout(title=f"Load on {release.name}", height=900)
    figure.write_html(page, include_plotlyjs=True)
