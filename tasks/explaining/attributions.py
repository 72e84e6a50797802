"""Attributions: what each column added to the answer of each row, also where the values of some columns are not known."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np

from serving.contract.contract import Contract
from serving.reasons.encoding import Encoding
from serving.reasons.reasons import Additive, Described, Reasons
from serving.reasons.trees import Paths


def attributions(reasons: Reasons, arrays: Mapping[str, np.ndarray]) -> np.ndarray:
    """Of each column, shape (rows, columns); of several classes to the number of the one whose number is largest.

    Args:
        reasons: The model's.
        arrays: One (rows, 1) array a column, as the contract encodes it.
    """
    rows = len(next(iter(arrays.values())))
    each = [reasons.explain(arrays, np.eye(reasons.outputs)[[output] * rows]) for output in range(reasons.outputs)]
    answered = np.column_stack([found.base + found.contributions.sum(axis=1) for found in each]).argmax(axis=1)
    return np.stack([found.contributions for found in each])[answered, np.arange(rows)]


def without(additive: Additive, contract: Contract, unknown: Collection[str]) -> Additive:
    """The model as it looks to who does not know some columns, which then add nothing; the base stays.

    In trees an unknown column counts as the share of the training rows that went each way, as it does in the game whose
    Shapley values the reasons are; of a linear model it has its mean. Texts are scaled together: without one none is known.
    """
    described, owners = additive.described, Encoding(contract, additive.described.columns).owners
    texts = {each.column for each in described.columns if each.how == "words"}
    gone = set(unknown) | (texts if texts & set(unknown) else set())
    kept = [each for each in described.columns if each.column not in gone]
    known = np.array([each.column not in gone for each in described.columns], dtype=bool)[owners]
    described = Described(described.scale, kept)
    if additive.paths is not None:
        return additive._replace(described=described, paths=_paths_without(additive.paths, known))
    assert additive.weights is not None and additive.means is not None  # noqa: PT018
    intercept = additive.intercept + additive.means[~known] @ additive.weights[~known]
    return Additive(described, intercept, None, additive.weights[known], additive.means[known])


def _paths_without(paths: Paths, known: np.ndarray) -> Paths:
    """`known` says it of each number of the encoding, shape (width,)."""
    stays, leaf = known[paths.feature], np.repeat(np.arange(len(paths.values)), np.diff(paths.starts))
    reached = np.ones(len(paths.values))
    np.multiply.at(reached, leaf[~stays], paths.ratio[~stays])
    place = np.cumsum(known) - 1
    return Paths(
        starts=np.concatenate([[0], np.cumsum(stays)])[paths.starts].astype(paths.starts.dtype),
        feature=place[paths.feature[stays]].astype(paths.feature.dtype),
        low=paths.low[stays],
        high=paths.high[stays],
        missing=paths.missing[stays],
        ratio=paths.ratio[stays],
        values=paths.values * reached[:, None],
    )
