"""Values of fairness: what a measure is in each group, how far the groups lie apart, and what that says of a criterion."""

from __future__ import annotations

from typing import Literal

from tasks.store import Value

Verdict = Literal["holds", "violated", "undecided", "too few"]
GRAVEST: tuple[Verdict, ...] = ("violated", "undecided", "too few", "holds")


class GroupNumber(Value):
    """A measure of one group, of so many rows that count; with an interval of its own, or None where they are too few."""

    group: str
    rows: int
    value: float | None = None
    lower: float | None = None
    upper: float | None = None


class Gap(Value):
    """How far two groups lie apart: the smaller number over the larger, or the larger less the smaller.

    Its interval holds together with all others of the same judgement. `upper` is None where a ratio has no end.
    """

    smaller: str
    larger: str
    value: float
    lower: float
    upper: float | None


class Judged(Value):
    """A measure by the groups of a column (or of several together), and whether it keeps its bound.

    `gap` is that of the two groups that decide: of those beyond the bound, or undecided, or else of all, the farthest apart.
    """

    criterion: str
    measure: str
    by: str
    bound: str
    verdict: Verdict
    groups: list[GroupNumber]
    gap: Gap | None = None

    @property
    def by_ratio(self) -> bool:
        """Whether the bound is one of ratios."""
        return self.bound.startswith("ratio")

    @property
    def too_few(self) -> list[str]:
        """The groups that nothing can be said of."""
        return [each.group for each in self.groups if each.value is None]


class Proxy(Value):
    """A column that the model sees, and the AUC with which it alone tells a protected column: 0.5 is nothing, 1 is all."""

    column: str
    of: str
    auc: float


class Change(Value):
    """How much better something is with a mitigation than without, with its interval of 95 %; positive is better."""

    what: str
    value: float
    lower: float
    upper: float


class FairnessFound(Value):
    """What a judgement found, on so many `rows`: all intervals of its `comparisons` hold together with `confidence`.

    `favourable` is the answer that people want, empty where answers are numbers. `unknown` counts rows without a value of a
    protected column, and `unseen` says of columns that are not there why. `proxies` are known of a release.
    """

    favourable: str
    rows: int
    confidence: float
    comparisons: int
    judged: list[Judged]
    unknown: dict[str, int] = {}
    unseen: dict[str, str] = {}
    proxies: list[Proxy] = []

    @property
    def verdict(self) -> Verdict:
        """The gravest; too few also where no protected column was there."""
        return next((each for each in GRAVEST if each in [one.verdict for one in self.judged]), "too few")

    def those(self, verdict: Verdict) -> list[Judged]:
        """What was judged so."""
        return [each for each in self.judged if each.verdict == verdict]


class Price(Value):
    """What a candidate is on rows that it did not learn from: the `metric` of the promotion, the share of answers that are
    `right`, what is `found` of the groups, and the changes against the usual recipe, of the metric first. The usual recipe
    itself has none.
    """

    name: str
    metric: str
    value: float
    right: float
    found: FairnessFound
    changes: list[Change] = []


class FoundThreshold(Value):
    """A threshold, and the digest of what rows are answered by such that were not found on them."""

    threshold: float
    scores: str
