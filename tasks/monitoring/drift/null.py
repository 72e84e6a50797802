"""Windows without drift, made of the reference: what distances arise by chance, and the bound of an alarm.

The reference is cut into blocks of a week, and these into units of consecutive rows. A window without drift is a run of
consecutive units at a random place of a block, so a Monday or a storm that comes within the reference is no drift; one that
is longer than a block is whole blocks and a run, as in the block bootstrap (Künsch, 1989). It is compared with the blocks
that it has no part in: rows of one week resemble each other, and a real window shares no week with the reference. Where
rows have no time their order is random, and a unit is a block.

Columns are corrected by the distribution of their largest standardised distance (max-T of Westfall & Young, 1993), which
keeps their dependence. A reference of eight weeks holds eight independent observations, however many rows those have: the
bound is widened as a prediction bound is for that many (Student's t in place of the normal).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from configs.schema import Monitoring
from tasks.monitoring.drift.evidence import Evidence
from tasks.problems.chance import widening

# Of the false alarm rate of a model: half for its columns together, a sixth each for scores, performance and its estimate.
COLUMNS_SHARE, OTHER_SHARE = 1 / 2, 1 / 6
DRAWS = 1000
UNITS_A_WINDOW = 20
MOST_UNITS = 4000
LARGEST_SHARE = 1 / 3  # of the reference that a window without drift takes
BLOCK = np.timedelta64(7, "D")
LEAST_BLOCKS = 8
LEAST_SPREAD = 1e-5  # of a test; what differs by less is rounding


def columns_share(rules: Monitoring) -> float:
    """What the columns have together; where a flow of reasons alarms too, its share is taken from theirs."""
    return COLUMNS_SHARE - OTHER_SHARE * (rules.reasons == "alarm")


@dataclass(frozen=True)
class Order:
    """The reference's units: of each row its unit, of each unit its block, and how many units make a window."""

    unit: np.ndarray
    block: np.ndarray
    window: int

    @property
    def blocks(self) -> int:
        """How many there are."""
        return int(self.block[-1]) + 1


def order_of(times: np.ndarray | None, rows: int, window_rows: int, seed: int = 0) -> Order:
    """Units for windows of that many rows, of a reference of `rows` rows that are sorted by `times` or have none."""
    window_rows = max(1, min(window_rows, int(rows * LARGEST_SHARE)))
    unit_rows = max(1, window_rows // UNITS_A_WINDOW, rows // MOST_UNITS)
    window = max(1, round(window_rows / unit_rows))
    if times is None:
        units = max(1, rows // unit_rows)
        unit = np.minimum(np.arange(rows) // unit_rows, units - 1)
        # A seed of its own: the rows may lie in the order of a permutation that was seeded with 0 too.
        return Order(np.random.default_rng((seed, 1)).permutation(unit), np.arange(units), window)
    length = min(BLOCK, (times[-1] - times[0]) / LEAST_BLOCKS + np.timedelta64(1, "s"))
    _, block, sizes = np.unique((times - times[0]) // length, return_inverse=True, return_counts=True)
    units_each = np.maximum(1, sizes // unit_rows)
    within = np.arange(rows) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    place = np.minimum(within // unit_rows, units_each[block] - 1)
    first = np.cumsum(units_each) - units_each
    return Order(first[block] + place, np.repeat(np.arange(len(sizes)), units_each), window)


def windows_without_drift(order: Order, draws: int, consecutive: int, seed: int = 0) -> np.ndarray:
    """Which units make each window, shape (draws, consecutive, units) of 0 and 1.

    The `consecutive` windows of a draw follow each other within a block where they fit, else they are independent.
    """
    generator = np.random.default_rng(seed)
    chosen = np.zeros((draws, consecutive, len(order.block)), dtype=np.float32)
    sizes = np.bincount(order.block)
    first = np.cumsum(sizes) - sizes
    roomy = np.flatnonzero(sizes >= consecutive * order.window)
    for draw in range(draws):
        if consecutive > 1 and len(roomy):
            block = generator.choice(roomy)
            start = first[block] + generator.integers(0, sizes[block] - consecutive * order.window + 1)
            taken = start + np.arange(consecutive * order.window)
            chosen[draw, np.arange(len(taken)) // order.window, taken] = 1
            continue
        for place in range(consecutive):
            left = order.window
            for block in generator.permutation(order.blocks):
                run = min(left, int(sizes[block]))
                start = first[block] + generator.integers(0, sizes[block] - run + 1)
                chosen[draw, place, start : start + run] = 1
                left -= run
                if left == 0:
                    break
    return chosen


@dataclass(frozen=True)
class Calibration:
    """What tests of windows without drift are like: of each its mean and spread, and the bound for the largest."""

    mean: np.ndarray
    spread: np.ndarray
    bound: float
    blocks: int

    def scores(self, evidence: Evidence, found: np.ndarray) -> dict[str, float]:
        """Of each column the largest standardised test over the bound: over 1 is drift. `found` has shape (tests,)."""
        scores = standardised(evidence, found, self.mean, self.spread) / self.bound
        result = dict.fromkeys((column.name for column in evidence.layout.columns), -np.inf)
        for number, score in zip(evidence.columns, scores, strict=True):
            name = evidence.layout.columns[number].name
            result[name] = max(result[name], float(score))
        return result


def standardised(evidence: Evidence, found: np.ndarray, mean: np.ndarray, spread: np.ndarray) -> np.ndarray:
    """Tests of shape (..., tests) in units of their spread; a shift counts in either direction."""
    scores = (found - mean) / spread
    return np.where(evidence.two_sided, np.abs(scores), scores)


def calibrate(
    evidence: Evidence, reference: Any, times: np.ndarray | None, window_rows: int, rate: float, persistence: tuple[int, int]
) -> Calibration:
    """The bounds for windows of that many rows.

    Args:
        evidence: The tests of the columns.
        reference: A pandas frame, sorted by time where it has one.
        times: Of its rows, as datetime64.
        window_rows: Of the window that is looked at.
        rate: The share of windows without drift that may alarm.
        persistence: (k, n): an alarm when k of n windows in a row are over the bound.
    """
    from scipy.special import ndtr

    order = order_of(times, len(reference), window_rows)
    units = evidence.sums(reference, order.unit, len(order.block))
    needed, among = persistence
    chosen = windows_without_drift(order, DRAWS, among).reshape(DRAWS * among, -1)
    blocks = np.zeros((order.blocks, units.shape[1]))
    np.add.at(blocks, order.block, units)
    member = np.zeros((len(order.block), order.blocks), dtype=np.float32)
    member[np.arange(len(order.block)), order.block] = 1
    apart = (chosen @ member == 0).astype(np.float32)
    found = evidence.between(chosen @ units, apart @ blocks)
    mean, spread = found.mean(axis=0), np.maximum(found.std(axis=0), LEAST_SPREAD)
    largest = standardised(evidence, found, mean, spread).max(axis=1).reshape(DRAWS, among)
    deciding = np.sort(largest, axis=1)[:, among - needed]
    bound = max(float(np.quantile(deciding, 1 - rate, method="higher")), 0.5)
    # The largest of many tests lies farther out than one does at that rate, where few observations know less.
    return Calibration(mean, spread, bound * widening(order.blocks, float(ndtr(-bound))), order.blocks)
