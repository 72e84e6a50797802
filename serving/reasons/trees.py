"""Trees: exact Shapley values, path-dependent, of one output of an ensemble.

The values of a path depend on a row only by which of its features lead on, a mask of bits. So of each leaf a table holds
them for every mask (Nadel & Wettenstein, "From Decision Trees to Boolean Logic: A Fast and Unified SHAP Algorithm", 2025),
and a row is looked up in it. What does not fit into tables, since they double with every feature, is computed for each row.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from serving.reasons.shapley import shapley

MOST_CELLS = 2**22  # of an output's tables, in 64 bits: 32 MiB
FEW_FEATURES, MOST_FEATURES = 6, 12  # of a path with a table; shorter ones are filled up, so that there are few groups
PART = 2**18  # conditions that are looked at together: as many as stay in a processor's cache


class Paths(NamedTuple):
    """The paths from the roots to the leaves of an ensemble, one after another: what a bundle keeps of it.

    `starts` (leaves + 1,) says where the conditions of each begin. A condition stands for all splits of a path at one number
    of the encoding, `feature`: a value leads on if it lies above `low` and not above `high`, a missing one where `missing`;
    `ratio` is the share of the training rows that went on. `values` (leaves, k) is what a leaf adds to each output.
    """

    starts: np.ndarray
    feature: np.ndarray
    low: np.ndarray
    high: np.ndarray
    missing: np.ndarray
    ratio: np.ndarray
    values: np.ndarray


class Trees:
    """One output of an ensemble.

    Args:
        paths: Of all outputs.
        output: Which of them.
        owners: Of each number of the encoding the place of its column, shape (width,).
        most: The most cells that its tables may have.
    """

    def __init__(self, paths: Paths, output: int, owners: np.ndarray, most: int = MOST_CELLS) -> None:
        values, depths = paths.values[:, output], np.diff(paths.starts)
        reached, told = np.ones(len(values)), depths > 0
        if told.any():
            reached[told] = np.multiply.reduceat(paths.ratio, paths.starts[:-1][told])
        self.base = float(values @ reached)
        self._columns, self._steps = int(owners.max(initial=-1)) + 1, _Steps(paths, len(owners))
        self._groups = []
        sizes = np.maximum(depths, FEW_FEATURES)
        for size in np.unique(sizes[told & (values != 0)]).tolist():
            leaves = np.flatnonzero((sizes == size) & told & (values != 0))
            cells = len(leaves) * size * 2**size
            tabled = size <= MOST_FEATURES and cells <= most
            most -= cells if tabled else 0
            self._groups.append(_Group(paths, self._steps, leaves, size, values[leaves], owners, tabled))

    def contributions(self, encoded: np.ndarray) -> np.ndarray:
        """Of each column, shape (rows, columns), for numbers of shape (rows, width)."""
        numbers = np.ascontiguousarray(encoded.T, dtype=np.float32)
        steps, missing = self._steps.of(numbers), np.isnan(numbers)
        gaps = missing if missing.any() else None
        found = np.zeros((len(encoded), self._columns))
        for group in self._groups:
            for start in range(0, len(encoded), group.rows):
                part = slice(start, start + group.rows)
                found[part] += group.contributions(steps[:, part], None if gaps is None else gaps[:, part])
        return found


class _Steps:
    """A number only matters by which of an ensemble's thresholds for it lie below, so it is counted once, for all paths.

    `first` and `span` say of each condition which counts lead on: `span` and fewer from `first`.
    """

    def __init__(self, paths: Paths, width: int) -> None:
        ends = [np.concatenate([part[paths.feature == each] for part in (paths.low, paths.high)]) for each in range(width)]
        self._thresholds = [np.unique(each[np.isfinite(each)]) for each in ends]
        self._type = np.uint16 if max((len(each) for each in self._thresholds), default=0) < 2**16 - 1 else np.uint32
        self.most = int(np.iinfo(self._type).max)
        first, last = np.zeros((2, len(paths.feature)), dtype=np.int64)
        for each, thresholds in enumerate(self._thresholds):
            at = paths.feature == each
            first[at] = thresholds.searchsorted(paths.low[at], "right")  # none below where there is no lower end
            last[at] = thresholds.searchsorted(paths.high[at], "left")
        # Where only what is missing leads on: no count is so far from none.
        never = (last < first) | (paths.high == -np.inf) | (paths.low == np.inf)
        first[never] = last[never] = self.most
        self.first, self.span = first.astype(self._type), (last - first).astype(self._type)

    def of(self, numbers: np.ndarray) -> np.ndarray:
        """How many thresholds lie below each of (width, rows) numbers."""
        found = np.zeros(numbers.shape, dtype=self._type)
        for each, thresholds in enumerate(self._thresholds):
            if len(thresholds):
                found[each] = thresholds.searchsorted(numbers[each])
        return found


class _Group:
    """Leaves whose paths have about as many features, `size`: arrays have the shape (size, leaves).

    A path with fewer is filled up with conditions that always hold, and so add nothing.
    """

    def __init__(
        self,
        paths: Paths,
        steps: _Steps,
        leaves: np.ndarray,
        size: int,
        values: np.ndarray,
        owners: np.ndarray,
        tabled: bool,
    ) -> None:
        depths = np.diff(paths.starts)[leaves]
        leaf = np.repeat(np.arange(len(leaves)), depths)
        rank = np.arange(len(leaf)) - np.repeat(np.cumsum(depths) - depths, depths)  # of a condition within its leaf
        at = np.repeat(paths.starts[leaves], depths) + rank

        def filled(array: np.ndarray, fill: float) -> np.ndarray:
            found = np.full((size, len(leaves)), fill, dtype=array.dtype)
            found[rank, leaf] = array[at]
            return found

        self._feature = filled(paths.feature, 0).ravel()
        self._first, self._span = (filled(*each).reshape(-1, 1) for each in ((steps.first, 0), (steps.span, steps.most)))
        self._missing = filled(paths.missing, True).reshape(-1, 1)
        self._shape, self._ratio, self._values = (size, len(leaves), -1), filled(paths.ratio, 1).T, values[:, None]
        self._table = self._tabled(size) if tabled else None
        self._begin = np.arange(len(leaves)) << size  # of a leaf's rows in it
        self.rows = max(1, PART // (size * len(leaves)))
        # Where the contributions of a part's rows, (rows, leaves, size), are summed; what fills paths up adds 0 anywhere.
        self._columns = int(owners.max(initial=-1)) + 1
        owner = filled(owners[paths.feature], 0).T.ravel()
        self._sums = (owner + self._columns * np.arange(self.rows)[:, None]).ravel()

    def _tabled(self, size: int) -> np.ndarray:
        """Of each leaf, for every mask, the values of its conditions, shape (leaves * 2**size, size)."""
        masks = (np.arange(2**size)[:, None] >> np.arange(size) & 1).astype(bool)
        return (shapley(masks, self._ratio[:, None, :]) * self._values[:, None]).reshape(-1, size)

    def contributions(self, steps: np.ndarray, missing: np.ndarray | None) -> np.ndarray:
        """Of each column, shape (rows, columns), for at most `self.rows` rows, shape (width, rows)."""
        held, rows = self._held(steps, missing), steps.shape[1]
        added = self._computed(held) if self._table is None else self._looked_up(self._table, held)
        sums = self._sums[: added.size]
        return np.bincount(sums, added.ravel(), rows * self._columns).reshape(rows, self._columns)

    def _held(self, steps: np.ndarray, missing: np.ndarray | None) -> np.ndarray:
        """Which conditions hold, shape (size, leaves, rows)."""
        beyond = steps.take(self._feature, axis=0)
        beyond -= self._first  # unsigned: what lies below comes out far above
        held = beyond <= self._span
        if missing is not None:
            at = missing.any(axis=1).take(self._feature).nonzero()[0]
            held[at] = np.where(missing.take(self._feature[at], axis=0), self._missing[at], held[at])
        return held.reshape(self._shape)

    def _looked_up(self, table: np.ndarray, held: np.ndarray) -> np.ndarray:
        bits = held.view(np.uint8)
        masks = bits[0].astype(np.uint16)
        for place in range(1, len(bits)):
            masks += np.left_shift(bits[place], place, dtype=np.uint16)
        return table.take(masks.T + self._begin, axis=0)

    def _computed(self, held: np.ndarray) -> np.ndarray:
        return shapley(held.transpose(2, 1, 0), self._ratio) * self._values
