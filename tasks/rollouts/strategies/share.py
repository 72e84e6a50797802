"""A share of the requests: canaries, which grow, and A/B tests, which stay as they are."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from configs.rollout import Ab, Canary
from serving.traffic.plan import Arm, Plan

WITH_BASELINE = 1 / 3  # beyond this share the champion itself is as good a comparison, and a third server would starve it


class Share:
    """Groups by chance. A small one is compared with a baseline: the champion's own bundle, as fresh and as little asked."""

    paired = False

    def shares(self, stage: Canary | Ab) -> tuple[float, float]:
        """The baseline answers as much as a challenger, where that is little."""
        others = stage.all_of_them if isinstance(stage, Ab) else stage.share
        room = stage.share <= WITH_BASELINE and others + stage.share <= 1
        return stage.share, stage.share if room else 0.0

    def split(self, stage: Canary | Ab, plan: Plan, challengers: Sequence[Arm], baseline: Arm | None) -> Plan:
        """By the key, or by request."""
        share, beside = self.shares(stage)
        arms = [replace(each, share=share) for each in challengers]
        if baseline is not None and beside:
            arms.append(replace(baseline, share=beside))
        return replace(plan, arms=tuple(arms))
