"""Which looks at windows are due: the first when a window has closed, another when its labels have come."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from configs.errors import InputError
from configs.schema import UseCase
from tasks.clock import current_time
from tasks.log.values import Bounds
from tasks.log.windows import labels_by_window
from tasks.monitoring.findings import finding_path, findings
from tasks.monitoring.values import Finding

PATIENCE = timedelta(days=31)  # after they were due; as long as they take where that is longer
MORE = 0.1  # of the labels that the first look had: fewer new ones would tell the same again


def first_looks(use_case: UseCase, closed: list[Bounds], window: str | None) -> list[Bounds]:
    """Those that were never looked at, or the one of that name.

    Raises:
        InputError: it is not closed.
    """
    if window is not None and window not in [bounds.name for bounds in closed]:
        raise InputError(f"window {window!r} is not closed; closed: {', '.join(b.name for b in closed) or 'none'}")
    return [b for b in closed if b.name == window or not (window or finding_path(use_case.name, b.name).exists())]


def label_looks(use_case: UseCase, closed: list[Bounds], window: str | None) -> list[Bounds]:
    """Those whose labels are due and have come: enough to judge by, and clearly more than the first look had."""
    now, found = current_time(use_case) or datetime.now(UTC), findings(use_case.name)
    looked = {finding.window for finding in found if finding.look == "labels"}
    first = {f.window: f for f in found if f.look == "first" and f.window not in looked and _is_time(use_case, f, now)}
    waiting = [bounds for bounds in closed if bounds.name in first and not window]
    known = labels_by_window(use_case, waiting)
    return [bounds for bounds in waiting if known.get(bounds.name, 0) >= _enough(use_case, first[bounds.name])]


def due(use_case: UseCase, until: str) -> datetime:
    """When the labels of a window that ended then should all be there."""
    return datetime.fromisoformat(until) + use_case.source.label_delay


def _is_time(use_case: UseCase, first: Finding, now: datetime) -> bool:
    moment = due(use_case, first.until)
    return moment <= now <= moment + max(PATIENCE, use_case.source.label_delay)


def _enough(use_case: UseCase, first: Finding) -> float:
    return max(use_case.monitoring.min_labels, (1 + MORE) * first.labelled)
