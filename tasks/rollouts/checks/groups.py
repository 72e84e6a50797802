"""Two groups compared by a number of each row: drawn ones as they are, chosen ones by how their difference has changed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from configs.rollout import Check
from tasks.rollouts.evidence import Evidence
from tasks.verdicts.judge import judged
from tasks.verdicts.trends import CAVEAT, Found, in_differences
from tasks.verdicts.values import Verdict

# Of the challenger's rows and the reference's, at a level: how many points each has, and the difference with its bounds.
Compare = Callable[[Any, Any, float], tuple[tuple[int, int], Found | None]]


def compared(evidence: Evidence, check: Check, level: float, compare: Compare) -> Verdict:
    """The verdict; of chosen groups with what it rests on."""
    if evidence.before is None:
        points, found = compare(evidence.challenger, evidence.reference, level)
        return judged(check.name, check.margin, level, points, found)
    (points, during), (earlier, before) = (
        compare(*rows, level / 2) for rows in ((evidence.challenger, evidence.reference), evidence.before)
    )
    fewest = (min(points[0], earlier[0]), min(points[1], earlier[1]))
    verdict = judged(check.name, check.margin, level, fewest, in_differences(during, before), " (since before the stage)")
    return verdict.model_copy(update={"reason": f"{verdict.reason}; {CAVEAT}"})
