"""All columns jointly: can a classifier tell the window's rows from the reference's?

Its AUC on rows that it did not learn from is 0.5 where it cannot, whatever the number of columns (a classifier two-sample
test; Lopez-Paz & Oquab, "Revisiting Classifier Two-Sample Tests", 2017). It sees what no single column shows: columns that
are as they were, but no longer go together as they did. What weeks differ by without drift, the reference says, as it does
for single columns (`null.py`): a few hundred rows of one afternoon are always told from other
weeks, their bound is above 1, and the test says nothing about them.
"""

from __future__ import annotations

import numpy as np

from tasks.monitoring.drift.null import order_of, windows_without_drift
from tasks.problems.chance import widening

ROWS = 1000  # of the window, and as many of the reference
LEAST_ROWS = 50
DRAWS = 40


def domain_auc(window: np.ndarray, reference: np.ndarray, seed: int) -> float:
    """The AUC, out of fold, of telling rows of `window` from rows of `reference`; both (rows, columns) of bins.

    >>> generator = np.random.default_rng(0)
    >>> x, y = generator.integers(0, 20, (2, 1000))
    >>> apart, together = np.stack([x, y], axis=1), np.stack([x, x], axis=1)
    >>> domain_auc(together, apart, seed=0) > 0.9, domain_auc(apart[:500], apart[500:], seed=0) < 0.6
    (True, True)
    """
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.metrics import roc_auc_score
    from threadpoolctl import threadpool_limits

    generator = np.random.default_rng(seed)
    parts = [part[generator.permutation(len(part))[:ROWS]] for part in (window, reference)]
    rows, origin = np.concatenate(parts), np.repeat([1, 0], [len(part) for part in parts])
    fold, chance = generator.permutation(len(rows)) % 2, np.empty(len(rows))
    for held_out in (0, 1):
        learner = HistGradientBoostingClassifier(
            max_iter=20, max_leaf_nodes=8, max_bins=40, early_stopping=False, random_state=seed
        )
        with threadpool_limits(1, "openmp"):  # threads would wait for each other longer than they work
            learner.fit(rows[fold != held_out], origin[fold != held_out])
            chance[fold == held_out] = learner.predict_proba(rows[fold == held_out])[:, 1]
    return float(roc_auc_score(origin, chance))


def null_of(reference: np.ndarray, times: np.ndarray | None, window_rows: int) -> tuple[float, float, int]:
    """Mean and spread of that AUC over windows without drift, and how many blocks they rest on.

    Args:
        reference: Bins of shape (rows, columns), sorted by time where rows have one.
        times: Of its rows, as datetime64.
        window_rows: Of the windows.
    """
    order = order_of(times, len(reference), window_rows)
    found = []
    for draw, units in enumerate(windows_without_drift(order, DRAWS, 1)[:, 0] > 0):
        blocks = np.isin(order.block, order.block[units])
        found.append(domain_auc(reference[units[order.unit]], reference[~blocks[order.unit]], seed=draw))
    return float(np.mean(found)), float(np.std(found, ddof=1)), order.blocks


def bound(mean: float, spread: float, blocks: int, rate: float) -> float:
    """The AUC that a share `rate` of windows without drift exceeds: AUCs are nearly normal."""
    from scipy.special import ndtri

    return mean + float(ndtri(1 - rate)) * spread * widening(blocks, rate)
