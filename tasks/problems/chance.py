"""What chance does to a number: resamples of rows in blocks, and bounds that rest on few observations."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

RESAMPLES = 500  # of a statistic whose error is wanted
FEWEST_BLOCKS = 10


def resamples(blocks: np.ndarray, times: int, draws: int, seed: int) -> Iterator[np.ndarray]:
    """Row numbers of `times` block bootstrap resamples, each of `draws` whole blocks drawn with replacement.

    `blocks` (rows,) gives each row's block; rows of a block (a day, say) stay together, because rows of one day are not
    independent. Künsch, "The Jackknife and the Bootstrap for General Stationary Observations" (1989).
    """
    _, inverse = np.unique(blocks, return_inverse=True)
    order = np.argsort(inverse, kind="stable")
    members = np.split(order, np.cumsum(np.bincount(inverse))[:-1])
    alone = len(members) == len(order)  # each row a block of its own: the same draws without joining them
    generator = np.random.default_rng(seed)
    for _ in range(times):
        chosen = generator.integers(0, len(members), draws)
        yield order[chosen] if alone else np.concatenate([members[block] for block in chosen])


def day_blocks(times: np.ndarray | None, rows: int) -> np.ndarray:
    """The block of each row: its day, or the row itself where there is no time."""
    if times is None:
        return np.arange(rows)
    return times.astype("datetime64[D]").astype(np.int64)


def enough_blocks(times: np.ndarray | None, rows: int) -> np.ndarray:
    """The same where these are many enough; a few days say too little of chance: then rows of a tenth hang together."""
    days = day_blocks(times, rows)
    return days if len(np.unique(days)) >= FEWEST_BLOCKS else np.arange(rows) * FEWEST_BLOCKS // rows


def widening(observations: float, rate: float) -> float:
    """How much farther than a quantile of the normal a prediction bound lies that rests on so many observations.

    >>> round(widening(1e6, 0.01), 3), round(widening(10, 0.01), 3)
    (1.0, 1.272)
    """
    from scipy.special import ndtri

    freedom = max(observations - 1, 1.0)
    return quantile(1 - rate, freedom) / float(ndtri(1 - rate)) * float(np.sqrt(1 + 1 / (freedom + 1)))


def quantile(share: float, freedom: float) -> float:
    """The quantile of Student's t with that many degrees of freedom (at least one).

    >>> round(quantile(0.975, 9), 2)
    2.26
    """
    from scipy.special import stdtrit  # not scipy.stats, which takes over a second to import

    return float(stdtrit(max(freedom, 1.0), share))


def slack(blocks: np.ndarray, statistic: Callable[[np.ndarray], float], confidence: float) -> float:
    """How far below its measured value a statistic may lie, one-sided: its standard error times Student's t.

    The error is that of resampled whole blocks. A bootstrap of n blocks has a variance too small by (n - 1) / n, and its
    quantiles are the normal's whatever n is, so on a week its own percentiles claim too much (Efron & Tibshirani, 1993).
    """
    count = len(np.unique(blocks))
    drawn = [statistic(rows) for rows in resamples(blocks, RESAMPLES, count, seed=0)]
    return margin(np.array(drawn), count, confidence)


def margin(drawn: np.ndarray, count: int, confidence: float) -> float:
    """The slack of a statistic that resamples of so many blocks gave these values, shape (resamples,)."""
    return float(np.nanstd(drawn)) * (count / (count - 1)) ** 0.5 * quantile(confidence, count - 1)
