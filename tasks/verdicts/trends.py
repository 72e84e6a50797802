"""Groups that were chosen, not drawn: how their difference has changed since before one of them met the challenger.

Difference in differences (Card and Krueger, "Minimum wages and employment", American Economic Review, 1994). What the groups
differ in for good, and what befell both, falls out. What it rests on cannot be seen in the data: that without the challenger
both would have changed alike.
"""

from __future__ import annotations

CAVEAT = "the groups were chosen, so this holds only if both would have changed alike"
Found = tuple[float, float, float]


def in_differences(during: Found | None, before: Found | None) -> Found | None:
    """The change of a difference with its bounds, from two differences with theirs, each at half of the level.

    Both intervals hold at all times and together, so what they leave possible is never left (a union bound).

    >>> during, before = (0.5, 0.25, 0.75), (0.125, 0.0, 0.25)
    >>> in_differences(during, before)
    (0.375, 0.0, 0.75)
    """
    if during is None or before is None:
        return None
    return during[0] - before[0], during[1] - before[2], during[2] - before[1]
