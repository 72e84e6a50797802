"""Values of the review: an answer that waits for people, what they said of it, and what was finally decided."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from tasks.store import Value

Answer = str | int | bool | float
How = Literal["confirmed", "overridden", "decided", "late"]


class Decision(Value):
    """What one person said of one answer, and why.

    `model_answer` is None where the model left the row to a person; then a decision overrides nothing.
    """

    prediction_id: str
    by: str
    time: datetime
    model_answer: Answer | None
    answer: Answer
    reason: str = ""
    text: str = ""

    @property
    def how(self) -> How:
        """What it does to the model's answer."""
        if self.model_answer is None:
            return "decided"
        return "confirmed" if self.answer == self.model_answer else "overridden"


class Final(Value):
    """What holds in the end: what as many people as needed agreed on, or, where they did not in time (`how` is late), what
    is declared for that. `number` is its line in the journal."""

    prediction_id: str
    time: datetime
    people: tuple[str, ...]
    how: How
    model_answer: Answer | None
    answer: Answer | None
    reason: str = ""
    number: int = 0

    def told(self, use_case: str) -> dict[str, Any]:
        """As the caller gets it, by webhook or on asking."""
        said = self.model_dump(mode="json", exclude={"number"})
        return {"use_case": use_case, "state": "final", **said}


class Item(Value):
    """An answer that waits for people: when it was given, why it waits, until when, and who has said something by now."""

    prediction_id: str
    asked: datetime
    due: datetime
    version: str
    model_answer: Answer | None
    why: tuple[str, ...]
    said: tuple[str, ...] = ()


class Shown(Value):
    """All that a reviewer looks at: the record, the answer with its numbers, what it was made of, and cases like it.

    `reasons` are as a native answer has them, or None, and `no_reasons` says why. `decisions` are told once it is final, so
    that a second person is not led by the first.
    """

    use_case: str
    prediction_id: str
    record: dict[str, Any]
    model_answer: Answer | None
    output: dict[str, float]
    version: str
    asked: datetime
    waits: Item | None
    reasons: dict[str, Any] | None
    no_reasons: str
    similar: list[dict[str, Any]]
    decisions: list[Decision]
    final: Final | None
    choices: list[Answer]
    override_reasons: list[str]


class Share(Value):
    """A share of `count` with its interval."""

    value: float
    lower: float
    upper: float
    count: int


class Kpis(Value):
    """Of final decisions, all or of one group: the share that people overrode, and the share that was late.

    `agreement` is that of two people who looked at the same answer, each knowing nothing of the other's; `beyond_chance` is
    the same less what chance does: 1 is perfect, 0 what chance does too (Scott, "Reliability of content analysis", 1955).
    """

    finals: int
    overridden: Share | None
    late: Share | None
    agreement: Share | None
    beyond_chance: Share | None


class Summary(Value):
    """What came of reviewing: `waiting` answers, of which `overdue` are nobody's any more; groups by protected column."""

    use_case: str
    waiting: int
    decided: int
    whole: Kpis
    groups: dict[str, dict[str, Kpis]]
    unseen: dict[str, str]
    confidence: float
