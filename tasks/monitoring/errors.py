"""Concept drift on the stream of errors: where river's ADWIN sees them rise. Told beside the metric; it raises no alarm.

ADWIN (Bifet & Gavaldà, "Learning from Time-Changing Data with Adaptive Windowing", 2007) takes errors as independent. Rows
of one day are not, so its level holds only where rows have no time; what it is good for is to say when.
"""

from __future__ import annotations

import numpy as np


def errors_rose(before: np.ndarray, now: np.ndarray, level: float) -> int | None:
    """The row of `now` at which the errors were first seen to be higher than earlier; both in order of time.

    Args:
        before: Loss of each row of the holdout, in [0, 1].
        now: Loss of each labelled row of the window.
        level: The confidence value delta of ADWIN.

    >>> generator = np.random.default_rng(0)
    >>> row = errors_rose(generator.random(2000) / 2, generator.random(2000), 0.002)
    >>> row is not None and row < 200
    True
    """
    from river.drift import ADWIN

    detector, usual = ADWIN(delta=level), float(before.mean())
    for loss in before.tolist():
        detector.update(loss)
    for row, loss in enumerate(now.tolist()):
        detector.update(loss)
        if detector.drift_detected and detector.estimation > usual:
            return row
    return None
