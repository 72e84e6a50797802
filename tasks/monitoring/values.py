"""Values of monitoring: what a look at a window found."""

from __future__ import annotations

from typing import Any

from pydantic import model_validator

from serving.log.refusals import CONTRACT
from tasks.fairness.values import FairnessFound
from tasks.log.values import Look, Refusal
from tasks.review.values import Kpis
from tasks.store import Value
from tasks.training.values import Slice

UNKNOWN_SHARE = 0.05
LEAST_SHIFT = 0.05


class ColumnDrift(Value):
    """One column of a window against the reference.

    `score` is the distance in units of the calibrated bound: over 1 is drift. `distance` is Jensen-Shannon's, `outside` the
    share of rows where the reference has none (beyond its range, unknown or newly missing), `cost` what the drift is
    estimated to take from the metric, `fault` the likely cause where something upstream is broken.
    """

    score: float
    distance: float
    outside: float = 0.0
    cost: float | None = None
    fault: str | None = None


class Drift(Value):
    """Every watched column, all jointly and the prediction score; from how many independent blocks the bounds come.

    Of `joint` the distance is the AUC of a domain classifier, and the cost is known where no single column drifted.
    `persists` is False while too few windows in a row were over the bound (`monitoring.persistence`). `compared_with` says
    which rows of a seasonal reference, `not_estimated` why no cost is known.
    """

    columns: dict[str, ColumnDrift]
    joint: ColumnDrift
    prediction: ColumnDrift
    blocks: int
    persists: bool
    tolerance: float
    compared_with: str = ""
    not_estimated: str = ""

    @property
    def drifted(self) -> list[str]:
        """The columns over their bound, farthest first."""
        over = [name for name, column in self.columns.items() if column.score > 1]
        return sorted(over, key=lambda name: -self.columns[name].score)

    @property
    def faults(self) -> dict[str, str]:
        """Columns whose source is broken, and how."""
        return {name: column.fault for name, column in self.columns.items() if column.fault}

    @property
    def matters(self) -> list[str]:
        """Drifted columns that cost more than the tolerance, or that have rows where nothing can be said about the cost.

        Where no cost is estimated, those beside which the answers moved too.
        """
        costly = {name for name in self.drifted if (self.columns[name].cost or 0) > self.tolerance or self.unknown(name)}
        return [name for name in self.drifted if name in costly or self.answers_moved]

    @property
    def answers_moved(self) -> bool:
        """Whether the answers drifted where nobody can say what drift costs."""
        return bool(self.not_estimated) and self.prediction.score > 1

    def unknown(self, name: str) -> bool:
        """Whether the column leaves what the reference knows, so that no estimate made from it holds."""
        return self.columns[name].outside > UNKNOWN_SHARE

    @property
    def matters_jointly(self) -> bool:
        """Whether columns that are each as they were no longer go together as they did, at a cost."""
        costly = (self.joint.cost or 0) > self.tolerance or self.answers_moved
        return self.joint.score > 1 and not self.drifted and costly

    @property
    def highest(self) -> float:
        """The largest score of a column, or of all jointly."""
        return max(column.score for column in [*self.columns.values(), self.joint])


class ReasonDrift(Value):
    """What one column added to answers, against the reference.

    `score` is over 1 where the distribution of its Shapley values drifted; `now` and `before` are how much it moved an
    answer, by the mean absolute one. `shift` is how far that, or the mean itself, went, as a share of what all columns
    together moved an answer by before.
    """

    score: float
    now: float
    before: float
    shift: float

    @property
    def moved(self) -> bool:
        """Whether it drifted, and by enough to be told: chance is one thing, and what an answer is made of another."""
        return self.score > 1 and self.shift >= LEAST_SHIFT


