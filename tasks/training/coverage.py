"""Coverage: whether intervals hold on rows that nothing was learned from what they promise, as far as chance can tell."""

from __future__ import annotations

import numpy as np

from tasks.problems.chance import quantile, slack
from tasks.problems.numbers import coverage, within
from tasks.training.values import GateResult

RATE = 0.01  # of honest intervals that the gate stops


def coverage_gate(
    promised: float, target: np.ndarray, output: np.ndarray, blocks: np.ndarray, calibrated: int
) -> GateResult:
    """Fewer rows within their interval than promised, by more than chance does to one of a hundred honest models.

    Args:
        promised: The share of rows.
        target: Of the holdout, shape (rows,).
        output: The number and both ends, shape (rows, 3).
        blocks: The day of each row, or the row itself, shape (rows,).
        calibrated: On how many rows the intervals rest.
    """
    value = coverage(target, output, np.ones(len(target)))
    least = promised - allowance(promised, within(target, output), blocks, calibrated)
    told = f">= {least:.4f} ({promised:g} less what chance does)"
    return GateResult(where="all", metric="coverage", value=value, bound=told, passed=value >= least, rows=len(target))


def restored(
    promised: tuple[float | None, float | None],
    target: np.ndarray,
    theirs: np.ndarray,
    ours: np.ndarray,
    blocks: np.ndarray,
    confidence: float,
) -> str:
    """How it is told that a challenger's intervals hold their promise where the champion's do not; empty if not shown.

    Shown are two things, each at the confidence: that the champion's hold fewer rows than promised, and that the
    challenger's hold more than those do, on the same rows. Of the challenger's the opposite of its promise is not shown.

    Args:
        promised: The share of rows, by the champion and by the challenger; None of one without intervals.
        target: Of rows that neither has learned from, shape (rows,).
        theirs: The champion's numbers and both ends, shape (rows, 3).
        ours: The challenger's.
        blocks: The day of each row, or the row itself, shape (rows,).
        confidence: One-sided.
    """
    champion, challenger = promised
    if champion is None or challenger is None:
        return ""
    before, after = (within(target, output).astype(np.float64) for output in (theirs, ours))

    def shown(more: np.ndarray) -> bool:
        return bool(more.mean() > slack(blocks, lambda rows: float(more[rows].mean()), confidence))

    if not (shown(champion - before) and shown(after - before)) or shown(challenger - after):
        return ""
    return f"its intervals hold {after.mean():.3f} of the rows, {challenger:g} promised, the champion's {before.mean():.3f}"


def allowance(promised: float, inside: np.ndarray, blocks: np.ndarray, calibrated: int) -> float:
    """How far under the promise the measured coverage of honest intervals lies in one of a hundred cases.

    Both the holdout and the rows that intervals were calibrated on are samples, of binomial spread. Rows of one day are hit
    and missed together, so the spread is as much larger as that between whole days is (the design effect; Kish, 1965).

    >>> generator = np.random.default_rng(0)
    >>> inside = generator.random(1000) < 0.9
    >>> round(allowance(0.9, inside, np.arange(1000), 4000), 3)  # rows are independent
    0.025
    >>> round(allowance(0.9, np.repeat(inside[:100], 10), np.arange(1000) // 10, 4000), 2)  # days are hit or missed whole
    0.08
    """
    rows, days = len(inside), len(np.unique(blocks))
    share = float(inside.mean())
    _, day = np.unique(blocks, return_inverse=True)
    between = np.bincount(day, weights=inside - share)
    variance = float((between**2).sum()) / rows**2 * days / max(days - 1, 1)
    effect = max(1.0, variance / max(share * (1 - share) / rows, 1e-12))
    spread = np.sqrt(promised * (1 - promised) * effect * (1 / rows + 1 / max(calibrated, 1)))
    return float(spread) * quantile(1 - RATE, days - 1)
