"""The end of the main job: a table of windows, champion beside the model that was never retrained, and each deploy."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from rich.console import Console
from rich.table import Table

from configs.schema import UseCase
from configs.settings import report_address, reports
from console.commands.history import DECISIONS, events, table, zone_of
from serving.contract.contract import Contract
from serving.scoring.bundle import read_bundle
from serving.scoring.onnx import Scorer
from tasks.data.frames import encode, logged_features, model_input
from tasks.history import read_history
from tasks.log.windows import closed_windows, decoded, read_window
from tasks.problems.metrics import gain as gain_of
from tasks.problems.problem import problem_of
from tasks.registry.values import Version
from tasks.registry.versions import champion, get_version


class Line(NamedTuple):
    """One window: the champion's metric, the first model's, and how many labels there are."""

    window: str
    champion: float
    frozen: float
    versions: str
    labelled: int


def summarize(case: UseCase, screen: Console) -> None:
    """Print and keep the summary."""
    lines = measure(case)
    metric = case.promotion.metric
    windows = Table(title=f"{case.name}: {metric} by window", title_justify="left")
    for column in ("window", "champion", "never retrained", "gain", "served by", "labels"):
        windows.add_column(column, justify="left" if column in ("window", "served by") else "right")
    for line in lines:
        gain = f"{gain_of(metric, line.champion, line.frozen):+.3f}"
        windows.add_row(line.window, f"{line.champion:.3f}", f"{line.frozen:.3f}", gain, line.versions, f"{line.labelled:,}")
    screen.print(windows)
    screen.print(deploys(case))
    if lines:
        path = reports(case.name, "summary") / "index.html"
        _plot(case, lines).write_html(str(path), include_plotlyjs=True)
        screen.print(f"Plot: {report_address(path)}")


def measure(case: UseCase) -> list[Line]:
    """Both models on every closed window, on the labels that have arrived by now."""
    deployed = read_history(case.name, "deploy")
    if champion(case.name) is None or not deployed:
        return []
    first = get_version(case.name, deployed[0]["version"])
    return [_line(case, first, bounds) for bounds in closed_windows(case)]


def _line(case: UseCase, first: Version, bounds: Any) -> Line:
    bundle = read_bundle(first.bundle.path)
    contract = bundle.contract
    frame = decoded(read_window(case, bounds).table, contract).to_pandas()
    frame = frame[frame["target"].notna()].reset_index(drop=True)
    if frame.empty:
        return Line(bounds.name, float("nan"), float("nan"), "", 0)
    inputs = model_input(encode(contract, logged_features(frame, list(contract.names))))
    problem = problem_of(contract)
    metric = problem.metrics[case.promotion.metric]
    frozen = problem.judged(Scorer(bundle.model, contract).outputs(inputs))
    target = problem.known(frame["target"])
    versions = ", ".join(f"v{version}" for version in sorted(frame["version"].unique(), key=int))
    rows, served = _served(case, contract, frame)
    return Line(bounds.name, metric.value(target[rows], served), metric.value(target, frozen), versions, len(frame))


def _served(case: UseCase, contract: Contract, frame: Any) -> tuple[np.ndarray, np.ndarray]:
    """The numbers of the rows by version, and what was answered to them, by the classes of that contract."""
    problem, rows, answered = problem_of(contract), [], []
    for version, own in frame.groupby("version"):
        given = read_bundle(get_version(case.name, version).bundle.path).contract
        outputs = problem.aligned(np.stack(own["output"].to_list()), given, contract)
        rows.append(own.index.to_numpy())
        answered.append(problem.judged(outputs))
    return np.concatenate(rows), np.concatenate(answered)


def deploys(case: UseCase) -> Table:
    """Each deploy and why, each verdict, and each retraining that had to wait."""
    decided = [event for event in events(case.name, zone_of(case.name)) if event.kind in DECISIONS]
    return table("Deploys and verdicts", decided)


def _plot(case: UseCase, lines: list[Line]) -> Any:
    import plotly.graph_objects as go

    windows = [line.window for line in lines]
    figure = go.Figure()
    figure.add_scatter(x=windows, y=[line.champion for line in lines], name="champion", mode="lines+markers")
    figure.add_scatter(x=windows, y=[line.frozen for line in lines], name="never retrained", mode="lines+markers")
    figure.update_layout(title=f"{case.name}: {case.description}", yaxis_title=case.promotion.metric, xaxis_title="window")
    return figure