class ReasonFlow(Value):
    """What moves the answers of a window, on `rows` of it and `reference_rows` of the reference, in units of `scale`.

    Of `unknown` columns the log has no values: they are left out, as columns that nobody knows. `alarms` says whether drift
    is an alarm here, `persists` whether enough windows in a row had some. `not_looked_at` says why nothing was compared.
    """

    columns: dict[str, ReasonDrift] = {}
    scale: str = ""
    rows: int = 0
    reference_rows: int = 0
    blocks: int = 0
    unknown: list[str] = []
    alarms: bool = False
    persists: bool = False
    not_looked_at: str = ""

    @property
    def moved(self) -> list[str]:
        """The columns that did, farthest first."""
        over = [name for name, column in self.columns.items() if column.moved]
        return sorted(over, key=lambda name: -self.columns[name].score)

    @property
    def highest(self) -> float:
        """The largest score of a column whose shift is large enough."""
        return max((column.score for column in self.columns.values() if column.shift >= LEAST_SHIFT), default=0.0)


class Coverage(Value):
    """How many rows lay within their interval, of those whose label has come, with an interval of 95 %.

    `expected` is the share of the holdout, `floor` calibrated on it.
    """

    promised: float
    value: float
    lower: float
    upper: float
    floor: float
    expected: float
    fell: bool


class Performance(Value):
    """The champion's metric: on the labels that have arrived, and estimated without them; each with an interval of 95 %.

    `floor` is calibrated on the champion's holdout, `estimate_floor` on estimates of it. `labelled` of `rows` had a label;
    `weighted` says whether the labelled rows' scores differed so much from all that they were weighted. `rose`
    is when each of river's detectors saw the errors rise. `slices` has the metric of each; `answers` says in a few
    numbers what was answered (of two classes the share of positive answers, and the confidence: the mean probability of the
    answer), `answers_expected` those of the holdout. `coverage` is that of intervals, where enough labels came.
    `not_estimated` says why there is no estimate at all.
    """

    metric: str
    value: float | None
    lower: float | None
    upper: float | None
    floor: float | None
    expected: float
    labelled: int
    rows: int
    weighted: bool
    fell: bool
    rose: dict[str, str]
    estimate: float | None = None
    estimate_lower: float | None = None
    estimate_upper: float | None = None
    estimate_floor: float | None = None
    estimate_fell: bool = False
    slices: list[Slice] = []
    answers: dict[str, float]
    answers_expected: dict[str, float]
    not_estimated: str = ""
    coverage: Coverage | None = None


class Kpi(Value):
    """A number of the service or of the business over a window.

    What feedback carries is known of some rows (`rows`), so it has an interval of 95 %; the rest is counted. `missed` says
    that the `objective` is not kept; of what has an interval, that chance does not explain it at the calibrated rate.
    """

    value: float
    lower: float | None = None
    upper: float | None = None
    rows: int
    objective: str = ""
    missed: bool = False

    @model_validator(mode="before")
    @classmethod
    def _earlier_form(cls, data: Any) -> Any:
        """An objective used to be called a target."""
        if isinstance(data, dict) and "target" in data:
            return {("objective" if key == "target" else key): value for key, value in data.items()}
        return data


class Service(Value):
    """How the service did in a window: its KPIs by name, and what it refused, the most frequent reason first."""

    kpis: dict[str, Kpi]
    refused: list[Refusal] = []

    @property
    def fault(self) -> str | None:
        """Why something upstream is broken: nothing was answered, or clients send much that the contract refuses."""
        hourly = self.kpis.get("requests_per_hour")
        if self.refused and hourly is not None and hourly.value == 0:
            most = f" for {self.refused[0].feature}" if self.refused[0].feature else ""
            count = sum(each.requests for each in self.refused)
            return f"none of the {count:,} requests was answered, most with status {self.refused[0].status}{most}"
        share = self.kpis["refused"].value if "refused" in self.kpis else 0.0
        if share <= UNKNOWN_SHARE:
            return None
        features = [r.feature for r in self.refused if r.status == CONTRACT and r.feature]
        most = f", most for {features[0]}" if features else ""
        return f"{share:.0%} of the requests were refused by the contract{most}"

    @property
    def missed(self) -> dict[str, str]:
        """The objectives that were not kept, and how."""
        return {name: f"{name} {kpi.value:.4g}, objective {kpi.objective}" for name, kpi in self.kpis.items() if kpi.missed}


