"""Service: latency, throughput, what was refused, and every number that feedback carries, against their targets."""

from __future__ import annotations

from typing import Any

import numpy as np
from prefect import get_run_logger, task

from configs.schema import KpiTarget, UseCase
from serving.model import SERVICE_KPIS
from serving.refusals import CONTRACT
from tasks.metrics import day_blocks, resamples
from tasks.monitoring.null import OTHER_SHARE, quantile
from tasks.values import KPI, Kpi, Service, Window

RESAMPLES, LEVEL = 200, 0.95
HOUR = np.timedelta64(1, "h")


@task
def measure_service(use_case: UseCase, window: Window) -> Service:
    """The KPIs of a window. What no feedback carried yet is not among them, and no target of it is missed."""
    import pandas as pd

    rows, targets = pd.read_parquet(window.path), use_case.monitoring.targets
    kpis = {
        name.removeprefix(KPI): _mean(rows.loc[rows[name].notna(), ["time", name]], name)
        for name in rows.columns
        if name.startswith(KPI)
    }
    kpis |= {name: (Kpi(value=value, rows=len(rows)), 0.0, 1) for name, value in counted(window, rows).items()}
    rate = use_case.monitoring.false_alarm_rate * OTHER_SHARE / max(len(targets), 1)
    # What the service counts itself was judged by the first look; only feedback has brought more since.
    wanted = {target.kpi: target for target in targets if window.look == "first" or target.kpi not in SERVICE_KPIS}
    for name in set(wanted) - set(kpis):
        get_run_logger().warning("Target of %s not judged: nothing in window %s says it", name, window.name)
    judged = {name: _judged(kpi, error, days, wanted.get(name), rate) for name, (kpi, error, days) in kpis.items()}
    return Service(kpis=judged, refused=window.refused)


def counted(window: Window, rows: Any) -> dict[str, float]:
    """The KPIs of the service itself. `rows` is a pandas frame of `time` and `latency_us`.

    Requests are counted against requests, however many rows each has. What needs an answer is left out where none was given.
    """
    requests = window.rows if window.requests is None else window.requests
    refused = sum(each.requests for each in window.refused if each.status == CONTRACT)
    unanswered = sum(each.requests for each in window.refused) - refused
    found: dict[str, float] = {}
    if len(rows):
        latency = np.quantile(rows["latency_us"], [0.5, 0.99]) / 1000
        found |= {"latency_p50": float(latency[0]), "latency_p99": float(latency[1])}
    found["requests_per_hour"] = requests / max(_length(window, rows) / HOUR, 1e-9)
    if everything := requests + refused + unanswered:
        found |= {"refused": refused / everything, "unanswered": unanswered / everything}
    return found


def _length(window: Window, rows: Any) -> np.timedelta64:
    if window.end.isdigit():
        return np.timedelta64(rows["time"].max() - rows["time"].min())
    return np.datetime64(window.end[:19]) - np.datetime64(window.start[:19])


def _mean(known: Any, name: str) -> tuple[Kpi, float, int]:
    """The mean, its standard error by resampling whole days, and on how many days that rests."""
    values = known[name].to_numpy(dtype=np.float64)
    blocks = day_blocks(known["time"].to_numpy(), len(values))
    days = len(np.unique(blocks))
    if days == 1:  # within one day rows are all there is
        blocks, days = np.arange(len(values)), len(values)
    value = float(values.mean())
    if days == 1:
        return Kpi(value=value, rows=1), np.inf, days  # one row proves nothing
    error = float(np.std([values[rows].mean() for rows in resamples(blocks, RESAMPLES, days, seed=0)]))
    half = error * quantile((1 + LEVEL) / 2, days - 1)
    return Kpi(value=value, lower=value - half, upper=value + half, rows=len(values)), error, days


def _judged(kpi: Kpi, error: float, days: int, target: KpiTarget | None, rate: float) -> Kpi:
    """A KPI with its target, which is missed where the value is beyond it by more than chance does at that rate."""
    if target is None:
        return kpi
    least, most = target.at_least, target.at_most
    beyond = least - kpi.value if least is not None else kpi.value - (most or 0.0)
    missed = beyond > error * quantile(1 - rate, days - 1)
    told = f"at least {least:g}" if least is not None else f"at most {most:g}"
    return kpi.model_copy(update={"target": told, "missed": bool(missed)})
