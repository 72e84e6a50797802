"""The value of verdicts: what a comparison of a challenger with a reference says, and may say at any time."""

from __future__ import annotations

from typing import Literal

from tasks.store import Value

Says = Literal["better", "worse", "equivalent", "undecided"]


class Verdict(Value):
    """What one check says. `estimate` is how much worse the challenger is, `lower` and `upper` hold the truth at all times.

    All three are in the units of the check, and above zero is worse, whichever way its measure runs. They are left out where
    nothing can be said. `level` is the chance that the interval ever misses the truth, `points` how many independent values
    (keys, requests, pairs) each side has. Of what is in `too_few` nothing could be said. What is `only_told` takes nobody
    back. `variant` is the arm that was compared, where there are several challengers.
    """

    check: str
    verdict: Says
    reason: str
    margin: float
    level: float
    points: tuple[int, int]
    estimate: float | None = None
    lower: float | None = None
    upper: float | None = None
    too_few: list[str] = []
    only_told: bool = False
    variant: str = ""

    @property
    def title(self) -> str:
        """What people read: the check, and of whom."""
        return f"{self.check} ({self.variant})" if self.variant else self.check

    @property
    def silent(self) -> bool:
        """Whether all that is asked about is too few, which may stay so however long one waits."""
        return bool(self.too_few) and self.estimate is None
