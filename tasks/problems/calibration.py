"""What rows may turn out to be, by what was answered: learned from held out rows, for estimates before labels come."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

ISOTONIC_ROWS = 1000  # with fewer, two parameters (Platt, 1999) are all that can be learned
LEAST = 1e-12  # of a probability, before its logarithm is taken
PULL = 1.0  # how many rows' worth of doubt keeps a class's shift near 0
VALUES = 10  # that the target of a row may have


def calibrator(target: np.ndarray, probability: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """How often rows with a score are positive, as a function of scores of shape (rows,)."""
    if len(target) >= ISOTONIC_ROWS:
        from sklearn.isotonic import IsotonicRegression

        isotonic = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip").fit(probability, target)
        return lambda scores: np.asarray(isotonic.predict(scores))
    from sklearn.linear_model import LogisticRegression

    platt = LogisticRegression(C=1e6).fit(_logit(probability), target)
    return lambda scores: np.asarray(platt.predict_proba(_logit(scores))[:, 1])


def temperature(target: np.ndarray, probability: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """How often rows are of each class, as a function of probabilities of shape (rows, k).

    Bias-corrected temperature scaling (Alexandari, Kundaje and Shrikumar, 2020): one slope for all logarithms, and a shift a
    class, of the greatest likelihood. A curve of its own for every class would need more rows than rare classes have.

    Args:
        target: The number of each row's class, shape (rows,).
        probability: What was answered, shape (rows, k).
    """
    from scipy.optimize import minimize

    own, logs = target.astype(np.int64), _logs(probability)
    rows, k = logs.shape

    def loss(parameters: np.ndarray) -> tuple[float, np.ndarray]:
        slope, shift = parameters[0], parameters[1:]
        chance = _softmax(slope * logs + shift)
        value = -np.log(np.maximum(chance[np.arange(rows), own], 1e-300)).sum() + PULL / 2 * (shift @ shift)
        chance[np.arange(rows), own] -= 1
        return value / rows, np.concatenate([[(chance * logs).sum()], chance.sum(axis=0) + PULL * shift]) / rows

    found = minimize(loss, np.concatenate([[1.0], np.zeros(k)]), jac=True, method="L-BFGS-B").x
    return lambda scores: _softmax(found[0] * _logs(scores) + found[1:])


def spread(target: np.ndarray, judged: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Values that targets may have, equally likely, as a function of answers (rows, 3) that gives (rows, `VALUES`).

    An interval says how far off its number may be, so a target is the number and an error of the holdout, as much larger as
    the interval is wider: as direct loss estimation (NannyML's DLE), whose second model the interval has already. Where
    the holdout contradicts that, errors grow with a power of the width that it shows, 0 where the width says nothing.

    Args:
        target: Shape (rows,).
        judged: The number and both ends of its interval, shape (rows, 3).
    """
    error, width = target - judged[:, 0], _width(judged)
    size = np.log(np.maximum(np.abs(error), 1e-3 * max(float(np.abs(error).mean()), 1e-30)))
    power = _power(width, size)
    ordered = np.sort(error / np.exp(power * width))

    def values(answers: np.ndarray) -> np.ndarray:
        start = np.random.default_rng(0).random((len(answers), 1))
        places = (np.arange(VALUES) + start) / VALUES * len(ordered)  # each row sees the whole range of errors
        errors = ordered[np.minimum(places.astype(np.int64), len(ordered) - 1)]
        return np.asarray(answers[:, :1] + np.exp(power * _width(answers))[:, None] * errors)

    return values


def _power(width: np.ndarray, size: np.ndarray) -> float:
    """1 unless the line through logarithms of widths and errors has another slope, by more than three standard errors."""
    if np.ptp(width) == 0 or len(width) < 10:
        return 1.0
    (slope, _), covariance = np.polyfit(width, size, 1, cov=True)
    believed = abs(slope - 1) <= 3 * np.sqrt(covariance[0, 0])
    return 1.0 if believed else float(np.clip(slope, 0, 1))


def _width(judged: np.ndarray) -> np.ndarray:
    return np.asarray(np.log(np.maximum(judged[:, 2].astype(np.float64) - judged[:, 1], 1e-30)))


def _logs(probability: np.ndarray) -> np.ndarray:
    return np.log(np.maximum(probability.astype(np.float64), LEAST))


def _softmax(values: np.ndarray) -> np.ndarray:
    powers = np.exp(values - values.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def _logit(probability: np.ndarray) -> np.ndarray:
    clipped = np.clip(probability.astype(np.float64), 1e-6, 1 - 1e-6)
    return np.log(clipped / (1 - clipped)).reshape(-1, 1)
