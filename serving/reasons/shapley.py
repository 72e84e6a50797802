"""Shapley values of a path to a leaf.

A path says of each of its features which values lead on. In the game of a tree (Lundberg et al., "From local explanations to
global understanding with explainable AI for trees", 2020, algorithm 1) a set of known features S gives the leaf

    v(S) = prod(held[i] for i in S) * prod(ratio[i] for i not in S)

where `held` says whether the row's value leads on, and `ratio` is the share of the training rows that went on there. The
Shapley value of such a product is the integral of its multilinear extension (Owen, "Multilinear Extensions of Games", 1972)

    phi[j] = (held[j] - ratio[j]) * integral of prod(t * held[i] + (1 - t) * ratio[i] for i != j) over t in [0, 1]

a polynomial in t, which Gauss-Legendre quadrature gets exactly with half as many points as there are features. All terms are
positive, so that nothing cancels however long a path is.
"""

from __future__ import annotations

import numpy as np


def shapley(held: np.ndarray, ratio: np.ndarray) -> np.ndarray:
    """The Shapley value of each feature of paths to leaves of 1, in 64 bits, in the shape that the two broadcast to.

    Args:
        held: Whether a row's value leads on, shape (..., features).
        ratio: Of the training rows that came to the feature's splits the share that went on, shape (..., features).

    >>> shapley(np.array([True, False]), np.array([0.5, 0.25])).tolist()
    [0.0625, -0.1875]
    """
    points, weights = np.polynomial.legendre.leggauss((ratio.shape[-1] + 1) // 2)
    others = np.zeros(np.broadcast_shapes(held.shape, ratio.shape))
    for point, weight in zip((points + 1) / 2, weights / 2, strict=True):
        others += weight * _products_of_others(np.where(held, point + (1 - point) * ratio, (1 - point) * ratio))
    return (held - ratio) * others


def _products_of_others(factors: np.ndarray) -> np.ndarray:
    """Along the last axis, the product of all but each: of those before it and those behind, so that none may not be 0."""
    before, behind = np.ones_like(factors), np.ones_like(factors)
    np.cumprod(factors[..., :-1], axis=-1, out=before[..., 1:])
    behind[..., :-1] = np.cumprod(factors[..., :0:-1], axis=-1)[..., ::-1]
    return before * behind
