"""What may stand under `fairness:` in a use case: which groups must be treated alike, by which measures, and how far."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from configs.forms import Strict

Criterion = Literal["selection_rate", "false_positive_rate", "false_negative_rate", "equalised_odds", "error"]
Mitigation = Literal["reweighing", "constrained", "threshold"]
OF_TWO: tuple[Mitigation, ...] = ("constrained", "threshold")
_OF_CLASSES: tuple[Criterion, ...] = ("selection_rate", "false_positive_rate", "false_negative_rate", "equalised_odds")
FITTING: dict[str, tuple[Criterion, ...]] = {
    "binary": _OF_CLASSES,
    "multiclass": _OF_CLASSES,
    "regression": ("error",),
    "ranking": (),
}


class Tolerance(Strict):
    """How far two groups may lie apart: the smaller number is at least this `ratio` of the larger, or at most so much less.

    A `difference` is one of rates, or in the units of the target.
    """

    ratio: float | None = Field(None, gt=0, lt=1)
    difference: float | None = Field(None, gt=0, allow_inf_nan=False)

    @property
    def told(self) -> str:
        """In words.

        >>> Tolerance(ratio=0.8).told, Tolerance(difference=0.1).told
        ('ratio >= 0.8', 'difference <= 0.1')
        """
        return f"difference <= {self.difference:g}" if self.ratio is None else f"ratio >= {self.ratio:g}"

    @model_validator(mode="after")
    def _one_of_them(self) -> Tolerance:
        if (self.ratio is None) == (self.difference is None):
            raise ValueError("give one of 'ratio' (0.8: four fifths) and 'difference' (0.1)")
        return self


class Criteria(Strict):
    """What must be alike between groups: of classes rates, of numbers the mean absolute `error`.

    `selection_rate` is the share of favourable answers; `false_positive_rate` that among rows that turned out otherwise,
    `false_negative_rate` the share of other answers among rows that turned out favourable; `equalised_odds` asks it of true
    and false positive rates (Hardt, Price & Srebro, "Equality of Opportunity in Supervised Learning", 2016).
    """

    selection_rate: Tolerance | None = None
    false_positive_rate: Tolerance | None = None
    false_negative_rate: Tolerance | None = None
    equalised_odds: Tolerance | None = None
    error: Tolerance | None = None

    @property
    def given(self) -> dict[Criterion, Tolerance]:
        """Those that are asked for."""
        found = {name: getattr(self, name) for name in type(self).model_fields}
        return {name: bound for name, bound in found.items() if bound is not None}  # type: ignore[misc]

    @model_validator(mode="after")
    def _some(self) -> Criteria:
        if not self.given:
            raise ValueError(f"names no criterion; give one of {', '.join(type(self).model_fields)}, each with its bound")
        for name, bound in self.given.items():
            if name != "error" and (bound.difference or 0) >= 1:
                raise ValueError(f"{name!r}: 'difference' is one of rates, so below 1; found {bound.difference:g}")
        return self


NO_MITIGATION: dict[str, Any] = {"mitigation": [], "choose": "table", "threshold": None}


class Fairness(Strict):
    """Groups by `protected` columns of the source, which the model need not see, and what must be alike between them.

    With `intersections` also the groups that all protected columns make together. `favourable` is the answer that people
    want: of two classes the positive one unless said. Groups of fewer than `least` rows are not judged. With `confidence`
    all intervals of one judgement hold together. A criterion that is `violated` stops a release, or is only told.

    Each `mitigation` is tried beside the usual recipe, and a table says what it costs and gains. `choose`: one of them by
    name, the `most_accurate_that_holds`, or none until somebody has read the `table`. One whose strength is searched for may
    cost at most `may_cost` of the share of right answers. `threshold` is the probability above which a row is answered
    positive, where a person gives it; else `threshold` is found for each training.
    """

    protected: list[str] = Field(min_length=1)
    intersections: bool = False
    favourable: str | int | bool | None = None
    criteria: Criteria
    least: int = Field(30, ge=2)
    confidence: float = Field(0.95, gt=0.5, lt=1)
    on_violation: Literal["refuse", "tell"] = "refuse"
    mitigation: list[Mitigation] = Field(default_factory=list, exclude_if=lambda given: not given)
    choose: Literal["table", "most_accurate_that_holds", "reweighing", "constrained", "threshold"] = Field(
        "table", exclude_if=lambda one: one == "table"
    )
    may_cost: float = Field(0.02, gt=0, lt=1, exclude_if=lambda share: share == 0.02)
    threshold: float | None = Field(None, ge=0.05, le=0.95, exclude_if=lambda given: given is None)

    @property
    def named(self) -> Mitigation | None:
        """The mitigation that is taken without comparing, if one is named."""
        return next((each for each in self.mitigation if each == self.choose), None)

    @property
    def seeks_threshold(self) -> bool:
        """Whether a threshold is taken that nobody has given."""
        return self.named == "threshold" and self.threshold is None

    @property
    def unmitigated(self) -> Fairness:
        """The same rules, without what is about mitigation."""
        return self.model_copy(update=NO_MITIGATION)

    def taking(self, one: Mitigation, threshold: float | None) -> Fairness:
        """The same rules, with that mitigation named."""
        return self.model_copy(update={"mitigation": [one], "choose": one, "threshold": threshold})

    @model_validator(mode="before")
    @classmethod
    def _none_of_its_own(cls, data: Any) -> Any:
        if isinstance(data, dict) and "group_thresholds" in (data.get("mitigation") or ()):
            raise ValueError(
                "'mitigation': 'group_thresholds' are not offered: what a person is answered would turn on the group "
                "that they belong to; 'threshold' is one for all"
            )
        return data

    @model_validator(mode="after")
    def _consistent(self) -> Fairness:
        if twice := sorted({name for name in self.protected if self.protected.count(name) > 1}):
            raise ValueError(f"'protected': {twice[0]!r} is listed twice")
        if self.intersections and len(self.protected) < 2:
            raise ValueError("'intersections' are those of two protected columns or more; 'protected' lists one")
        if self.choose != "table" and not self.mitigation:
            named = "reweighing" if self.choose == "most_accurate_that_holds" else self.choose
            raise ValueError(f"'choose: {self.choose}' is between mitigations; write 'mitigation: [{named}]' beside it")
        if self.choose not in ("table", "most_accurate_that_holds", *self.mitigation):
            raise ValueError(f"'choose: {self.choose}' is not among 'mitigation'; those are: {', '.join(self.mitigation)}")
        if self.threshold is not None and self.choose != "threshold":
            raise ValueError("'threshold' is given, and not taken; write 'choose: threshold' beside it, or leave it out")
        return self

    def fits(self, problem: str, target: str) -> None:
        """Nothing where it fits the problem and the column to predict.

        Raises:
            ValueError: what does not, and what would.
        """
        fitting = FITTING[problem]
        for name in self.criteria.given:
            if name not in fitting:
                told = f"those that do: {', '.join(fitting)}" if fitting else "it has none; leave 'fairness' out"
                raise ValueError(f"'fairness.criteria': {name!r} does not fit problem {problem!r}; {told}")
        if self.mitigation and problem not in ("binary", "multiclass"):
            raise ValueError(
                f"'fairness.mitigation': {self.mitigation[0]!r} is about classes, and problem {problem!r} has none"
            )
        if problem != "binary" and (wrong := [name for name in self.mitigation if name in OF_TWO]):
            raise ValueError(
                f"'fairness.mitigation': {wrong[0]!r} is for two classes, and problem {problem!r} has more; "
                "'reweighing' fits"
            )
        if target in self.protected:
            raise ValueError(
                f"'fairness.protected': {target!r} is the target itself, so no answer can be alike in its groups"
            )
        if problem == "multiclass" and self.favourable is None:
            raise ValueError("'fairness.favourable' is missing: which of the classes do people want?")
        if problem == "regression" and self.favourable is not None:
            raise ValueError("'fairness.favourable' is a class; problem 'regression' answers a number, leave it out")
