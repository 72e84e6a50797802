"""Values of onboarding: what was seen of a table, and of each of its columns."""

from __future__ import annotations

from typing import Literal

from configs.kinds import COLUMN_KINDS
from tasks.store import Value

Kind = Literal[
    "numeric", "categorical", "text", "datetime", "boolean", "identifier", "name", "time", "nested", "part", "constant"
]


class Column(Value):
    """A column: its kind, why it is taken for that, and what was counted; `why_out` is empty where it is a feature.

    `strange` counts the texts among numbers, `tokens` are these texts in a CSV, `note` is what a person should know of a
    column that goes in, `personal` what its values hold that may say who a person is. A `time` is one that is written in
    another way than a `datetime`, so that no model takes it.
    """

    name: str
    kind: Kind
    why: str
    missing: int
    distinct: int
    example: str = ""
    strange: int = 0
    tokens: list[str] = []
    sensitive: str = ""
    personal: str = ""
    why_out: str = ""
    note: str = ""

    @property
    def is_feature(self) -> bool:
        """Whether the model sees it."""
        return not self.why_out and self.kind in COLUMN_KINDS


class Times(Value):
    """The time column, its format where it is not ISO 8601, and what follows from its span."""

    column: str
    format: str = ""
    unreadable: int = 0
    future: int = 0
    told: str = ""


class Gate(Value):
    """A bound and where it comes from; a weak one is hardly over a guess, and nothing may be `learned` at all."""

    metric: str
    bound: str
    value: float
    why: str
    weak: bool = False
    learned: bool = True


class Checked(Value):
    """What is wrong with a use case, a line each, and, where nothing is in the way of reading it, what stands in it.

    `inferred` is the YAML of what it leaves to its table.
    """

    problems: list[str] = []
    told: list[str] = []
    inferred: str = ""
