"""Metrics of rankings: how far up the rows of each query stand that matter, averaged over queries.

`target` (rows, 2) is the relevance of each row and the number of its query, `score` (rows,) what the query's rows are
ordered by, the largest first, and `weight` (rows,) how much each row counts; a query counts as the mean of its rows do.

A query whose rows are all equally relevant says nothing, whatever the order, and is left out: scikit-learn counts it as 0
where nothing is relevant, LightGBM as 1, and both move the mean by what the model has no part in. Rows of equal score are
taken in every order: the metric is the mean over these.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from tasks.problems.numbers import weighted_mean

OfQueries = Callable[["Ranked"], np.ndarray]
EVERYTHING = 10**9


class Ranked(NamedTuple):
    """Rows in the order of their queries, and within each of their scores; all of shape (rows,).

    `query` is the number of the query, from 0 without gaps, `place` where a row stands in it, from 0. `tie` is the number of
    the run of rows with equal scores that it is in, `relevance` its relevance.
    """

    query: np.ndarray
    place: np.ndarray
    tie: np.ndarray
    relevance: np.ndarray

    def mean_of_ties(self, values: np.ndarray) -> np.ndarray:
        """Of each row the mean of the values that its tie has, shape (rows,)."""
        return np.asarray((np.bincount(self.tie, values) / np.bincount(self.tie))[self.tie])


def by_query(
    of_queries: OfQueries,
) -> Callable[[np.ndarray, np.ndarray, np.ndarray], Callable[[np.ndarray], float]]:
    """A metric that each query has (queries,), as one of any choice of rows: what is resampled are whole queries."""

    def prepare(target: np.ndarray, score: np.ndarray, weight: np.ndarray) -> Callable[[np.ndarray], float]:
        _, query, sizes = np.unique(target[:, 1], return_inverse=True, return_counts=True)
        relevance = target[:, 0].astype(np.float64)
        values = of_queries(ranked(query, score, relevance))
        least, most = (_ends(kind, query, relevance, len(sizes)) for kind in (np.minimum, np.maximum))
        counts = weight * (least < most)[query] / sizes[query]
        return lambda rows: weighted_mean(values[query[rows]], counts[rows])

    return prepare


def ranked(query: np.ndarray, score: np.ndarray, relevance: np.ndarray) -> Ranked:
    """Rows by query and score; `query` has numbers without gaps."""
    order = np.lexsort((-score, query))
    own, ordered = query[order], score[order]
    starts = np.searchsorted(own, own)
    new = np.r_[True, (np.diff(own) != 0) | (np.diff(ordered) != 0)][: len(order)]
    return Ranked(own, np.arange(len(order)) - starts, np.cumsum(new) - 1, relevance[order])


def ndcg(most: int = EVERYTHING) -> OfQueries:
    """Normalised discounted cumulative gain of the first `most` rows, from 0 to 1.

    A row gains 2^relevance - 1, over the logarithm of its place (Järvelin and Kekäläinen, 2002; gains of Burges et al.,
    2005), beside the best order of the query; ties as McSherry and Najork, "Computing Information Retrieval Performance
    Measures Efficiently in the Presence of Tied Scores" (2008).

    >>> ndcg()(ranked(np.zeros(3, int), np.array([3.0, 2.0, 1.0]), np.array([0.0, 1.0, 0.0]))).round(4)
    array([0.6309])
    """

    def of_queries(rows: Ranked) -> np.ndarray:
        best = ranked(rows.query, rows.relevance, rows.relevance)
        found, ideal = (_gained(each, most) for each in (rows, best))
        return np.divide(found, ideal, out=np.zeros_like(found), where=ideal > 0)

    return of_queries


def reciprocal_rank(rows: Ranked) -> np.ndarray:
    """One over the place of the first row with a relevance above 0; of a tie its middle is taken. 0 where there is none.

    >>> reciprocal_rank(ranked(np.zeros(3, int), np.array([3.0, 2.0, 1.0]), np.array([0.0, 1.0, 1.0])))
    array([0.5])
    """
    found = np.where(rows.relevance > 0, 1 / (1 + rows.mean_of_ties(rows.place.astype(np.float64))), 0)
    return _ends(np.maximum, rows.query, found, int(rows.query.max(initial=-1)) + 1)


def _gained(rows: Ranked, most: int) -> np.ndarray:
    discount = np.where(rows.place < most, 1 / np.log2(rows.place + 2), 0)
    return np.bincount(rows.query, (np.exp2(rows.relevance) - 1) * rows.mean_of_ties(discount))


def _ends(kind: np.ufunc, query: np.ndarray, values: np.ndarray, queries: int) -> np.ndarray:
    """The smallest or largest value of each query, shape (queries,)."""
    found = np.full(queries, np.inf if kind is np.minimum else 0.0)
    kind.at(found, query, values)
    return found
