"""What every strategy has: the traffic of its stage, and how its answers are compared with the champion's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from serving.traffic.plan import Arm, Plan


class Strategy(Protocol):
    """One way to let a challenger meet requests. `paired`: champion and challenger answer the same ones."""

    paired: bool

    def shares(self, stage: Any) -> tuple[float, float]:
        """Which share of the requests a challenger answers, and which a fresh baseline of the champion."""

    def split(self, stage: Any, plan: Plan, challengers: Sequence[Arm], baseline: Arm | None) -> Plan:
        """The plan of the stage, from one that sends all to the champion. Arms come without their share."""
