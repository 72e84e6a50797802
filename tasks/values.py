"""The small values that travel between steps: a digest, a number, a verdict; never a frame or a fitted object.

Files are named by the SHA-256 of their content and lie in the store of their kind, so that a value read back from an
interrupted run still means the same file, also after the home folder has moved.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from configs.files import write_atomically as write_atomically
from configs.schema import Recipe, Resources, UseCase
from configs.settings import store
from serving.refusals import CONTRACT

UNKNOWN_SHARE = 0.05
Address = Annotated[str, Field(pattern=r"^https?://[^/\s`]+$")]


class Value(BaseModel):
    """Base of all values: immutable, and strict about its fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Snapshot(Value):
    """An immutable Parquet file of a source for a time window, rows in order."""

    digest: str
    rows: int

    @property
    def path(self) -> Path:
        """Where it lies."""
        return store("snapshots") / f"{self.digest}.parquet"


class Validation(Value):
    """What the suite found."""

    contract: str
    expectations: int
    report: str


class Split(Value):
    """Rows [0, learn) of a snapshot train the candidate, rows [cut, rows) are held out; `boundary` says where that is.

    Between them lie rows whose label was not known there yet. Rows [0, final) train the model that serves.
    """

    snapshot: Snapshot
    learn: int
    cut: int
    final: int
    boundary: str


class ChosenRecipe(Value):
    """What is trained, and why it was taken where there was a choice."""

    recipe: Recipe
    reason: str = ""

    def fixed(self, use_case: UseCase) -> UseCase:
        """The use case without a choice: what a version is recorded as, so that it can be built again."""
        training = use_case.training.model_copy(update={"history": [self.recipe.history], "search": None})
        return use_case.model_copy(update={"model": self.recipe.model, "training": training})


class FittedModel(Value):
    """A fitted pipeline, and how many rows it saw."""

    digest: str
    rows: int

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


class Evaluation(Value):
    """Metrics on the holdout, gates and slices; `scores` is a Parquet of time, label and probability a holdout row."""

    metrics: dict[str, float]
    gates: list[GateResult]
    scores: str

    @property
    def scores_path(self) -> Path:
        """Where the holdout scores lie."""
        return store("scores") / f"{self.scores}.parquet"


class OnnxModel(Value):
    """A converted model, compared with scikit-learn on every holdout row."""

    digest: str
    rows_compared: int
    max_difference: float
    golden: str
    variant: str = "as converted"

    @property
    def path(self) -> Path:
        """Where it lies."""
        return store("onnx") / f"{self.digest}.onnx"

    @property
    def golden_path(self) -> Path:
        """Records and the probabilities that scikit-learn gives them, for the integration test."""
        return store("golden") / f"{self.golden}.json"


class BundleRef(Value):
    """A bundle in the store."""

    digest: str

    @property
    def path(self) -> Path:
        """The bundle's folder."""
        return store("bundles") / self.digest


class Version(Value):
    """A version in the MLflow registry."""

    use_case: str
    version: str
    run_id: str
    bundle: BundleRef
    golden: str
    tags: dict[str, str] = {}


class Image(Value):
    """What a target runs: an image of the Docker Engine, or the code and the bundle as they lie here.

    `reference` is a tag made of everything that decides the content, `digest` the engine's id of the image, and `pushed` the
    digest in the registry (`REPOSITORY@sha256:...`), empty where there is no registry.
    """

    target: str
    reference: str = ""
    digest: str = ""
    pushed: str = ""
    why: str = ""


class Replica(Value):
    """One server of a release: its address, what the target knows it by, whether it runs, and how often it began anew."""

    address: str
    handle: str
    alive: bool = True
    restarts: int = 0


class Release(Value):
    """A bundle running somewhere, or one that should: everything but secrets that decides how its servers behave.

    `name` holds a digest of the rest, so that a release with another image or setting is another release. `wanted` is how
    many replicas there should be, `replicas` what there is. `log` is the folder of its prediction log.
    """

    name: str
    use_case: str
    version: str
    bundle: str
    target: str
    image: str
    log: str
    settings: dict[str, str]
    resources: Resources = Resources()
    wanted: int = 1
    replicas: tuple[Replica, ...] = ()

    @property
    def addresses(self) -> list[str]:
        """Of the replicas that run, sorted."""
        return sorted(replica.address for replica in self.replicas if replica.alive)


class Candidate(Value):
    """A release without traffic, which the gateway leads to only for those who name it."""

    release: str
    addresses: tuple[Address, ...]


class TrafficPlan(Value):
    """Where a use case's requests go: to one of these servers each, and to the candidate if they name it."""

    addresses: tuple[Address, ...] = ()
    candidate: Candidate | None = None

    def servers(self) -> tuple[str, ...]:
        """Every server that it leads to."""
        return (*self.addresses, *(self.candidate.addresses if self.candidate else ()))


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


class Bounds(Value):
    """A window before its rows are read: by event time [start, end), or by position [start, end) in the log."""

    name: str
    start: str
    end: str


class Refusal(Value):
    """How many requests of a window got no answer: the HTTP status (422: the contract refused them), the feature."""

    status: int
    feature: str
    requests: int


Look = Literal["first", "labels"]
KPI, FEATURE = "kpi.", "feature."  # how columns begin that hold a number of feedback, a feature


