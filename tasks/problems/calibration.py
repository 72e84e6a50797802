"""How often rows with a score are positive, learned from held out rows."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

ISOTONIC_ROWS = 1000  # with fewer, two parameters (Platt, 1999) are all that can be learned


def calibrator(target: np.ndarray, probability: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """A function of scores of shape (rows,)."""
    if len(target) >= ISOTONIC_ROWS:
        from sklearn.isotonic import IsotonicRegression

        isotonic = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip").fit(probability, target)
        return lambda scores: np.asarray(isotonic.predict(scores))
    from sklearn.linear_model import LogisticRegression

    platt = LogisticRegression(C=1e6).fit(_logit(probability), target)
    return lambda scores: np.asarray(platt.predict_proba(_logit(scores))[:, 1])


def _logit(probability: np.ndarray) -> np.ndarray:
    clipped = np.clip(probability.astype(np.float64), 1e-6, 1 - 1e-6)
    return np.log(clipped / (1 - clipped)).reshape(-1, 1)
