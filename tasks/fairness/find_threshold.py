"""Find the threshold that all groups share: on the answers to rows of folds, from which nothing was learned."""

from __future__ import annotations

import numpy as np

from configs.fairness import Fairness
from configs.schema import UseCase
from configs.settings import store
from tasks.data.frames import contract_of, read_rows
from tasks.data.groups import groups_of
from tasks.data.measures import Outcomes
from tasks.data.protected import favourable_place
from tasks.data.values import Snapshot
from tasks.fairness.values import FoundThreshold
from tasks.step import step
from tasks.store import put_parquet
from tasks.training.alike import strength
from tasks.training.folds import Fold
from tasks.training.threshold import moved

CANDIDATES = np.arange(5, 96) / 100  # beyond them 32 bits lose too much of a probability


@step
def find_threshold(use_case: UseCase, snapshot: Snapshot, folds: list[Fold], contract: str, usual: str) -> FoundThreshold:
    """The threshold that suits all rows, and what they are answered by ones that each are found on the other folds.

    `usual` is the digest of what the usual recipe answered. The price is that of the second: told on rows that are not those
    on which a threshold was found.
    """
    import pandas as pd
    import pyarrow as pa

    rules = use_case.fairness
    assert rules is not None
    place = favourable_place(use_case, contract_of(contract).classes)
    kept = pd.read_parquet(store("scores") / f"{usual}.parquet")
    rows, chance, turned = kept["row"].to_numpy(), kept["probability"].to_numpy(), kept["target"].to_numpy() == place
    frame = read_rows(snapshot, 0, int(rows.max()) + 1, rules.protected).iloc[rows].reset_index(drop=True)
    groups = groups_of({name: frame[name] for name in rules.protected}, rules.intersections)

    def found_on(those: np.ndarray) -> float:
        apart = {name: of[those] for name, of in groups.items()}
        return threshold_of(rules, chance[those], turned[those], apart, place == 1)

    answered = np.zeros(len(rows))
    for fold in folds:
        own = (fold.start <= rows) & (rows < fold.stop)
        answered[own] = moved(np.column_stack([1 - chance[own], chance[own]]), found_on(~own))[:, 1]
    told = pa.table({"row": rows, "target": kept["target"].to_numpy(), "probability": answered})
    return FoundThreshold(threshold=found_on(np.ones(len(rows), dtype=bool)), scores=put_parquet("scores", told))


def threshold_of(
    rules: Fairness, chance: np.ndarray, turned: np.ndarray, groups: dict[str, np.ndarray], positive: bool
) -> float:
    """Of those that cost no more than they may the one that leaves groups the most alike; of equals what is right more.

    Args:
        rules: The criteria, and what they may cost.
        chance: The probability of the positive class, shape (rows,).
        turned: Whether a row turned out favourable, shape (rows,).
        groups: By name the group of each row.
        positive: Whether the positive class is the favourable one.

    >>> from configs.fairness import Criteria, Tolerance
    >>> rules = Fairness(protected=["g"], criteria=Criteria(selection_rate=Tolerance(ratio=0.8)), least=2, may_cost=0.3)
    >>> groups = {"g": np.array(["x", "x", "y", "y"])}
    >>> threshold_of(rules, np.array([0.9, 0.8, 0.7, 0.4]), np.array([True, True, True, False]), groups, True)
    0.39
    """
    tried = {}
    for threshold in (0.5, *CANDIDATES.tolist()):
        outcomes = Outcomes(((chance > threshold) == positive).astype(float), turned.astype(float))
        tried[threshold] = strength(rules, outcomes, groups)
    usual = tried[0.5]
    if not usual.apart:  # groups are alike as they are, or none is large enough to be compared
        return 0.5
    possible = [each for each, found in tried.items() if found.affordable(usual, rules.may_cost)]
    return float(min(possible, key=lambda each: (tried[each].apart, -tried[each].right, abs(each - 0.5))))
