"""Ranking: a score by which the rows of one query are ordered, the most relevant first.

A query is one occasion: somebody asked, and these rows could be shown. So its rows have one time, and no window, split or
day cuts it. Scores of different queries need not compare.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from configs.errors import InputError
from configs.schema import Target
from serving.contract.contract import Contract
from tasks.problems import metrics, pages
from tasks.problems.metrics import Metric
from tasks.problems.regression import Regression
from tasks.problems.values import Answered, Leak, Learner, Lesson

SHOWN = 10  # rows of a query that people look at
MOST = 30  # LightGBM's gains end here; 2^30 is beyond what anybody means


class Ranking(Regression):
    """A number as a regression has it; but targets are (rows, 2), the relevance and the number of the query."""

    name = "ranking"
    metrics: Mapping[str, Metric] = metrics.RANKING
    learner: Learner = "ranker"
    not_estimated = "a ranking is not estimated without labels"

    def classes(self, target: Target, frame: Any) -> tuple[Any, ...]:
        """None; relevances are small whole numbers, and each row has a query, whose rows have one time."""
        super().classes(target, frame)
        name, query = target.column, frame[target.query]
        found = frame[name].to_numpy(dtype=np.float64)
        wrong = np.flatnonzero((found < 0) | (found > MOST) | (found % 1 != 0))
        if len(wrong):
            raise InputError(
                f"target.column: {name!r}, row {wrong[0]}: {found[wrong[0]]:g} is no relevance, which is a whole "
                f"number from 0 (does not matter) to {MOST}"
            )
        if (lacking := np.flatnonzero(query.isna())).size:
            raise InputError(f"target.query: {target.query!r}, row {lacking[0]}: is missing; every row belongs to one query")
        return ()

    def targets(self, contract: Contract, frame: Any) -> np.ndarray:
        """Relevance, and the number of the query by when it came first."""
        import pandas as pd

        codes, _ = pd.factorize(frame[contract.query])
        return np.column_stack([frame[contract.target].to_numpy(dtype=np.float64), codes])

    def known(self, column: Any) -> np.ndarray:
        """A list of two a row."""
        found = np.full((len(column), 2), np.nan)
        there = column.notna().to_numpy()
        if there.any():
            found[there] = np.stack(column[there].to_list())
        return found

    def lesson(self, target: np.ndarray, estimator: Any) -> Lesson:
        """Whoever takes groups learns the order within queries, the rows of each together; others learn the relevance.

        The first way is listwise (Burges, "From RankNet to LambdaRank to LambdaMART", 2010), the second pointwise.
        """
        from sklearn.utils.validation import has_fit_parameter

        if not has_fit_parameter(estimator, "group"):
            return Lesson(np.arange(len(target)), target[:, 0], {})
        order = np.argsort(target[:, 1], kind="stable")
        _, sizes = np.unique(target[order, 1], return_counts=True)
        return Lesson(order, target[order, 0], {"group": sizes})

    def enough(self, target: np.ndarray) -> bool:
        """A query whose rows are not all equally relevant."""
        return len(np.unique(target, axis=0)) > len(np.unique(target[:, 1]))

    def remarks(self, contract: Contract, target: np.ndarray) -> list[str]:
        """How many queries say nothing."""
        queries = len(np.unique(target[:, 1]))
        silent = queries - int((np.unique(np.unique(target, axis=0)[:, 1], return_counts=True)[1] > 1).sum())
        told = f"{silent:,} of {queries:,} queries have rows of one relevance only, and are left out of the metrics"
        return [told] if silent else []

    def unfit(self, estimator: Any) -> str:
        """It neither ranks nor is a regressor."""
        from sklearn.utils.validation import has_fit_parameter

        ranks = has_fit_parameter(getattr(estimator, "_final_estimator", estimator), "group")
        return "" if ranks else super().unfit(estimator)

    def leak(self, values: np.ndarray, target: np.ndarray) -> Leak:
        """By the correlation with the relevance."""
        return super().leak(values, target[:, 0])

    def sql(self, contract: Contract) -> str:
        """The relevance and a number of the logged `query`, 53 bits of its hash; null where either is not known."""
        relevance = "try_cast(label as double)"
        number = "(md5_number_lower(query) % 9007199254740992)::double"
        return f"case when {relevance} is not null and query is not null then [{relevance}, {number}] end"

    def together(self, answers: Sequence[Answered], contracts: Sequence[Contract]) -> Answered:
        """One below the other; a query that two versions answered is one of each."""
        targets, judged = zip(*answers, strict=True)
        return np.concatenate(targets), np.concatenate(judged)

    def losses(
        self, before: tuple[np.ndarray, np.ndarray], now: tuple[np.ndarray, np.ndarray]
    ) -> tuple[np.ndarray, np.ndarray, float]:
        """What the query of each row lacks of the best order (1 less its NDCG); the largest tenth is wrong."""
        one, other = (_lacking(*rows) for rows in (before, now))
        return one, other, float(np.quantile(one, 0.9))

    def chances(self, target: np.ndarray, judged: np.ndarray) -> Callable[[np.ndarray], np.ndarray] | None:
        """Nothing says what labels of a ranking will be: people see, and judge, what was shown first."""
        return None

    def page(self, before: np.ndarray, now: np.ndarray) -> pages.Page:
        """Evidently's, of the first rows of queries, as many as some query of either has."""
        largest = (int(np.unique(target[:, 1], return_counts=True)[1].max()) for target in (before, now))
        return pages.ranking(min(SHOWN, *largest))

    def told(self, target: Target, contract: Contract) -> str:
        """That it is a score, and of what."""
        return f"a score, by which the rows of one `{contract.query}` are ordered, the largest first"


def _lacking(target: np.ndarray, judged: np.ndarray) -> np.ndarray:
    statistic = metrics.RANKING["ndcg"].resampled(target, judged)
    _, first, query = np.unique(target[:, 1], return_index=True, return_inverse=True)
    found = np.array([statistic(np.array([row])) for row in first])
    return np.nan_to_num(1 - found, nan=0.0)[query]
