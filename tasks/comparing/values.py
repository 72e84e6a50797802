"""Values of comparing: what versions are, the rows that are fair to all, how each does there, and all of it side by side.

What belongs to a version stands under its number. A number that is not defined is None.
"""

from __future__ import annotations

from tasks.data.values import Snapshot
from tasks.fairness.values import FairnessFound
from tasks.problems.values import Distribution, Matrix
from tasks.store import Value

Scalar = str | int | float | bool | None


class Fact(Value):
    """One thing that is known of every version."""

    what: str
    values: dict[str, Scalar]


class Facts(Value):
    """What versions were made from and are. Of configuration, Python and packages only what differs.

    `remarks` is what cannot be told, in a sentence each.
    """

    data: list[Fact]
    model: list[Fact]
    configuration: list[Fact]
    environment: list[Fact]
    remarks: list[str]


class Basis(Value):
    """Labelled rows that none of the versions learned from, and where what each answers to them is kept.

    `told` says which rows they are, or why there are none: then all else is empty. `by` says what answered for a version:
    it, or its candidate. `answers` is a Parquet of row number, time, target, and the outputs of each version.
    """

    told: str
    answers: str = ""
    snapshot: Snapshot | None = None
    rows: int = 0
    by: dict[str, str] = {}


class Estimate(Value):
    """A number with its interval of 95 %."""

    value: float
    lower: float
    upper: float


class Gain(Value):
    """How much better one version is than another by a metric; positive is better, whichever way the metric points."""

    before: str
    after: str
    estimate: Estimate | None


class Measured(Value):
    """A metric on the rows of a part (`where` is `all`, or a slice such as `origin=JFK`)."""

    where: str
    metric: str
    greater_is_better: bool
    rows: int
    values: dict[str, Estimate | None]
    gains: list[Gain]


class GroupGain(Value):
    """How much better a protected group is treated by one version than by another, by a measure; positive is better."""

    by: str
    measure: str
    group: str
    gains: list[Gain]


class Groups(Value):
    """What each version's answers to the rows are to protected groups; `gains` are those of groups with enough rows."""

    found: dict[str, FairnessFound]
    gains: list[GroupGain]


class Own(Value):
    """What a version's own holdout gave its candidate: other rows for each, so nothing to compare."""

    version: str
    rows: int
    metrics: dict[str, float | None]
    told: str = ""


class Answer(Value):
    """What was answered to a row, and the number by which it was."""

    said: str | float
    score: float


class Differing(Value):
    """A row that two versions answer differently; `values` as the prediction log would have them."""

    row: int
    time: str
    label: Scalar
    before: Answer
    after: Answer
    apart: float
    values: dict[str, Scalar]


class Changed(Value):
    """On how many rows of the basis two versions answer differently, from what to what, and the rows most apart."""

    before: str
    after: str
    rows: int
    differ: int
    picture: Matrix | Distribution
    most: list[Differing]


class Deployed(Value):
    """When a version was switched to, why, and by which run; `instead` is the version that served before."""

    time: str
    reason: str
    by: str
    instead: str


class Origin(Value):
    """Why a version was made, what was decided about it, and when it served."""

    version: str
    parent: str
    cause: str
    trained_by: str
    verdicts: list[str]
    gates: list[str]
    deployed: list[Deployed]
    serves: bool


class SideBySide(Value):
    """Versions of a use case, compared. Where no rows are fair to all, `changed` and `measured` are empty, else `own` is.

    `groups` is there where the newest protects some.
    """

    use_case: str
    time_zone: str
    versions: list[str]
    facts: Facts
    basis: Basis
    metric: str
    measured: list[Measured]
    own: list[Own]
    changed: list[Changed]
    origins: list[Origin]
    groups: Groups | None = None
    page: str = ""
