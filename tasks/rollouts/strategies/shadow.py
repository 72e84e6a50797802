"""Dark launch: the challenger answers copies, and nobody sees what it says."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from configs.rollout import Shadow
from serving.traffic.plan import Arm, Plan


class DarkLaunch:
    """Pairs of answers to the same requests, which is why so few show so much."""

    paired = True

    def shares(self, stage: Shadow) -> tuple[float, float]:
        """Nobody meets the challenger."""
        return 0.0, 0.0

    def split(self, stage: Shadow, plan: Plan, challengers: Sequence[Arm], baseline: Arm | None) -> Plan:
        """A share of the requests is copied."""
        return replace(plan, shadows=tuple(replace(each, share=stage.share) for each in challengers))
