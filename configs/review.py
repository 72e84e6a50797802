"""What may stand under `review:` in a use case: which answers people look at, how many people, until when, and what then."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from pydantic import Field, model_validator

from configs.forms import Duration, Strict

Answer = str | int | float | bool
Text = Annotated[str, Field(min_length=1, pattern=r"\S")]
CLASSES = ("binary", "multiclass")


class Uncertain(Strict):
    """Answers that the model is not sure of: no class has a probability of `confidence`.

    Or of two classes: the probability lies within `margin` of 0.5, where the answer turns.
    """

    margin: float | None = Field(None, gt=0, lt=0.5)
    confidence: float | None = Field(None, gt=0, lt=1)

    @model_validator(mode="after")
    def _one_of_them(self) -> Uncertain:
        if (self.margin is None) == (self.confidence is None):
            raise ValueError("give one of 'margin' (0.1: from 0.4 to 0.6) and 'confidence' (0.8)")
        return self


class When(Strict):
    """Which answers go to people: those that any of these names.

    A rule is a SQL condition on what the log has of a prediction, by its name; a group is a column's values; `sample` is a
    share of all, chosen by a hash of the prediction id.
    """

    uncertain: Uncertain | None = None
    rules: dict[Text, Text] = {}
    groups: dict[str, Annotated[list[Answer], Field(min_length=1)]] = {}
    sample: float | None = Field(None, gt=0, le=1)


class Review(Strict):
    """People decide: `when` an answer goes to them, the `reasons` for overriding it that they choose from, and until when.

    `persons` different people must give the same answer. What nobody decided `within` that time after the answer keeps the
    model's answer, or gets `answer_when_late`. With `is_label` what people decided counts as what turned out to be true.
    `webhook` is the name of a secret, the address that every final decision is posted to.
    """

    when: When = When()
    reasons: list[Text] = Field(min_length=1)
    persons: int = Field(1, ge=1, le=2)
    within: Duration
    answer_when_late: Answer | None = None
    is_label: bool = False
    webhook: str | None = Field(None, pattern=r"^[A-Z][A-Z0-9_]*$")

    @model_validator(mode="after")
    def _consistent(self) -> Review:
        if twice := sorted({each for each in self.reasons if self.reasons.count(each) > 1}):
            raise ValueError(f"'reasons': {twice[0]!r} is listed twice")
        if self.within <= timedelta(0):
            raise ValueError("'within' is a length of time above zero; write for example '2 days'")
        return self

    def fits(self, problem: str, abstains: bool, logged: list[str], columns: list[str]) -> None:
        """Nothing where it fits the problem, whether rows are left to a person, and what the log has of the `columns`.

        Raises:
            ValueError: what does not, and what would.
        """
        if problem == "ranking":
            raise ValueError("'review' does not fit problem 'ranking': what is answered there is an order, of many rows")
        uncertain, when = self.when.uncertain, self.when
        if uncertain is not None and problem not in CLASSES:
            raise ValueError(
                f"'review.when.uncertain' is about probabilities, which problem {problem!r} has none of; give a rule, for "
                "example 'rules: {wide: output[3] - output[2] > 100}' where answers have an interval"
            )
        if uncertain is not None and uncertain.margin is not None and problem != "binary":
            raise ValueError(f"'review.when.uncertain.margin' is that of two classes; problem {problem!r} has 'confidence'")
        if not (abstains or uncertain or when.rules or when.groups or when.sample):
            raise ValueError(
                "'review.when' names no answer; give one of 'uncertain', 'rules', 'groups' and 'sample', or "
                "'target.confidence'"
            )
        if abstains and self.answer_when_late is None:
            raise ValueError(
                "'review.answer_when_late' is missing: with 'target.confidence' some rows have no answer of the model's "
                "that could stand"
            )
        for name in self.when.groups:
            if name not in columns:
                raise ValueError(f"'review.when.groups': {name!r} is neither a feature nor an identifier")
            if name not in logged:
                raise ValueError(
                    f"'review.when.groups': the log has no {name!r}, which is sensitive; write 'log: {{sensitive: keep}}'"
                )
