"""How often a challenger that is just as good as the champion is taken back at any of a hundred looks."""

from __future__ import annotations

import numpy as np
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from benchmarks.rollouts import streams
from benchmarks.rollouts.looked import LEVEL, REQUESTS, ours, z_test

CASES: dict[str, tuple[streams.Make, str]] = {
    "errors, 1 %": (streams.errors(0.01), "bounded"),
    "errors, 1 in 1,000": (streams.errors(0.001), "bounded"),
    "latency: over the 95th percentile": (streams.errors(0.05), "bounded"),
    "errors in bursts that meet both": (streams.bursts, "bounded"),
    "errors of persons who come again": (streams.persons, "bounded"),
    "loss of different requests": (streams.losses, "bounded"),
    "loss with a weekly cycle": (streams.weekdays, "bounded"),
    "loss, bad labels come later": (streams.late, "bounded"),
    "loss of the same requests (shadow)": (streams.paired, "pairs"),
    "revenue, heavy tail": (streams.revenue, "heavy"),
}


def false_rollbacks(screen: Console, runs: int) -> None:
    """Print the shares, beside those of a z-test at every look."""
    title = f"{runs:,} rollouts of an equal challenger, 100 looks at {REQUESTS:,} requests a side, stated {LEVEL:.0%}"
    table = Table(title=title, title_justify="left")
    for column in ("what is compared", "taken back", "called better", "z-test at every look: taken back"):
        table.add_column(column)
    with Progress(console=Console(stderr=True), transient=True) as bar:
        for name, (make, kind) in CASES.items():
            found = np.array([_one(make, kind, seed) for seed in bar.track(range(runs), description=name)])
            table.add_row(name, *(f"{share:.1%}" for share in (found > 0).mean(axis=0)))
    screen.print(table)


def _one(make: streams.Make, kind: str, seed: int) -> tuple[int, int, int]:
    one, other = make(np.random.default_rng(seed), 0.0, REQUESTS)
    return *ours(one, other, kind), z_test(one, other, kind)
