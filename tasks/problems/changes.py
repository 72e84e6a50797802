"""How the answers of one model became those of another on the same rows: by classes, or by how far numbers moved."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from tasks.problems.values import Distribution, Matrix

BINS = 41
SHARES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)


class Changes(NamedTuple):
    """Which rows are answered differently, shape (rows,), and the picture of it."""

    differ: np.ndarray
    picture: Matrix | Distribution


def matrix(labels: list[str], before: np.ndarray, after: np.ndarray) -> Matrix:
    """Of answers as text, shape (rows,); a label that neither model answers with is left out.

    >>> found = matrix(["no", "yes", "maybe"], np.array(["no", "no", "yes"]), np.array(["no", "yes", "yes"]))
    >>> found.labels, found.counts
    (['no', 'yes'], [[1, 1], [0, 1]])
    """
    said = {*before.tolist(), *after.tolist()}
    shown = [label for label in labels if label in said]
    places = {label: place for place, label in enumerate(shown)}
    counts = np.zeros((len(shown), len(shown)), dtype=np.int64)
    np.add.at(counts, ([places[label] for label in before.tolist()], [places[label] for label in after.tolist()]), 1)
    return Matrix(labels=shown, counts=counts.tolist())


def distribution(moved: np.ndarray) -> Distribution:
    """Of differences, shape (rows,).

    >>> found = distribution(np.array([-1.0, 0.0, 0.0, 4.0]))
    >>> found.mean, found.absolute, found.quantiles["median"], sum(found.counts)
    (0.75, 1.25, 0.0, 4)
    """
    low, high = np.quantile(moved, [0.005, 0.995])
    if low == high:
        low, high = low - 0.5, high + 0.5
    counts, edges = np.histogram(np.clip(moved, low, high), bins=BINS, range=(low, high))
    named = {0.0: "smallest", 0.5: "median", 1.0: "largest"}
    quantiles = {named.get(share, f"{share:.0%} lie below"): float(np.quantile(moved, share)) for share in SHARES}
    return Distribution(
        mean=float(moved.mean()),
        absolute=float(np.abs(moved).mean()),
        quantiles=quantiles,
        edges=edges.tolist(),
        counts=counts.tolist(),
    )
