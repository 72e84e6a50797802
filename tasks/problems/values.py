"""Values of problems."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import numpy as np

from tasks.store import Value

Learner = Literal["classifier", "regressor", "ranker"]  # what learns it, in scikit-learn's words
Answered = tuple[np.ndarray, np.ndarray]  # targets, and what was judged of the answers


WHOLE = 12  # classes up to which a matrix is shown as one
MOST = 15  # changes that are shown of a larger one


class Lesson(NamedTuple):
    """What an estimator learns: which rows in which order, their targets in that order, and what else its `fit` takes."""

    rows: np.ndarray
    target: np.ndarray
    arguments: dict[str, Any]


class Leak(Value):
    """How far a feature alone tells the answer, from 0 to 1, and by which measure."""

    told: float
    by: str


class Matrix(Value):
    """How many rows were answered with one class before (row) and with one after (column)."""

    labels: list[str]
    counts: list[list[int]]

    def table(self, before: str, after: str) -> tuple[list[str], list[list[Any]]]:
        """Headings and rows for people; of many classes the changes that are most frequent."""
        if len(self.labels) <= WHOLE:
            heads = [f"{before}, below; {after}, right", *self.labels]
            return heads, [[label, *counts] for label, counts in zip(self.labels, self.counts, strict=True)]
        counts = np.array(self.counts)
        np.fill_diagonal(counts, 0)
        largest = np.argsort(-counts, axis=None, kind="stable")[:MOST]
        places = [divmod(int(place), len(self.labels)) for place in largest]
        rows = [
            [self.labels[one], self.labels[other], int(counts[one, other])] for one, other in places if counts[one, other]
        ]
        return [f"{before} said", f"{after} says", "rows"], rows

    def draw(self, axes: Any, before: str, after: str) -> None:
        """On Matplotlib's axes: the darker, the more rows."""
        counts, places = np.array(self.counts), range(len(self.labels))
        shades = np.log1p(counts)
        axes.imshow(shades, cmap="Blues", vmin=0)
        if len(self.labels) <= WHOLE:
            for row in places:
                for column in places:
                    colour = "white" if shades[row, column] > 0.6 * shades.max() else "black"
                    axes.text(column, row, f"{counts[row, column]:,}", ha="center", va="center", color=colour)
        axes.set_xticks(places, self.labels, rotation=90 if len(self.labels) > 4 else 0)
        axes.set_yticks(places, self.labels)
        axes.set_xlabel(after)
        axes.set_ylabel(before)


class Distribution(Value):
    """How far numbers moved, in their unit: the mean of what and of how much, quantiles by share, and a histogram.

    `edges` has one more than `counts`; the outermost bins also hold what lies beyond them.
    """

    mean: float
    absolute: float
    quantiles: dict[str, float]
    edges: list[float]
    counts: list[int]

    def table(self, before: str, after: str) -> tuple[list[str], list[list[Any]]]:
        """Headings and rows for people."""
        rows = [["mean", self.mean], ["mean of the sizes", self.absolute], *self.quantiles.items()]
        return ["", f"{after} less {before}"], [list(row) for row in rows]

    def draw(self, axes: Any, before: str, after: str) -> None:
        """On Matplotlib's axes: how many rows moved how far."""
        edges = np.array(self.edges)
        axes.bar(edges[:-1], self.counts, width=np.diff(edges), align="edge", color="#2c6fbb")
        axes.axvline(0, color="#888888", linestyle="--")
        axes.set_xlabel(f"{after} less {before}")
        axes.set_ylabel("rows")
