"""Named groups: a pilot meets the challenger, everybody else stays with the champion."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from configs.rollout import Cohort
from serving.traffic.plan import Arm, Plan
from serving.traffic.plan import Cohort as Group


class Pilot:
    """Groups by choice, not by chance: they may differ in themselves, so what is compared is not proof of a cause."""

    paired = False

    def shares(self, stage: Cohort) -> tuple[float, float]:
        """Nobody meets the challenger by chance."""
        return 0.0, 0.0

    def split(self, stage: Cohort, plan: Plan, challengers: Sequence[Arm], baseline: Arm | None) -> Plan:
        """By the values of one column."""
        group = Group(column=stage.column, values=tuple(stage.values), arm=challengers[0].name)
        return replace(plan, arms=tuple(challengers), cohorts=(group,))
