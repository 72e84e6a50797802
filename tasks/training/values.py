"""Values of training: what is trained, the fitted model, how well it does, and the verdict against another."""

from __future__ import annotations

from pathlib import Path

from configs.schema import Recipe, UseCase
from configs.settings import store
from tasks.store import Value


class ChosenRecipe(Value):
    """What is trained, and why it was taken where there was a choice."""

    recipe: Recipe
    reason: str = ""

    def because(self, why: str) -> ChosenRecipe:
        """The same, with one more reason."""
        return self.model_copy(update={"reason": "; ".join(filter(None, [self.reason, why]))})

    def taking(self, recipe: Recipe, why: str) -> ChosenRecipe:
        """Another recipe in its place, with one more reason."""
        found = self.model_copy(update={"recipe": recipe}).because(why)
        return found if recipe.threshold is None else found.because(f"threshold {recipe.threshold:g}")

    def fixed(self, use_case: UseCase) -> UseCase:
        """The use case without a choice: what a version is recorded as, so that it can be built again."""
        training = use_case.training.model_copy(update={"history": [self.recipe.history], "search": None})
        fairness = use_case.fairness
        if fairness is not None:
            taken = self.recipe.mitigation
            fairness = fairness.unmitigated if taken is None else fairness.taking(taken, self.recipe.threshold)
        return use_case.model_copy(update={"model": self.recipe.model, "training": training, "fairness": fairness})


class FittedModel(Value):
    """A fitted pipeline, how many rows it saw, and on how many of them its intervals were calibrated."""

    digest: str
    rows: int
    calibrated: int = 0

    @property
    def path(self) -> Path:
        """Where it lies. Never part of a bundle: a pickle runs code when it is read."""
        return store("models") / f"{self.digest}.joblib"


class GateResult(Value):
    """One bound, what was measured, and whether it held."""

    where: str
    metric: str
    value: float
    bound: str
    passed: bool
    rows: int


class Bin(Value):
    """Rows whose probabilities lie in one tenth: the mean that was said of them, and the share that turned out so."""

    rows: int
    said: float
    happened: float


class Reliability(Value):
    """Brier score, expected calibration error, and the bins that the latter comes from."""

    brier: float
    error: float
    bins: list[Bin]


class Calibration(Value):
    """The reliability of probabilities before and after they were calibrated, on the same rows."""

    before: Reliability
    after: Reliability


class Evaluation(Value):
    """Metrics on the holdout, gates and slices; `remarks` is what the holdout cannot say.

    `calibration` is there where one was asked for. `scores` is a Parquet of time, label and what was answered, a holdout
    row; classes are numbered as in the `contract`.
    """

    metrics: dict[str, float]
    gates: list[GateResult]
    scores: str
    contract: str
    remarks: list[str] = []
    calibration: Calibration | None = None

    @property
    def scores_path(self) -> Path:
        """Where the holdout scores lie."""
        return store("scores") / f"{self.scores}.parquet"


class Slice(Value):
    """A number of the rows whose column has a value (`where` is `origin=JFK`), with its interval of 95 %."""

    where: str
    value: float
    lower: float
    upper: float
    rows: int


class Comparison(Value):
    """A verdict: champion against challenger on labelled rows that neither has learned from.

    No numbers where nothing was measured. `undecided`: there were too few such rows, and not before `again` (empty: nobody
    knows) can there be enough. `slices` has the gain of each.
    """

    better: bool
    reason: str
    undecided: bool = False
    again: str = ""
    metric: str | None = None
    champion: float | None = None
    challenger: float | None = None
    difference: float | None = None
    lower: float | None = None
    confidence: float | None = None
    rows: int = 0
    slices: list[Slice] = []
