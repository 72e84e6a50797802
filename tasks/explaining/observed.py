"""Observed: what the rows that a version was trained on show of its columns, and how near to them a record lies.

They are the version's reference, which stays in its home: no row, and no one row's number, is in what is told.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from serving.contract.contract import Contract
from serving.scoring.bundle import Bundle
from tasks.data.frames import encode_column
from tasks.packaging.reference import reference_of
from tasks.packaging.values import BundleRef

ROWS, JUDGED = 2_000, 300  # rows that a record is compared with, and such that are compared with each other
FAR = 0.99  # of rows of the reference, the share that lies nearer to another one


class Observed:
    """Rows of the reference.

    Args:
        contract: What they are encoded by.
        frame: Some or all of its columns.
    """

    def __init__(self, contract: Contract, frame: Any) -> None:
        encoded = _encoded(contract, frame)
        self.present = _present(encoded)
        rows = np.unique(np.linspace(0, len(frame) - 1, ROWS).astype(int))
        self._near = {name: _Column(values[rows]) for name, values in encoded.items()}
        judged = np.unique(np.linspace(0, len(rows) - 1, JUDGED).astype(int))
        each = self._distances({name: values[rows][judged] for name, values in encoded.items()})
        each[np.arange(len(judged)), judged] = np.inf  # a row is no neighbour of its own
        nearest = each.min(axis=1)
        self.usual = float(np.quantile(nearest[np.isfinite(nearest)], FAR)) if np.isfinite(nearest).any() else np.inf

    def nearest(self, arrays: Mapping[str, np.ndarray]) -> np.ndarray:
        """How far encoded rows are from the nearest of these, shape (rows,): Gower's distance, from 0 to 1."""
        return self._distances(arrays).min(axis=1)

    def _distances(self, arrays: Mapping[str, np.ndarray]) -> np.ndarray:
        parts = [column.apart(arrays[name].ravel()) for name, column in self._near.items()]
        return np.asarray(sum(parts) / max(len(parts), 1))


class _Column:
    """One column's part in the distance: of numbers by the range between the outermost hundredths, of texts 0 or 1."""

    def __init__(self, values: np.ndarray) -> None:
        self._codes: dict[str, int] | None = None
        if values.dtype == object:
            self._codes = {name: code for code, name in enumerate(dict.fromkeys(values.tolist()))}
        self._values = self._numbers(values)
        known = self._values[~np.isnan(self._values)]
        self._range = 1.0
        if self._codes is None and len(known):
            self._range = float(np.diff(np.quantile(known, (0.01, 0.99)))[0]) or float(np.ptp(known)) or 1.0

    def _numbers(self, values: np.ndarray) -> np.ndarray:
        if self._codes is None:
            return values.astype(np.float64)
        return 2.0 * np.array([self._codes.get(each, -1) for each in values.tolist()])  # two apart: never nearer than 1

    def apart(self, values: np.ndarray) -> np.ndarray:
        """Shape (rows, rows of the reference); what is missing in one of two rows only is as far as can be."""
        numbers = self._numbers(values)[:, None]
        found = np.minimum(np.abs(numbers - self._values) / self._range, 1.0)
        return np.where(np.isnan(found), (np.isnan(numbers) != np.isnan(self._values)).astype(float), found)


def observed_of(bundle: Bundle) -> Observed:
    """Of a bundle of this home.

    Raises:
        InputError: the home does not have its reference rows.
        CheckFailed: they are not those that the bundle names.
    """
    import pandas as pd

    return Observed(bundle.contract, pd.read_parquet(reference_of(BundleRef(digest=bundle.digest))))


def seen(contract: Contract, frame: Any) -> dict[str, np.ndarray]:
    """Of each column of the contract that a frame has its encoded values, without those that are missing.

    Raises:
        ContractError: one is not allowed.
    """
    return _present(_encoded(contract, frame))


def _encoded(contract: Contract, frame: Any) -> dict[str, np.ndarray]:
    columns = [column for column in contract.columns if column.name in frame]
    return {each.name: encode_column(each, frame[each.name], contract.meaning).ravel() for each in columns}


def _present(encoded: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name: values[~_missing(values)] for name, values in encoded.items()}


def _missing(values: np.ndarray) -> np.ndarray:
    return values == "" if values.dtype == object else np.isnan(values)
