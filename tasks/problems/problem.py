"""What comes out of a model: the functions that every kind of answer has, and the one place where a kind is chosen.

What a model gives is `outputs` of shape (rows, k): the probability of each class, or a number. What metrics and monitoring
look at is what the problem judges of them (`judged`): the positive class's probability (rows,), every class's (rows, k), the
number (rows,), or the number with both ends of its interval (rows, 3).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from configs.schema import Target
from serving.contract.contract import Contract
from tasks.problems.binary import Binary
from tasks.problems.changes import Changes
from tasks.problems.metrics import Metric
from tasks.problems.multiclass import Multiclass
from tasks.problems.pages import Page
from tasks.problems.ranking import Ranking
from tasks.problems.regression import Regression
from tasks.problems.values import Answered, Leak, Learner, Lesson


class Problem(Protocol):
    """A kind of answer. Frames and series are pandas'; `target` arrays have shape (rows,), but (rows, 2) in a ranking."""

    name: str
    metrics: Mapping[str, Metric]
    rows_needed: str  # of a verdict, beyond how many
    learner: Learner
    output: str  # the graph's, by name
    graph: Mapping[str, str]  # every output of the graph, and its type in MLflow's words
    options: Mapping[str, Any]  # of the conversion
    served: float  # by how much outputs that were served may differ, in the units of `difference`
    column: str  # where a collected window and the holdout keep what is judged
    not_estimated: str  # why metrics are not estimated where `chances` has nothing to say

    def classes(self, target: Target, frame: Any) -> tuple[Any, ...]:
        """The classes of a snapshot's target as the API answers them, in the order of the outputs; none of numbers.

        Raises:
            InputError: there is nothing to learn, or the values do not fit the problem.
        """

    def targets(self, contract: Contract, frame: Any) -> np.ndarray:
        """The target of rows: the number of the class (1 is the positive one of two), the number, or relevance and query."""

    def known(self, column: Any) -> np.ndarray:
        """The same from the column `target` of a collected window or a holdout; NaN where it is not known."""

    def lesson(self, target: np.ndarray, estimator: Any) -> Lesson:
        """What an unfitted estimator learns of rows with these targets."""

    def lacking(self, target: Target, whole: Any, learn: Any, judge: Any) -> tuple[str, str] | None:
        """Which part of a snapshot's target (`training` or `holdout`) lacks what it takes, and what that is."""

    def enough(self, target: np.ndarray) -> bool:
        """Whether metrics of these rows say something."""

    def remarks(self, contract: Contract, target: np.ndarray) -> list[str]:
        """What the holdout cannot say, in a sentence each."""

    def unfit(self, estimator: Any) -> str:
        """Why what an own pipeline is made of does not fit the problem; or empty."""

    def unlearned(self, contract: Contract, pipeline: Any) -> str:
        """What a fitted pipeline cannot answer, since the rows that it learned from have none; or empty."""

    def outputs(self, contract: Contract, pipeline: Any, encoded: Any) -> np.ndarray:
        """Of a fitted pipeline, shape (rows, k)."""

    def judged(self, outputs: np.ndarray) -> np.ndarray:
        """What metrics and monitoring look at."""

    def unjudged(self, judged: np.ndarray) -> np.ndarray:
        """The outputs, shape (rows, k), that were judged so."""

    def kept(self, judged: np.ndarray) -> Any:
        """The same as a column of an Arrow table."""

    def read(self, column: Any) -> np.ndarray:
        """The same from that column of a pandas frame."""

    def aligned(self, outputs: np.ndarray, given: Contract, wanted: Contract) -> np.ndarray:
        """Outputs of a model of one contract as one of another would give them."""

    def common(self, contracts: Sequence[Contract]) -> Contract | None:
        """In whose terms the answers of versions with these contracts compare; None where they have no answer in common."""

    def said(self, contract: Contract, outputs: np.ndarray) -> np.ndarray:
        """What is answered, shape (rows,): the class as text, that a person is asked, or the number."""

    def changes(self, contract: Contract, before: np.ndarray, after: np.ndarray) -> Changes:
        """How what was said by one model became what another says, on the same rows."""

    def together(self, answers: Sequence[Answered], contracts: Sequence[Contract]) -> Answered:
        """Targets, NaN where not known, and what was judged, of versions with these contracts as if one had answered."""

    def difference(self, found: np.ndarray, expected: np.ndarray, usual: np.ndarray | None = None) -> np.ndarray:
        """How far apart outputs are, shape (rows,), in units in which 1e-5 is nothing.

        `usual` are outputs of rows as they come; without them `expected` are. A few rows made up say nothing of the unit.
        """

    def moved(self, found: np.ndarray, expected: np.ndarray) -> np.ndarray:
        """How far the answers of two classes, or numbers, rose, shape (rows,), in the units of `difference`."""

    def decisions(self, outputs: np.ndarray) -> np.ndarray:
        """What must not change however little outputs do, shape (rows,): the class that is answered, or that none is."""

    def leak(self, values: np.ndarray, target: np.ndarray) -> Leak:
        """How far the values of one feature tell the target."""

    def sql(self, contract: Contract) -> str:
        """The target of a logged `label`, as `targets` has it, in DuckDB's SQL; null where it is none."""

    def score(self, judged: np.ndarray) -> np.ndarray:
        """One number a row, by which rows of a window are alike: the probability of what is answered, or the number."""

    def scores(self, contract: Contract, judged: np.ndarray) -> dict[str, np.ndarray]:
        """The numbers whose drift is looked at, by name, each of shape (rows,)."""

    def answers(self, contract: Contract, judged: np.ndarray) -> dict[str, float]:
        """What was answered, in a few numbers."""

    def losses(
        self, before: tuple[np.ndarray, np.ndarray], now: tuple[np.ndarray, np.ndarray]
    ) -> tuple[np.ndarray, np.ndarray, float]:
        """The loss of each row of the holdout and of a window, in 0 to 1, and over which a row is wrong.

        Both are given as targets and what was judged.
        """

    def chances(self, target: np.ndarray, judged: np.ndarray) -> Callable[[np.ndarray], np.ndarray] | None:
        """What rows may turn out to be, by what was answered; estimates without labels rest on it. None: nothing says.

        It is learned from a holdout, and takes what was judged of other rows. Metrics take its result in place of targets:
        of two classes the chance of the positive one (rows,), of several that of each (rows, k), of numbers values that are
        equally likely (rows, m).
        """

    def promised(self, contract: Contract) -> float | None:
        """The share of rows that the intervals of answers promise to hold; None where answers have none."""

    def page(self, before: np.ndarray, now: np.ndarray) -> Page:
        """What Evidently shows of labelled rows with these targets."""

    def told(self, target: Target, contract: Contract) -> str:
        """What is answered, for the model card."""


_PROBLEMS: dict[str, Problem] = {each.name: each for each in (Binary(), Multiclass(), Regression(), Ranking())}
_UNLESS_UNSURE: dict[str, Callable[[float], Problem]] = {"binary": Binary, "multiclass": Multiclass}


def problem_of(asked: Target | Contract) -> Problem:
    """The problem of a use case's target, or of a version's contract.

    >>> problem_of(Target(column="y")).name
    'binary'
    """
    return _UNLESS_UNSURE[asked.problem](asked.confidence) if asked.confidence else _PROBLEMS[asked.problem]