class Window(Value):
    """A closed slice of the prediction log; `data` is a Parquet of its rows joined with the latest feedback.

    It is looked at first when it closed, and again when its labels have come. `rows` is how many it had, in so many
    `requests` (None: each row was one), `labelled` how many labels; of a long one `data` holds a sample, and these are about
    so many. `strays` are rows whose event time could not be, `refused` requests that were not answered, the most frequent
    reason first. Each of `parts` holds the rows that one `version` answered, with the features that it takes, or says why
    they are not judged.
    """

    use_case: str
    name: str
    start: str
    end: str
    rows: int
    labelled: int
    data: str
    requests: int | None = None
    strays: int = 0
    refused: list[Refusal] = []
    look: Look = "first"
    version: str = ""
    not_judged: str = ""
    parts: list[Window] = []

    @property
    def path(self) -> Path:
        """Where its rows lie."""
        return store("windows") / f"{self.data}.parquet"

    @property
    def page(self) -> str:
        """What the pages about it are called."""
        return f"{self.name}{f'-v{self.version}' if self.version else ''}{'-labels' if self.look == 'labels' else ''}"

    @property
    def judged(self) -> list[Window]:
        """The parts that are judged, each against its own version."""
        return [part for part in self.parts if not part.not_judged]


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
    which rows of a seasonal reference.
    """

    columns: dict[str, ColumnDrift]
    joint: ColumnDrift
    prediction: ColumnDrift
    blocks: int
    persists: bool
    tolerance: float
    compared_with: str = ""

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
        """Drifted columns that cost more than the tolerance, or that have rows where nothing can be said about the cost."""
        return [name for name in self.drifted if (self.columns[name].cost or 0) > self.tolerance or self.unknown(name)]

    def unknown(self, name: str) -> bool:
        """Whether the column leaves what the reference knows, so that no estimate made from it holds."""
        return self.columns[name].outside > UNKNOWN_SHARE

    @property
    def matters_jointly(self) -> bool:
        """Whether columns that are each as they were no longer go together as they did, at a cost."""
        return self.joint.score > 1 and not self.drifted and (self.joint.cost or 0) > self.tolerance

    @property
    def highest(self) -> float:
        """The largest score of a column, or of all jointly."""
        return max(column.score for column in [*self.columns.values(), self.joint])


class Answers(Value):
    """What a model answered: the share of positive answers, and its confidence (mean probability of the answer)."""

    positives: float
    confidence: float


class Performance(Value):
    """The champion's metric: on the labels that have arrived, and estimated without them; each with an interval of 95 %.

    `floor` is calibrated on the champion's holdout, `estimate_floor` on estimates of it. `labelled` of `rows` had a label;
    `weighted` says whether the labelled rows' scores differed so much from all that they were weighted. `rose`
    is when each of river's detectors saw the errors rise. `slices` has the metric of each; `answers_expected` are those
    of the holdout.
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
    estimate: float | None
    estimate_lower: float | None
    estimate_upper: float | None
    estimate_floor: float | None
    estimate_fell: bool
    slices: list[Slice] = []
    answers: Answers
    answers_expected: Answers


class Kpi(Value):
    """A number of the service or of the business over a window.

    What feedback carries is known of some rows (`rows`), so it has an interval of 95 %; the rest is counted. `missed` says
    that the `target` is not kept; of what has an interval, that chance does not explain it at the calibrated rate.
    """

    value: float
    lower: float | None = None
    upper: float | None = None
    rows: int
    target: str = ""
    missed: bool = False


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
        """The targets that were not kept, and how."""
        return {name: f"{name} {kpi.value:.4g}, target {kpi.target}" for name, kpi in self.kpis.items() if kpi.missed}


class Alarm(Value):
    """A cause that is open: how grave, why, since which window, and when it was last told to people."""

    severity: str
    reason: str
    since: str
    told: str


class Group(Value):
    """The rows of a window that one version answered, judged against that version's own reference and floor.

    Where they are not judged, `not_judged` says why. A look with labels keeps the drift that the first look found.
    """

    version: str
    rows: int
    not_judged: str = ""
    drift: Drift | None = None
    performance: Performance | None = None


class Finding(Value):
    """What one look at a window found: the first when it closed, or the look with the labels that had not come by then.

    `version` leads: alarms and retrainings come from its group. `moment` orders the looks of a use case; `due` is when all
    labels should be there, and `labelled` how many were. `new_labels` is how many came since the version learned; `strays`
    how many rows said an event time that cannot be.
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
    causes: list[str]
    alarms: dict[str, Alarm]
    report: str
    false_alarm_rate: float
    new_labels: int = 0

    @model_validator(mode="before")
    @classmethod
    def _earlier_form(cls, data: Any) -> Any:
        """A window used to be judged as a whole, against the version that served."""
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
    def title(self) -> str:
        """The window, and which look it is."""
        return f"{self.window} (look with labels)" if self.look == "labels" else self.window


def put(kind: str, suffix: str, content: bytes) -> str:
    """Keep bytes in the store of a kind under the SHA-256 of their content, atomically; returns that digest."""
    digest = hashlib.sha256(content).hexdigest()
    path = store(kind) / f"{digest}{suffix}"
    if not path.exists():
        write_atomically(path, content)
    return digest


def put_parquet(kind: str, table: Any) -> str:
    """Keep an Arrow table as Parquet under the digest of its bytes."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    return put(kind, ".parquet", sink.getvalue().to_pybytes())
