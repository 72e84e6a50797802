"""Proxies: which columns that the model sees tell a protected one that it does not see."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tasks.fairness.values import Proxy
from tasks.problems.leaks import rank
from tasks.problems.metrics import BINARY

SHOWN = 5


def proxies(features: Any, groups: Mapping[str, np.ndarray], least: int) -> list[Proxy]:
    """Of each protected column the features that tell its groups best, by the AUC of guessing one group among all rows.

    Args:
        features: The encoded rows, a pandas frame; what is a protected column itself is no proxy of it.
        groups: By protected column the group of each row, shape (rows,), None where it is not known.
        least: How many rows a group and the rest must have.

    A number is taken as it is, in the better of both directions; a category as how often the group has it in the other half
    of the rows (`tasks/problems/leaks.py`). Of several groups the one that is told best counts.

    >>> import pandas as pd
    >>> rows = pd.DataFrame({"income": [1, 2, 3, 4], "hash": [1, 4, 3, 2]})
    >>> [(each.column, each.auc) for each in proxies(rows, {"race": np.array(["x", "x", "y", "y"], dtype=object)}, least=2)]
    [('income', 1.0), ('hash', 0.5)]
    """
    found = []
    for by, of in groups.items():
        known = np.array([group is not None for group in of])
        inside = [(of[known] == group).astype(np.int64) for group in sorted(set(of[known]))]
        enough = [one for one in inside if least <= one.sum() <= len(one) - least]
        columns = [name for name in features if name != by] if enough else []
        told = [
            Proxy(column=name, of=by, auc=max(_auc(features[name].to_numpy()[known], one) for one in enough))
            for name in columns
        ]
        found += sorted(told, key=lambda each: -each.auc)[:SHOWN]
    return found


def _auc(values: np.ndarray, target: np.ndarray) -> float:
    auc = BINARY["roc_auc"].value(target, rank(values, target))
    return max(auc, 1 - auc)
