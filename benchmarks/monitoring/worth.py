"""What retraining is worth: a use case's history lived through by the project's own steps, under several rules.

Never retrained, retrained after every window, and by the findings of the monitoring, with all history or a chosen one.
Prefect, the registry and the servers are left out; ingesting, training, converting, looking at windows and comparing are the
very functions of the flows.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.monitoring.cases import NAMES, use_case
from benchmarks.monitoring.peers import nannyml_estimates
from configs.schema import Training, UseCase
from serving.scoring.bundle import read_bundle
from serving.scoring.onnx import Scorer
from tasks.data.frames import encode, model_input
from tasks.data.values import Split
from tasks.log.values import Window
from tasks.monitoring.values import Performance, Service
from tasks.problems.metrics import gain
from tasks.problems.problem import problem_of
from tasks.registry.values import Version
from tasks.training.values import ChosenRecipe, Evaluation

BOUNDS: dict[tuple[str, int], float] = {}
HISTORIES = ["all", "90 days", "half-life 60 days"]


class Built(NamedTuple):
    version: Version
    evaluation: Evaluation
    split: Split


class Lived(NamedTuple):
    """A window under a rule: the metric that it saw, the estimate before labels, and whether a retraining followed."""

    window: str
    rows: int
    metric: float
    estimate: float
    told: str
    trained: bool
    promoted: bool
    rows_path: Path
    holdout_path: Path


@contextmanager
def own_home() -> Iterator[None]:
    """A home of its own, and no Prefect server to report to."""
    from prefect.logging import disable_run_logger

    import tasks.monitoring.drift.detect
    import tasks.monitoring.performance
    import tasks.training.evaluate

    with tempfile.TemporaryDirectory() as folder, disable_run_logger():
        os.environ["SLIPWAY_HOME"] = folder
        tasks.training.evaluate.create_table_artifact = lambda **_: None  # type: ignore[assignment]
        tasks.monitoring.performance._report = lambda *_: None  # the page; the decision does not wait for it
        yield


def build(case: UseCase, until: datetime, number: int) -> Built:
    """Ingest, split, train, evaluate, convert and bundle, as the flow `release` does."""
    from tasks.data.derive_contract import derive_contract
    from tasks.data.ingest import ingest
    from tasks.data.split import split
    from tasks.packaging.bundle import bundle
    from tasks.packaging.convert import convert
    from tasks.registry.lineage import lineage
    from tasks.training.evaluate import evaluate
    from tasks.training.train import train

    snapshot = ingest.fn(case, until)
    contract = derive_contract.fn(case, snapshot)
    parts = split.fn(case, snapshot)
    chosen = choose(case, parts, contract)
    case = chosen.fixed(case)
    candidate = train.fn(snapshot, parts.learn, contract, chosen.recipe)
    evaluation = evaluate.fn(case, parts, contract, candidate)
    final = train.fn(snapshot, parts.final, contract, chosen.recipe)
    onnx = convert.fn(parts, contract, case.features, final)
    packed = bundle.fn(case, snapshot, contract, onnx, evaluation, lineage(case, parts, until, contract, onnx))
    version = Version(use_case=case.name, version=str(number), run_id="", bundle=packed, golden=onnx.golden)
    return Built(version, evaluation, parts)


def choose(case: UseCase, parts: Split, contract: str) -> ChosenRecipe:
    """As the flow `choose_recipe` compares histories."""
    from tasks.training.folds import best, forward_folds
    from tasks.training.try_recipe import try_recipe

    recipes = [case.recipe.model_copy(update={"history": history}) for history in case.training.history]
    folds = forward_folds(case, parts) if len(recipes) > 1 else []
    if not folds:
        return ChosenRecipe(recipe=case.recipe)
    metric = case.promotion.metric
    scores = [[try_recipe.fn(parts.snapshot, *fold, contract, recipe, metric) for fold in folds] for recipe in recipes]
    place, why = best(metric, np.array(scores))
    return ChosenRecipe(recipe=recipes[place], reason=why)


def windows(case: UseCase) -> Iterator[tuple[str, datetime, Any]]:
    """Each closed window of the replay: its name, its end, its rows."""
    from tasks.data.source import replay_rows
    from tasks.log.windows import calendar

    rows = replay_rows(case).to_pandas()
    times = rows[case.source.time_column]
    last = times.max().to_pydatetime().replace(tzinfo=UTC) + timedelta(days=1)
    for name, begin, end in calendar(case.monitoring.window, case.replay.start, last):
        part = rows[(times >= np.datetime64(begin.replace(tzinfo=None))) & (times < np.datetime64(end.replace(tzinfo=None)))]
        if len(part):
            yield name, end, part.reset_index(drop=True)


def logged(case: UseCase, name: str, end: datetime, rows: Any, version: Version) -> Window:
    """The window as the prediction log would have it, every label arrived."""
    import pyarrow as pa

    from tasks.log.values import FEATURE
    from tasks.store import put_parquet

    bundle, problem = read_bundle(version.bundle.path), problem_of(case.target)
    judged = problem.judged(Scorer(bundle.model, bundle.contract).outputs(model_input(encode(bundle.contract, rows))))
    known = rows[case.target.column].notna().to_numpy()
    target = np.full(len(rows), np.nan)
    target[known] = problem.targets(bundle.contract, rows.loc[known])
    columns = {"time": rows[case.source.time_column], "target": target}
    table = pa.Table.from_pandas(rows[case.features.all].add_prefix(FEATURE).assign(**columns), preserve_index=False)
    data = put_parquet("windows", table.append_column(problem.column, problem.kept(judged)))
    return Window(
        use_case=case.name, name=name, start="", end=end.isoformat(), rows=len(rows), labelled=int(known.sum()), data=data
    )


def look(case: UseCase, window: Window, version: Version, earlier: list[Performance]) -> tuple[dict[str, str], Any, Any]:
    """What the monitoring says of a window; `earlier` is what the version did before."""
    from tasks.monitoring.conclude import causes
    from tasks.monitoring.drift.calibrate_joint import calibrate_joint, size_class
    from tasks.monitoring.drift.detect import detect_drift
    from tasks.monitoring.performance import measure_performance

    kind = (version.bundle.digest, size_class(window.rows))
    if kind not in BOUNDS:  # Prefect keeps it for the flow
        BOUNDS[kind] = calibrate_joint.fn(case, version.bundle, kind[1], [])
    drift = detect_drift.fn(case, window, version, BOUNDS[kind])
    performance = measure_performance.fn(case, window, version.bundle, earlier)
    return causes(drift, performance, Service(kpis={})), drift, performance


def live(case: UseCase, rule: str) -> list[Lived]:
    """The whole history under a rule: `never`, `always` or `triggers`."""
    from tasks.monitoring.findings import retraining_cause, told_drift, told_performance
    from tasks.packaging.reference import holdout_of
    from tasks.training.compare import measure
    from tasks.training.failed import GateFailed
    from tasks.training.may_retrain import held_back

    serving, built, verdicts, lived = build(case, case.replay.start, 1), 1, [], []
    earlier: list[Performance] = []
    for name, end, rows in windows(case):
        window = logged(case, name, end, rows, serving.version)
        found, drift, performance = look(case, window, serving.version, earlier) if rule != "always" else ({}, None, None)
        wanted = retraining_cause(case, found)
        go = rule == "always" or (rule == "triggers" and wanted and not held_back(case.retraining, verdicts, end))
        promoted, holdout = False, holdout_of(serving.version.bundle)
        metric = _metric(case, window)
        if go:
            built += 1
            try:
                challenger = build(case, end, built)
                verdict = measure(case, serving.version, challenger.evaluation, challenger.split, " and ".join(found))
                promoted = rule == "always" or verdict.better
            except GateFailed:
                pass
            verdicts.append({"until": end.isoformat(), "cause": wanted or "schedule", "better": promoted})
            serving = challenger if promoted else serving
        earlier = [*earlier, *([performance] if performance else [])] if not promoted else []
        told = f"{told_drift(drift, case.promotion.metric)}; {told_performance(performance)}" if drift else ""
        estimate = performance.estimate if performance else float("nan")
        lived.append(Lived(name, window.rows, metric, estimate, told, bool(go), promoted, window.path, holdout))
    return lived


def _metric(case: UseCase, window: Window) -> float:
    import pandas as pd

    problem = problem_of(case.target)
    known = pd.read_parquet(window.path, columns=["target", problem.column]).dropna()
    return problem.metrics[case.promotion.metric].value(problem.known(known["target"]), problem.read(known[problem.column]))


def gained(lived: list[Lived], never: list[Lived], metric: str) -> float:
    """The mean gain over never retraining, windows weighted by their rows."""
    weights = [window.rows for window in lived]
    gains = [gain(metric, ours.metric, old.metric) for ours, old in zip(lived, never, strict=True)]
    return float(np.average(gains, weights=weights))


def worth(screen: Console) -> None:
    """The rules on three histories, and how near the estimates came without labels."""
    for name in NAMES:
        case = use_case(name)
        choice = case.model_copy(update={"training": Training(history=HISTORIES)})
        rules = {"never": case, "triggers": case, "always": case, "triggers, history chosen": choice}
        with own_home():
            lives = {rule: live(made, rule.split(",")[0]) for rule, made in track(rules.items(), name, console=screen)}
            never = lives["never"]
            theirs = nannyml_estimates(case.promotion.metric, never[0].holdout_path, [w.rows_path for w in never])
        windows = Table(title=f"{name}: {case.promotion.metric} by window", title_justify="left")
        for column in ("window", "never", "triggers", "always", "estimated (never)", "what was said (triggers)"):
            windows.add_column(column)
        for old, ours, always, _ in zip(*lives.values(), strict=True):
            values = [f"{window.metric:.3f}" for window in (old, ours, always)]
            windows.add_row(old.window, *values, f"{old.estimate:.3f}", f"{'retrained: ' * ours.trained}{ours.told}")
        screen.print(windows)
        table = Table(title=f"{name}: what retraining is worth", title_justify="left")
        for column in ("rule", "retrainings", "promoted", "mean gain", "of the gain of always"):
            table.add_column(column)
        most = gained(lives["always"], never, case.promotion.metric)
        for rule, lived in lives.items():
            gain_here = gained(lived, never, case.promotion.metric)
            counts = [str(sum(window.trained for window in lived)), str(sum(window.promoted for window in lived))]
            table.add_row(rule, *counts, f"{gain_here:+.4f}", f"{gain_here / most:.0%}")
        screen.print(table)
        told = [f"ours {_error(never, [window.estimate for window in never])}"]
        told += [f"NannyML's {_error(never, theirs)}"] if theirs else []
        told += [f"the first window's value for all {_error(never, [never[0].metric] * len(never))}"]
        screen.print(
            f"{name}: estimate without labels against labels, mean absolute error over {len(never)} windows: "
            f"{', '.join(told)}"
        )


def _error(never: list[Lived], estimates: list[float]) -> str:
    return f"{np.mean([abs(window.metric - estimate) for window, estimate in zip(never, estimates, strict=True)]):.4f}"
