"""How many requests a worse challenger needs until it is found, beside a test that looks once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from benchmarks.rollouts import streams
from benchmarks.rollouts.looked import LEVEL, ours
from benchmarks.rollouts.streams import Stream
from tasks.verdicts import means
from tasks.verdicts.power import points_needed

MANY = 10_000_000  # requests that say how large an effect is
FEW = 50  # runs: medians need no more, and the rarest effects need a million requests
Z_BOTH = 1.959964 + 0.841621  # 2.5 % false on this side, 80 % found
Case = tuple[Callable[[np.random.Generator, int], tuple[Stream, Stream]], str, int]


def power(screen: Console, runs: int) -> None:
    """Print, by effect, after how many requests a side half of the runs have found it, when 80 % had been foreseen to, and
    what one look needs for 80 %.
    """
    runs = min(runs, FEW)
    table = Table(title=f"Requests a side until found at {LEVEL:.0%}, {runs} rollouts each", title_justify="left")
    found_after = ("found in", "half found after", "80 % found after", "foreseen")
    for column in ("effect", *found_after, "one look, 80 %", "times as many"):
        table.add_column(column, justify="right")
    with Progress(console=Console(stderr=True), transient=True) as bar:
        for name, (make, kind, most) in _cases().items():
            until = np.unique(np.geomspace(200, most, 60).astype(int))
            found = np.array([_found(make, kind, until, seed) for seed in bar.track(range(runs), description=name)])
            once = _once(make, kind)
            reached = [np.quantile(found, share, method="higher") for share in (0.5, 0.8)]
            told = [f"{each:,.0f}" if np.isfinite(each) else "more" for each in reached]
            times = f"{reached[1] / once:.1f}" if np.isfinite(reached[1]) else ""
            table.add_row(name, f"{np.isfinite(found).mean():.0%}", *told, _foreseen(make, kind), f"{once:,.0f}", times)
    screen.print(table)


def _found(make: Callable[..., tuple[Stream, Stream]], kind: str, until: np.ndarray, seed: int) -> float:
    look, _ = ours(*make(np.random.default_rng(seed), int(until[-1])), kind, until)
    return float(until[look - 1]) if look else np.inf


def _once(make: Callable[..., tuple[Stream, Stream]], kind: str) -> float:
    """What a z-test that looks once, at a number of requests chosen beforehand, needs to find it in 80 of 100."""
    one, other = make(np.random.default_rng(1), MANY)
    groups = [one.values - other.values] if kind == "pairs" else [one.values, -other.values]
    effect = sum(group.mean() for group in groups)
    return float(sum(group.var() for group in groups) * (Z_BOTH / effect) ** 2)


def _foreseen(make: Callable[..., tuple[Stream, Stream]], kind: str) -> str:
    """What is told before a rollout begins, were the spread and the effect known exactly; nothing of pairs."""
    if kind == "pairs":
        return ""
    one, other = (side.values for side in make(np.random.default_rng(1), MANY))
    groups = means.trimmed(one, other) if kind == "heavy" else (one, other)
    variance, effect = (groups[0].var() + groups[1].var()) / 2, groups[0].mean() - groups[1].mean()
    return f"{points_needed(variance, (0.5, 0.5), effect, LEVEL, bounded=kind == 'bounded') / 2:,.0f}"


def _cases() -> dict[str, Case]:
    cases: dict[str, Case] = {
        "errors 1 % more (1 to 2 %)": (_with(streams.errors(0.01), 0.01), "bounded", 30_000),
        "p95 20 % longer (5 to 7.2 % over it)": (_with(streams.errors(0.05), SLOWER), "bounded", 30_000),
        "revenue 2 % less": (_with(streams.revenue, 0.02), "heavy", 1_000_000),
        "revenue 10 % less": (_with(streams.revenue, 0.1), "heavy", 300_000),
    }
    for noise in (0.28, 0.41, 0.72):
        _, _, cost = streams.worse_ranking(noise)(np.random.default_rng(0), 1_000_000)
        cases[f"AUC -{cost:.3f}, shadow"] = (_ranked(noise, paired=True), "pairs", 300_000)
        cases[f"AUC -{cost:.3f}, split"] = (_ranked(noise, paired=False), "bounded", 1_000_000)
    return cases


SLOWER = (
    0.026  # more of the requests over the 95th percentile of log-normal times (sigma 1) where all take 1.2 times as long
)


def _with(make: streams.Make, effect: float) -> Callable[[np.random.Generator, int], tuple[Stream, Stream]]:
    return lambda dice, n: make(dice, effect, n)


def _ranked(noise: float, paired: bool) -> Callable[[np.random.Generator, int], tuple[Stream, Stream]]:
    def make(dice: np.random.Generator, n: int) -> tuple[Stream, Stream]:
        one, other, _ = streams.worse_ranking(noise)(dice, n)
        return one, other if paired else streams.worse_ranking(noise)(dice, n)[1]

    return make
