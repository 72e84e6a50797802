"""Columns of a window against those of the reference: of each how far it is from what chance does, corrected over all."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np

from configs.schema import Monitoring
from tasks.columns.kind import ColumnKind
from tasks.monitoring.drift.evidence import Evidence
from tasks.monitoring.drift.null import calibrate
from tasks.monitoring.values import ColumnDrift


def compare(
    rules: Monitoring,
    current: Any,
    reference: Any,
    times: np.ndarray | None,
    kinds: Mapping[str, ColumnKind],
    share: float,
) -> tuple[dict[str, ColumnDrift], int]:
    """Every column's score, distance and share of rows outside the reference; and how many blocks the bound rests on.

    Args:
        rules: For the false alarm rate, and how many windows an alarm needs.
        current: A pandas frame of the window.
        reference: A pandas frame of the same columns, in the order of `times` where rows have one.
        times: Of the reference's rows, as datetime64.
        kinds: Of the columns, by name.
        share: Of the false alarm rate that these columns may spend together.
    """
    if not len(reference.columns):  # the log has a hash of each: nothing can be compared
        return {}, 0
    evidence = Evidence(reference, kinds)
    calibration = calibrate(evidence, reference, times, len(current), rules.false_alarm_rate * share, rules.needed)
    before, now = evidence.sums(reference), evidence.sums(current)
    scores, found = calibration.scores(evidence, evidence.between(now, before)[0]), evidence.distance(now, before)[0]
    new, starts = np.where(before[0] == 0, now[0], 0), evidence.layout.starts
    outside = [new[start:stop].sum() / len(current) for start, stop in pairwise(starts)]
    return {
        name: ColumnDrift(score=scores[name], distance=float(found[number]), outside=float(outside[number]))
        for number, name in enumerate(reference)
    }, calibration.blocks
