"""False alarms over windows without drift, and what is found of drift of a known size, beside Evidently and NannyML."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.monitoring.data import NAMES, Rows, read, without_drift
from benchmarks.monitoring.peers import evidently, nannyml
from configs.schema import Monitoring
from tasks.monitoring.drift.evidence import Evidence
from tasks.monitoring.drift.faults import fault
from tasks.monitoring.drift.null import calibrate

SIZES = (200, 2000, 20_000)
SPLITS, WINDOWS = 20, 50
PEER_SPLITS, PEER_WINDOWS = 4, 5
POWER_RATE = 0.05
RULES = Monitoring(false_alarm_rate=0.01)
Change = Callable[[Rows, Any, np.random.Generator], Any]


class Detector:
    """The bounds for windows of a length against a reference."""

    def __init__(self, rows: Rows, reference: Any, size: int, rate: float = RULES.false_alarm_rate) -> None:
        self.rows, self.reference = rows, reference
        self.evidence = Evidence(reference[rows.features], rows.kinds)
        self.before = self.evidence.sums(reference)
        times = reference["time"].to_numpy() if rows.timed else None
        self.calibration = calibrate(self.evidence, reference, times, size, rate, RULES.needed)

    def drifted(self, window: Any) -> list[str]:
        """The columns over their bound, farthest first."""
        scores = self.calibration.scores(self.evidence, self.evidence.between(self.evidence.sums(window), self.before)[0])
        return sorted((name for name, score in scores.items() if score > 1), key=lambda name: -scores[name])

    def cause(self, window: Any) -> dict[str, str | None]:
        """What is said of each drifted column."""
        return {n: fault(window[n], self.reference[n], self.rows.kinds[n]) for n in self.drifted(window)}


def false_alarms(screen: Console) -> None:
    """The share of windows without drift that alarm, against the stated 1 %."""
    table = Table(title="Windows without drift that alarm (stated: 1.0 %)", title_justify="left")
    for column in (
        "data",
        "rows",
        "windows",
        "Slipway",
        "splits with any",
        "Evidently: a column",
        "Evidently: dataset",
        "NannyML",
    ):
        table.add_column(column)
    for name in NAMES:
        rows = read(name)
        for size in SIZES:
            size = min(size, int(len(rows.frame) * 0.45))
            ours, some, most, theirs = [], [], [], []
            splits = track(without_drift(rows, size, SPLITS, WINDOWS), f"{name} {size}", SPLITS, console=screen)
            for number, (reference, windows) in enumerate(splits):
                detector = Detector(rows, reference, size)
                ours.append(np.mean([bool(detector.drifted(window)) for window in windows]))
                if number < PEER_SPLITS:
                    few = windows[:PEER_WINDOWS]
                    one, half = evidently(rows, reference, few)
                    some, most = some + [score > 1 for score in one], most + half
                    theirs += [score > 1 for score in nannyml(rows, reference, few) or []]
            line = [f"{np.mean(ours):.1%}", f"{np.mean(np.array(ours) > 0):.0%}", _share(some), _share(most), _share(theirs)]
            table.add_row(name, f"{size:,}", f"{SPLITS * WINDOWS:,}", *line)
            screen.print(name, size, *line)
    screen.print(table)
    screen.print(f"Peers with their defaults on {PEER_SPLITS * PEER_WINDOWS} of the same windows.")


def power(screen: Console) -> None:
    """The share of windows with a drift of known size that alarm, all three at the same rate of false alarms.

    Ours is stated. The bounds of the peers are set on windows without drift, as the quantile of their scores.
    """
    table = Table(
        title=f"Windows with drift that alarm, at {POWER_RATE:.0%} of false alarms: adult, 1,000 rows", title_justify="left"
    )
    for column in ("drift", "Slipway", "windows until found", "right column first", "cause named", "Evidently", "NannyML"):
        table.add_column(column)
    rows = read("adult")
    pairs = list(without_drift(rows, 1000, PEER_SPLITS, 25, seed=5))
    bounds = _peer_bounds(rows, pairs)
    generator = np.random.default_rng(0)
    for told, (column, change) in track(CHANGES.items(), "power", console=screen):
        alarmed, until, first, named, theirs = [], [], [], [], ([], [])
        for reference, clean in pairs:
            detector = Detector(rows, reference, 1000, POWER_RATE)
            windows = [change(rows, window.copy(), generator) for window in clean]
            for window in windows:
                found = detector.cause(window)
                alarmed.append(bool(found))
                first.append(next(iter(found), None) == column)
                named.append(bool(found.get(column or "")))
            here = alarmed[-len(windows) :]
            until.append(here.index(True) + 1 if any(here) else np.inf)
            few = windows[:PEER_WINDOWS]
            for kept, scores, bound in zip(theirs, _peer_scores(rows, reference, few), bounds, strict=True):
                kept += [score > bound for score in scores]
        right = [_share(first), _share(named)] if column else ["", ""]
        table.add_row(told, _share(alarmed), f"{np.mean(until):.1f}", *right, *map(_share, theirs))
    screen.print(table)
    screen.print(f"Peers on {PEER_SPLITS * PEER_WINDOWS} of the {sum(len(clean) for _, clean in pairs)} windows.")


def _peer_scores(rows: Rows, reference: Any, windows: list[Any]) -> tuple[list[float], list[float]]:
    return evidently(rows, reference, windows)[0], nannyml(rows, reference, windows) or []


def _peer_bounds(rows: Rows, pairs: list[tuple[Any, list[Any]]]) -> list[float]:
    """Of each peer the score that the stated share of windows without drift exceeds."""
    scores: tuple[list[float], list[float]] = ([], [])
    for reference, clean in pairs:
        for kept, found in zip(scores, _peer_scores(rows, reference, clean), strict=True):
            kept += found
    return [float(np.quantile(found, 1 - POWER_RATE)) if found else np.inf for found in scores]


def _shift(by: float) -> Change:
    def change(rows: Rows, window: Any, generator: np.random.Generator) -> Any:
        window["age"] = window["age"] + by * rows.frame["age"].std()
        return window

    return change


def _scale(column: str, factor: float) -> Change:
    return lambda rows, window, generator: window.assign(**{column: window[column] * factor})


def _lose(share: float) -> Change:
    def change(rows: Rows, window: Any, generator: np.random.Generator) -> Any:
        window.loc[generator.random(len(window)) < share, "hours_per_week"] = np.nan
        return window

    return change


def _rename(rows: Rows, window: Any, generator: np.random.Generator) -> Any:
    return window.assign(workclass=window["workclass"].str.lower())


def _new(share: float) -> Change:
    def change(rows: Rows, window: Any, generator: np.random.Generator) -> Any:
        window.loc[generator.random(len(window)) < share, "workclass"] = "Gig-work"
        return window

    return change


def _more_positives(rows: Rows, window: Any, generator: np.random.Generator) -> Any:
    weight = np.where(window["target"] == 1, 3.0, 1.0)
    return window.sample(len(window), replace=True, weights=weight, random_state=int(generator.integers(1 << 30)))


CHANGES: dict[str, tuple[str | None, Change]] = {
    "none": (None, lambda rows, window, generator: window),
    "age up by 0.1 of its deviation": ("age", _shift(0.1)),
    "age up by 0.25": ("age", _shift(0.25)),
    "age up by 0.5": ("age", _shift(0.5)),
    "three times the odds of the positive class": (None, _more_positives),
    "hours in minutes": ("hours_per_week", _scale("hours_per_week", 60)),
    "hours all zero": ("hours_per_week", _scale("hours_per_week", 0)),
    "5 % of hours missing": ("hours_per_week", _lose(0.05)),
    "half of hours missing": ("hours_per_week", _lose(0.5)),
    "a new category, 3 %": ("workclass", _new(0.03)),
    "categories in lower case": ("workclass", _rename),
}


def _share(found: list[bool]) -> str:
    return f"{np.mean(found):.0%}" if found else "not installed"
