"""How many points a check needs until it is decided: reckoned before they come, from the interval that will decide it.

The usual formulas are those of a test that looks once; an interval that holds at all times is wider, so a stage planned by
them would end undecided. Here the interval itself (`means.difference`) is asked from how many points on its half width, and
how far the estimate may lie off the truth, together are no more than the effect. Then in 80 of 100 rollouts a challenger as
good as the champion is `equivalent` where the effect is the margin; one that is better by the effect is `better`, and one
that is worse than the margin by the effect is `worse`.
"""

from __future__ import annotations

import numpy as np

from tasks.verdicts.judge import LEAST
from tasks.verdicts.means import widening

OFF = 0.841621  # standard errors: in 80 of 100 the estimate lies no farther off on the wrong side
MOST = 1e15


def points_needed(spread: float, shares: tuple[float, float], effect: float, level: float, bounded: bool = False) -> float:
    """Points that must come to all variants together; infinite where no number is enough.

    Args:
        spread: The variance of a point, taken as the same in both groups.
        shares: Of the points, which the challenger gets, and which its reference.
        effect: The difference that must be found, in the units of the points.
        level: Of the check.
        bounded: As `means.difference` has it: a 0 and a 1 that nobody saw are added.

    >>> round(points_needed(0.0099, (0.5, 0.5), 0.005, level=0.05), -3)  # errors of 1 %
    25000.0
    >>> points_needed(0.0099, (0.5, 0.5), 0.0, level=0.05)
    inf
    """
    points = np.geomspace(LEAST / min(shares), MOST, 5000)
    error = sum((spread + bounded / (points * share)) / (points * share) for share in shares)
    enough = np.sqrt(error) * (widening(points * sum(shares), level) + OFF) <= effect
    return float(points[enough.argmax()]) if enough.any() else float("inf")


def spread(half: float, points: tuple[int, int], level: float) -> float:
    """The variance of a point from the half width of an interval, both groups alike: the way back.

    >>> from tasks.verdicts.means import difference
    >>> values = np.random.default_rng(0).normal(0, 3, 500)
    >>> _, _, upper = difference(values, values, level=0.05)
    >>> round(spread(upper, (500, 500), level=0.05), 2), round(float(values.var(ddof=1)), 2)
    (9.26, 9.26)
    """
    return float((half / widening(sum(points), level)) ** 2 / sum(1 / each for each in points))
