"""False alarms of the flow of reasons, and what it finds of a change that turns what moves answers."""

from __future__ import annotations

import os
import tempfile
import time
from typing import Any

import numpy as np
from prefect.logging import disable_run_logger
from rich.console import Console
from rich.table import Table

from benchmarks.monitoring.alarms import RULES, Detector
from benchmarks.monitoring.cases import NAMES, use_case
from benchmarks.monitoring.data import REFERENCE_ROWS, Rows, without_drift
from configs.schema import UseCase
from serving.contract.contract import Contract
from serving.reasons.reasons import Additive
from tasks.data.derive_contract import derive_contract
from tasks.data.frames import contract_of, read_rows
from tasks.data.ingest import ingest
from tasks.data.split import split
from tasks.explaining.sample import affordable
from tasks.monitoring.drift.explain_reference import MOST_CONDITIONS, ROWS
from tasks.monitoring.drift.reasons import attributed, reason_drifts
from tasks.monitoring.drift.watch_reasons import sampled
from tasks.packaging.explain import additive, plain
from tasks.training.fit import fit

SIZES, SPLITS, WINDOWS, CHANGED, LEARNED = (200, 2000, 20_000), 20, 50, 5, 50_000


def reasons(screen: Console) -> None:
    """The share of windows whose attributions are called drifted though weeks were dealt by chance, against the stated 1 %.

    Beside it windows in which the two most important columns of numbers changed places, rank for rank.
    """
    table = Table(title="Flow of reasons (stated: 1.0 %)", title_justify="left")
    for head in ("data", "rows", "explained", "windows", "alarms", "splits with any", "two columns swapped", "rows/s"):
        table.add_column(head)
    with tempfile.TemporaryDirectory() as home, disable_run_logger():
        os.environ["SLIPWAY_HOME"] = home
        for name in NAMES:
            model, contract, frame, timed = _explained(use_case(name))
            kept = affordable(model, min(ROWS, len(frame) // 2), MOST_CONDITIONS)
            share = kept / min(REFERENCE_ROWS, len(frame) // 2)
            frame = frame.iloc[np.linspace(0, len(frame) - 1, round(len(frame) * share)).round().astype(int)]
            frame = frame.reset_index(drop=True)
            began = time.process_time()
            found = attributed(model, contract, frame)
            speed = len(found) / (time.process_time() - began)
            swapped = attributed(model, contract, _swapped(frame, found, contract))
            for size in SIZES:
                size = min(size, int(len(frame) / share * 0.45))
                line = _counted(found, swapped, frame["time"], sampled(size, kept, round(kept / share)), kept, timed)
                told = [f"{SPLITS * WINDOWS:,}", *(f"{value:.1%}" for value in line), f"{speed:,.0f}"]
                table.add_row(name, f"{size:,}", f"{sampled(size, kept, round(kept / share)):,}", *told)
                screen.print(name, size, *told)
    screen.print(table)


def _explained(case: UseCase) -> tuple[Additive, Contract, Any, bool]:
    """A model of the first rows, its contract, and all rows with a column `time`."""
    snapshot = ingest.fn(case, None)
    digest, parts = derive_contract.fn(case, snapshot), split.fn(case, snapshot)
    pipeline, _ = fit(snapshot, min(LEARNED, parts.learn), digest, case.recipe)
    model = additive(plain(pipeline), case.recipe, parts, contract_of(digest))
    assert model is not None
    frame = read_rows(snapshot, 0, snapshot.rows)
    return model, contract_of(digest), frame.rename(columns={case.source.time_column: "time"}), True


def _swapped(frame: Any, found: Any, contract: Contract) -> Any:
    """Each of the two columns has the other's ranks, so that both are distributed as they were."""
    numeric = [column.name for column in contract.columns if column.kind == "numeric"]
    one, other = found[numeric].abs().mean().sort_values(ascending=False).index[:2]
    changed = {}
    for to, by in ((one, other), (other, one)):
        values, ranks = np.sort(frame[to].to_numpy(dtype=float)), frame[by].to_numpy(dtype=float)
        changed[to] = values[np.argsort(np.argsort(ranks, kind="stable"), kind="stable")]
    return frame.assign(**changed)


def _counted(found: Any, swapped: Any, times: Any, size: int, kept: int, timed: bool) -> tuple[float, float, float]:
    rows = Rows(found.assign(time=times, row=np.arange(len(found))), list(found), [], timed)
    false, splits, seen = [], [], []
    for reference, windows in without_drift(rows, size, SPLITS, WINDOWS, most=kept):
        detector = Detector(rows, reference, size, RULES.false_alarm_rate)
        drifted = [_told(detector, window, found) for window in windows]
        false += drifted
        splits.append(any(drifted))
        seen += [_told(detector, swapped.iloc[window["row"]], found) for window in windows[:CHANGED]]
    return float(np.mean(false)), float(np.mean(splits)), float(np.mean(seen))


def _told(detector: Detector, window: Any, found: Any) -> bool:
    scores = detector.calibration.scores(
        detector.evidence, detector.evidence.between(detector.evidence.sums(window), detector.before)[0]
    )
    now, before = (frame[list(found)] for frame in (window, detector.reference))
    return any(column.moved for column in reason_drifts(scores, now, before).values())
