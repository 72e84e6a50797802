"""What was known of persons before they met a variant explains a part of how they differ, which need not be waited out.

CUPED, of Deng, Xu, Kohavi and Walker, "Improving the sensitivity of online controlled experiments by utilizing
pre-experiment data" (WSDM 2013). Who met what was drawn, so the past of both groups is alike, and taking it out moves no
difference.
"""

from __future__ import annotations

import numpy as np


def without_past(
    values: np.ndarray, others: np.ndarray, past: np.ndarray, others_past: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The points of both groups without what their past explains, by the slope within the groups.

    Args:
        values: shape (n,), a point a person.
        others: shape (m,).
        past: shape (n,), known of the same persons before the first of them met a variant.
        others_past: shape (m,).

    >>> dice = np.random.default_rng(0)
    >>> past = dice.normal(5, 2, (2, 1000))
    >>> values, others = past + dice.normal(0, 1, (2, 1000))
    >>> left, right = without_past(values, others, *past)
    >>> f"{values.std():.1f} {left.std():.1f}"
    '2.1 1.0'
    """
    groups, known = (values, others), (past, others_past)
    if not sum(each.var() * len(each) for each in known):
        return values, others
    slope = _within(groups, known) / _within(known, known)
    usual = np.concatenate(known).mean()
    return values - slope * (past - usual), others - slope * (others_past - usual)


def _within(one: tuple[np.ndarray, ...], other: tuple[np.ndarray, ...]) -> float:
    """The sum of products about the groups' own means."""
    return float(sum((x - x.mean()) @ (y - y.mean()) for x, y in zip(one, other, strict=True)))
