"""Concept drift on the stream of errors: where river's detectors see them rise. Told beside the metric; they raise no alarm.

ADWIN (Bifet & Gavaldà, "Learning from Time-Changing Data with Adaptive Windowing", 2007), DDM (Gama et al., "Learning with
Drift Detection", 2004) and Page-Hinkley (Page, "Continuous Inspection Schemes", 1954) take errors as independent. Rows of
one day are not, so their levels hold only where rows have no time; what they are good for is to say when.
"""

from __future__ import annotations

from typing import Any

import numpy as np

RECENT = 100


def errors_rose(before: np.ndarray, now: np.ndarray, level: float, wrong: float = 0.25) -> dict[str, int]:
    """Of each detector that saw the errors rise, the row of `now` at which it did; both are in order of time.

    Args:
        before: The loss of each row of the holdout, in [0, 1].
        now: The loss of each labelled row of the window.
        level: The confidence value delta of ADWIN. The others have river's defaults.
        wrong: Over which loss a row is wrong; a quarter is the squared error of a probability on the other side of a half.

    >>> generator = np.random.default_rng(0)
    >>> rows = errors_rose(generator.random(2000) / 2, generator.random(2000), 0.002)
    >>> sorted(rows), max(rows.values()) < 400
    (['ADWIN', 'DDM', 'Page-Hinkley'], True)
    """
    from river.drift import ADWIN, PageHinkley
    from river.drift.binary import DDM

    found = {
        "ADWIN": _first(ADWIN(delta=level), before, now),
        "DDM": _first(DDM(), before > wrong, now > wrong),
        "Page-Hinkley": _first(PageHinkley(mode="up"), before, now),
    }
    return {name: row for name, row in found.items() if row is not None}


def _first(detector: Any, before: np.ndarray, now: np.ndarray) -> int | None:
    """The first row of `now` where the detector alarms and what it last saw is worse than usual."""
    usual = float(before.mean())
    for loss in before.tolist():
        detector.update(loss)
    for row, loss in enumerate(now.tolist()):
        detector.update(loss)
        if detector.drift_detected and now[max(0, row - RECENT) : row + 1].mean() > usual:
            return row
    return None