class Reviewed(Value):
    """What people decided since the look before (`found`), and all `before` that; and what waits for them now.

    `oldest` is the age in hours of the answer that waits longest, `late` how many nobody decided in time. `chance` is how
    often so many overrides come where nothing changed, `more` that it is less than the calibrated rate. `until` is the last
    line of the journal that was counted.
    """

    waiting: int
    oldest: float | None
    found: Kpis
    before: Kpis
    chance: float | None
    more: bool
    late: int
    until: int


class Alarm(Value):
    """A cause that is open: how grave, why, since which window, and when it was last told to people."""

    severity: str
    reason: str
    since: str
    told: str


class Group(Value):
    """The rows of a window that one version answered, judged against that version's own reference and floor.

    Where they are not judged, `not_judged` says why. A look with labels keeps the drift, of columns and of reasons, that the
    first look found; of a version without reasons there are none.
    """

    version: str
    rows: int
    not_judged: str = ""
    drift: Drift | None = None
    performance: Performance | None = None
    fairness: FairnessFound | None = None
    reasons: ReasonFlow | None = None


class Finding(Value):
    """What one look at a window found: the first when it closed, or the look with the labels that had not come by then.

    `version` leads: alarms and retrainings come from its group. `moment` orders the looks of a use case; `due` is when all
    labels should be there, and `labelled` how many were. `new_labels` is how many came since the version learned; `strays`
    how many rows said an event time that cannot be. `reviewed` is None where nobody reviews, and in the look with labels.
    """

    use_case: str
    window: str
    look: Look = "first"
    until: str
    moment: str = ""
    due: str = ""
    version: str
    rows: int
    labelled: int = 0
    strays: int = 0
    groups: list[Group] = []
    service: Service
    reviewed: Reviewed | None = None
    causes: list[str]
    alarms: dict[str, Alarm]
    report: str
    false_alarm_rate: float
    new_labels: int = 0

    @model_validator(mode="before")
    @classmethod
    def _earlier_form(cls, data: Any) -> Any:
        """A window used to be judged as a whole, against the version that served; an objective was called a target."""
        if isinstance(data, dict) and "target" in (*data.get("causes", ()), *data.get("alarms", ())):
            data = dict(data)
            data["causes"] = ["objective" if cause == "target" else cause for cause in data["causes"]]
            data["alarms"] = {("objective" if key == "target" else key): value for key, value in data["alarms"].items()}
        if isinstance(data, dict) and "drift" in data:
            data = dict(data)
            drift, performance = data.pop("drift"), data.pop("performance")
            group = {"version": data["version"], "rows": data["rows"], "drift": drift, "performance": performance}
            known = performance if isinstance(performance, dict) else performance.model_dump()
            data["labelled"] = round(data["rows"] * known["labelled"] / max(known["rows"], 1))
            data["groups"] = [group]
        return data

    @property
    def moment_of_look(self) -> str:
        """When it was looked at, by the use case's clock; no two looks have the same."""
        return self.moment or self.until

    @property
    def group(self) -> Group | None:
        """The one that leads, where any is judged."""
        return next((group for group in self.groups if group.version == self.version and not group.not_judged), None)

    @property
    def drift(self) -> Drift | None:
        """Of the group that leads."""
        return self.group.drift if self.group else None

    @property
    def performance(self) -> Performance | None:
        """Of the group that leads."""
        return self.group.performance if self.group else None

    @property
    def fairness(self) -> FairnessFound | None:
        """Of the group that leads."""
        return self.group.fairness if self.group else None

    @property
    def title(self) -> str:
        """The window, and which look it is."""
        return f"{self.window} (look with labels)" if self.look == "labels" else self.window
