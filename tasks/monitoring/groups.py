"""The groups of a window: what its rows of one version show."""

from __future__ import annotations

from tasks.fairness.values import FairnessFound
from tasks.log.values import Window
from tasks.monitoring.findings import findings
from tasks.monitoring.values import Drift, Group, Performance, ReasonFlow


def group_of(
    part: Window,
    drift: Drift | None,
    reasons: ReasonFlow | None,
    performance: Performance,
    fairness: FairnessFound | None = None,
) -> Group:
    """A part of a window, judged."""
    found = {"drift": drift, "reasons": reasons, "performance": performance, "fairness": fairness}
    return Group(version=part.version, rows=part.rows, **found)


def drift_before(part: Window) -> tuple[Drift | None, ReasonFlow | None]:
    """What the first look at a window found of drift in the rows of this version, and in its reasons."""
    first = [finding for finding in findings(part.use_case) if finding.window == part.name and finding.look == "first"]
    groups = [group for finding in first for group in finding.groups if group.version == part.version]
    return (groups[0].drift, groups[0].reasons) if groups else (None, None)
