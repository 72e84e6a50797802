"""Service: latency, throughput, what was refused, what feedback carries, metrics that were promised; against objectives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from prefect import get_run_logger, task

from configs.schema import Objective, UseCase
from serving.log.refusals import CONTRACT
from serving.scoring.model import SERVICE_KPIS
from tasks.data.frames import contract_of
from tasks.log.values import KPI, Window
from tasks.monitoring.drift.null import OTHER_SHARE
from tasks.monitoring.labels import label_weights
from tasks.monitoring.values import Kpi, Service
from tasks.problems.chance import day_blocks, quantile, resamples
from tasks.problems.problem import Problem, problem_of

RESAMPLES, LEVEL = 200, 0.95
HOUR = np.timedelta64(1, "h")


@task
def measure_service(use_case: UseCase, window: Window) -> Service:
    """The KPIs of a window, and the metrics that have an objective. What nothing says yet is not among them, nor missed."""
    import pandas as pd

    rows, objectives = pd.read_parquet(window.path), use_case.monitoring.objectives
    kpis = {
        name.removeprefix(KPI): _mean(rows.loc[rows[name].notna(), ["time", name]], name)
        for name in rows.columns
        if name.startswith(KPI)
    }
    abstains = use_case.target.confidence is not None
    kpis |= {name: (Kpi(value=value, rows=len(rows)), 0.0, 1) for name, value in counted(window, rows, abstains).items()}
    kpis |= promised(problem_of(use_case.target), window, objectives, use_case.monitoring.min_labels)
    rate = use_case.monitoring.false_alarm_rate * OTHER_SHARE / max(len(objectives), 1)
    # What the service counts itself was judged by the first look; only feedback has brought more since.
    wanted = {each.name: each for each in objectives if window.look == "first" or each.name not in SERVICE_KPIS}
    for name in set(wanted) - set(kpis):
        get_run_logger().warning("Objective of %s not judged: nothing in window %s says it", name, window.name)
    judged = {name: _judged(kpi, error, days, wanted.get(name), rate) for name, (kpi, error, days) in kpis.items()}
    return Service(kpis=judged, refused=window.refused)


def counted(window: Window, rows: Any, abstains: bool) -> dict[str, float]:
    """The KPIs of the service itself. `rows` is a pandas frame of `time`, `latency_us` and `prediction`.

    Requests are counted against requests, however many rows each has. What needs an answer is left out where none was given.
    """
    requests = window.rows if window.requests is None else window.requests
    refused = sum(each.requests for each in window.refused if each.status == CONTRACT)
    unanswered = sum(each.requests for each in window.refused) - refused
    found: dict[str, float] = {}
    if len(rows):
        latency = np.quantile(rows["latency_us"], [0.5, 0.99]) / 1000
        found |= {"latency_p50": float(latency[0]), "latency_p99": float(latency[1])}
        left = rows["prediction"].isna()  # to a person; by a version of before, maybe, that may where today's may not
        found |= {"abstention": float(left.mean())} if abstains or left.any() else {}
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
    return resampled(known["time"].to_numpy(), lambda rows: float(values[rows].mean()))


def promised(problem: Problem, window: Window, objectives: list[Objective], least: int) -> dict[str, tuple[Kpi, float, int]]:
    """The metrics that have an objective, of at least so many labels, weighted as those of the performance are.

    Whichever version answered, and whichever classes it knew: what was promised to somebody is promised of the use case.
    """
    import pandas as pd

    wanted = {each.name: problem.metrics[each.metric] for each in objectives if each.metric}
    if not wanted or not window.judged:
        return {}
    columns = ["time", "target", problem.column]
    parts = [pd.read_parquet(part.path, columns=columns) for part in window.judged]
    contracts = [contract_of(part.contract) for part in window.judged]
    targets = [problem.known(part["target"]) for part in parts]
    judged = [problem.read(part[problem.column]) for part in parts]
    target, output = problem.together(list(zip(targets, judged, strict=True)), contracts)
    labelled = np.concatenate([part["target"].notna().to_numpy() for part in parts])
    if labelled.sum() < least:
        return {}
    weight = label_weights(problem.score(output), labelled)[labelled]
    truth, times = target[labelled], pd.concat(parts)["time"].to_numpy()[labelled]
    scores = {name: metric.resampled(truth, output[labelled], weight) for name, metric in wanted.items()}
    defined = {name: scored for name, scored in scores.items() if not np.isnan(scored(np.arange(len(truth))))}
    return {name: resampled(times, scored) for name, scored in defined.items()}


def resampled(times: np.ndarray, statistic: Callable[[np.ndarray], float]) -> tuple[Kpi, float, int]:
    """A statistic of row numbers, its standard error by resampling whole days, and on how many days that rests."""
    blocks = day_blocks(times, len(times))
    days = len(np.unique(blocks))
    if days == 1:  # within one day rows are all there is
        blocks, days = np.arange(len(times)), len(times)
    value = statistic(np.arange(len(times)))
    if days == 1:
        return Kpi(value=value, rows=1), np.inf, days  # one row proves nothing
    error = float(np.nanstd([statistic(rows) for rows in resamples(blocks, RESAMPLES, days, seed=0)]))
    half = error * quantile((1 + LEVEL) / 2, days - 1)
    return Kpi(value=value, lower=value - half, upper=value + half, rows=len(times)), error, days


def _judged(kpi: Kpi, error: float, days: int, objective: Objective | None, rate: float) -> Kpi:
    """A KPI with its objective, which is missed where the value is beyond it by more than chance does at that rate."""
    if objective is None:
        return kpi
    least, most = objective.at_least, objective.at_most
    beyond = least - kpi.value if least is not None else kpi.value - (most or 0.0)
    missed = beyond > error * quantile(1 - rate, days - 1)
    told = f"at least {least:g}" if least is not None else f"at most {most:g}"
    return kpi.model_copy(update={"objective": told, "missed": bool(missed)})
