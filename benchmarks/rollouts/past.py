"""What it saves to take out of a KPI what persons' past explains (CUPED), and whether equals stay equal."""

from __future__ import annotations

import numpy as np
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from benchmarks.rollouts import streams
from benchmarks.rollouts.looked import LEVEL, LOOKS, ours

EFFECT, MOST = 0.1, 200_000
UNTIL = np.unique(np.geomspace(1000, MOST, 60).astype(int))
CASES = {"revenue of persons": streams.regulars(known=False), "the same without their past": streams.regulars(known=True)}


def past(screen: Console, runs: int) -> None:
    """Print how often an equal is taken back, and after how many requests a side one that earns 10 % less is."""
    table = Table(title=f"{runs:,} rollouts each, stated {LEVEL:.0%}; persons come ten times", title_justify="left")
    for column in (
        "what is compared",
        "equals taken back",
        "called better",
        "10 % less: half found after",
        "80 % found after",
    ):
        table.add_column(column)
    with Progress(console=Console(stderr=True), transient=True) as bar:
        for name, make in CASES.items():
            said = np.array([ours(*make(dice(seed), 0.0, LOOKS[-1]), "heavy") for seed in bar.track(range(runs))])
            looks = np.array([ours(*make(dice(seed), EFFECT, MOST), "heavy", UNTIL)[0] for seed in bar.track(range(runs))])
            found = np.where(looks, UNTIL[looks - 1], np.inf)
            reached = [f"{np.quantile(found, share, method='higher'):,.0f}" for share in (0.5, 0.8)]
            table.add_row(name, *(f"{share:.1%}" for share in (said > 0).mean(axis=0)), *reached)
    screen.print(table)


def dice(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)
