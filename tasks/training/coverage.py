"""Coverage: whether intervals hold on rows that nothing was learned from what they promise, as far as chance can tell."""

from __future__ import annotations

import numpy as np

from tasks.problems.chance import quantile, slack
from tasks.problems.numbers import coverage
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
    inside = (output[:, 1] <= target) & (target <= output[:, 2])
    least = promised - allowance(promised, inside, blocks, calibrated)
    told = f">= {least:.4f} ({promised:g} less what chance does)"
    return GateResult(where="all", metric="coverage", value=value, bound=told, passed=value >= least, rows=len(target))


def restored(
    promised: float, target: np.ndarray, ours: np.ndarray, theirs: np.ndarray, blocks: np.ndarray, confidence: float
) -> str:
    """What is told where the champion's intervals are shown to hold fewer rows than promised, and the challenger's are not.

    Args:
        promised: The share of rows.
        target: Of rows that neither has learned from, shape (rows,).
        ours: The challenger's number and both ends, shape (rows, 3).
        theirs: The champion's; its ends are NaN where it answers none, and then nothing is told.
        blocks: The day of each row, or the row itself, shape (rows,).
        confidence: Of either statement, one-sided.
    """
    every, weight = np.arange(len(target)), np.ones(len(target))

    def most(output: np.ndarray) -> tuple[float, float]:
        def share(rows: np.ndarray) -> float:
            return coverage(target[rows], output[rows], weight[rows])

        return share(every), share(every) + slack(blocks, share, confidence)

    if np.isnan(theirs[:, 1]).all():
        return ""
    (before, most_before), (after, most_after) = most(theirs), most(ours)
    if not most_before < promised <= most_after:
        return ""
    return f"its intervals hold {after:.3f} of the rows again, {promised:g} promised, against {before:.3f}"


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
