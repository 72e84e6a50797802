"""The model at work: contract, scoring, log and metrics in one call. Every protocol and every transport ends here."""

from __future__ import annotations

import contextlib
import logging
import re
import secrets
import time
from collections import OrderedDict
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, Generic, TypeVar

import msgspec
import numpy as np
from msgspec import UNSET, UnsetType

from serving.contract.contract import ContractError
from serving.contract.heads.choose import head_of
from serving.contract.records import Records
from serving.log.refusals import Refusals
from serving.log.writer import FORM, Entry, Feedback, Log, Prediction, Sensitive, Shadow
from serving.refusal import Refusal, too_late, too_many_explained, too_many_rows, unlogged
from serving.scoring.bundle import Bundle
from serving.scoring.job import Job
from serving.scoring.onnx import Scorer
from serving.telemetry.metrics import Metrics

if TYPE_CHECKING:
    from serving.reasons.reasons import Reasons

logger = logging.getLogger("slipway")


class Identity(msgspec.Struct, frozen=True):
    """Which release this process is: its bundle's registry version, its name, its part in the traffic plan."""

    version: str
    release: str
    variant: str = "champion"


LONGEST_ID = 100
Id = Annotated[str, msgspec.Meta(min_length=1, max_length=LONGEST_ID)]
REQUEST_ROWS = 100_000
EXPLAINED = 1000  # rows of a request, at most: reasons of a row can take as long as a thousand answers
NO_REASONS = (
    "explain: version {} gives no reasons: its bundle was made before there were any, or its model is none that they are "
    "known of; leave it out"
)
LATER = (
    "explain: reasons of this use case are made later, from the log ('reasons.give'), by slipway audit why PREDICTION_ID; "
    "leave it out"
)
KPI_NAME = "^[a-z_][a-z0-9_]{0,39}$"
KpiName = Annotated[str, msgspec.Meta(pattern=KPI_NAME)]
# What monitoring counts itself.
SERVICE_KPIS = frozenset({"latency_p50", "latency_p99", "requests_per_hour", "refused", "unanswered", "abstention"})
Number = Annotated[float, msgspec.Meta(ge=-1e300, le=1e300)]
MOST_KPIS = 20
_TEXT = re.compile(rb'"(?:[^"\\]++|\\.)*+"', re.DOTALL)  # in JSON: commas in it separate nothing
LATEST = datetime.max.replace(tzinfo=UTC)


Label = TypeVar("Label")  # the head's
Cached = tuple[str, int, tuple[int, ...] | None]  # a request's digest, and which of its rows


class Outcome(msgspec.Struct, Generic[Label], forbid_unknown_fields=True):
    """What turned out to be true for one prediction (`label`), what came of it in numbers (`kpis`), or both."""

    prediction_id: Id
    label: Label | UnsetType = UNSET
    kpis: Annotated[dict[KpiName, Number], msgspec.Meta(min_length=1, max_length=MOST_KPIS)] | UnsetType = UNSET


class ServedModel:
    """One bundle, ready to answer.

    Args:
        bundle: The verified bundle.
        identity: What answers and records are signed with.
        log: Where every answer goes first.
        sensitive: What the log keeps of sensitive columns; by default all.
        answer_unlogged: Answer also when the log cannot be written; by default such requests are refused.
        cache_size: How many requests' outputs are kept by digest; 0 for none.
        request_rows: The most rows that one request may hold.
    """

    def __init__(
        self,
        bundle: Bundle,
        identity: Identity,
        log: Log,
        sensitive: Sensitive | None = None,
        answer_unlogged: bool = False,
        cache_size: int = 0,
        request_rows: int = REQUEST_ROWS,
    ) -> None:
        self.digest, self.contract, self.identity, self.log = bundle.digest, bundle.contract, identity, log
        self.request_rows = request_rows
        self.head = head_of(bundle.contract)
        self.metrics = Metrics(self.contract.use_case, identity.version, identity.release)
        self.records = Records(self.contract)
        self._scorer = Scorer(bundle.model, self.contract)
        self._sensitive, self._answer_unlogged = sensitive, answer_unlogged
        self._cache: OrderedDict[Cached, np.ndarray] = OrderedDict()
        self._cache_size = cache_size
        self._explaining, self._coding = bundle.reasons, bundle.codes
        self.gives = _given(bundle.codes)
        self.refusals = Refusals(column.name for column in self.contract.columns)
        self._last: tuple[str, str] | None = None
        self._count = 0
        self._encode = msgspec.json.Encoder().encode

    def score(self, jobs: Sequence[Job]) -> None:
        """Score, log and answer a batch: afterwards each job holds its answers, or in `error` why it has none."""
        now = time.perf_counter()
        live = []
        for job in jobs:
            if job.budget is not None and now - job.received > job.budget:
                job.error = too_late(job.budget)
            elif not job.gone:
                live.append(job)
        if live:
            self._answer_apart(live)

    @cached_property
    def _prefix(self) -> str:
        """What its ids begin with; made with the first, because a function may be copied after it was loaded."""
        return secrets.token_hex(8)

    @property
    def explains(self) -> bool:
        """Whether answers can have reasons."""
        return bool(self._explaining) and self.gives != "later"

    @property
    def always_explains(self) -> bool:
        """Whether native answers have reasons without being asked for them."""
        return self.explains and self.gives == "always"

    @property
    def codes(self) -> bool:
        """Whether reasons are told in words."""
        return bool(self._coding)

    def explain(self, job: Job) -> None:
        """Asked by each protocol where a request wants reasons: the job gets them once it is scored.

        Raises:
            ContractError: there are none.
            Refusal: 413, more rows than get any.
        """
        if not self.explains:
            raise ContractError((LATER if self.gives == "later" else NO_REASONS).format(self.identity.version))
        if len(job.rows) > EXPLAINED:
            raise too_many_explained(len(job.rows), EXPLAINED)
        job.explain = True

    @cached_property
    def _reasons(self) -> Reasons:
        from serving.reasons.reasons import reasons_of  # not before somebody asks

        return reasons_of(self._explaining, self._coding, self.contract)

    def reasons(self, job: Job, start: int, stop: int) -> list[dict[str, Any] | None]:
        """What the answers to rows [start, stop) of a scored job were made of; None where another server answered."""
        cut = slice(start, stop)
        inputs = job.inputs.rows(cut) if job.inputs else self.records.inputs(job.rows[cut])
        told = self._reasons.told(self.records.feeds(inputs), job.outputs[cut])
        return [None if place in job.theirs else each for place, each in enumerate(told, start)]

    def check_outcomes(self, outcomes: Sequence[Outcome[Any]]) -> None:
        """Asked before any of them is logged.

        Raises:
            ContractError: a label is none that the target can have, or an outcome says nothing.
        """
        for row, outcome in enumerate(outcomes):
            self._check(row, outcome)

    def feedback(self, outcomes: Sequence[Outcome[Any]], caller: str) -> None:
        """Log what turned out to be true, by prediction id.

        Raises:
            Refusal: the log cannot be written.
        """
        now = utc_text(datetime.now(UTC))
        if outcomes:
            self._write([Feedback(one.prediction_id, now, _known(one.label), caller, _known(one.kpis)) for one in outcomes])
        self.metrics.feedback.inc(len(outcomes))

    def _check(self, row: int, outcome: Outcome[Any]) -> None:
        label = outcome.label
        if label is UNSET and outcome.kpis is UNSET:
            raise ContractError("has neither a label nor kpis", None, row)
        for name in SERVICE_KPIS & set(_known(outcome.kpis) or ()):
            raise ContractError(f"{name!r} is a KPI of the service itself; choose another name", "kpis", row)
        if label is not UNSET and (problem := self.head.wrong(label)) is not None:
            raise ContractError(problem, self.contract.target, row)

    def check_size(self, rows: int) -> None:
        """Asked by each protocol as soon as it knows how many rows, or outcomes, a request holds.

        Raises:
            Refusal: 413, more than one request may hold.
        """
        if rows > self.request_rows:
            raise too_many_rows(rows, self.request_rows)

    def check_items(self, body: bytes) -> None:
        """Asked before JSON becomes objects: no right request has more commas, and each could cost memory.

        Raises:
            Refusal: 413, more than so many rows could hold.
        """
        most = self.request_rows * (len(self.contract.names) + len(self.contract.identifiers) + 4)
        if body.count(b",") > most and _TEXT.sub(b"", body).count(b",") > most:
            raise too_many_rows(None, self.request_rows)

    def tick(self) -> None:
        """Called twice a second: what was refused is written, and a segment that is old is closed."""
        self._write_refusals()
        self.log.tick()

    def close(self) -> None:
        """The server ends."""
        self._write_refusals()
        self.log.close()

    def _write_refusals(self) -> None:
        """Nobody can be asked when a refused event was to happen: it counts as far from now as the last answered one."""
        if not self.refusals:
            return
        now = datetime.now(UTC)
        happened, at = map(datetime.fromisoformat, self._last) if self._last else (now, now)
        happened += min(now - at, LATEST - happened)  # a client may have said that it happens at the end of the calendar
        with contextlib.suppress(Refusal):  # the log cannot be written, which is told: they stay for the next time
            self._write(self.refusals.records(utc_text(now), utc_text(happened)))
            self.refusals.clear()

    def _answer_apart(self, jobs: list[Job]) -> None:
        """Answer the jobs together, or where that fails in halves, until whoever is to blame is alone.

        Only writing the log has an effect, and it is the last that can fail: its failure is everybody's, and told as a
        Refusal; whatever else fails left nothing behind.
        """
        try:
            self._answer(jobs)
        except Exception as error:  # the transport tells the client and the log
            if len(jobs) == 1 or isinstance(error, Refusal):
                for job in jobs:
                    job.error = error
                return
            middle = len(jobs) // 2
            self._answer_apart(jobs[:middle])
            self._answer_apart(jobs[middle:])

    def _answer(self, jobs: list[Job]) -> None:
        if own := [job for job in jobs if job.elsewhere is None]:
            self._score(own)
        entries: list[Prediction] = []
        now, clock = utc_text(datetime.now(UTC)), time.perf_counter()
        for job in jobs:
            job.ids = job.ids or self.new_ids(len(job.rows))
            if job.elsewhere is not None:
                job.answers, job.outputs = job.elsewhere.answers, job.elsewhere.outputs
            if job.logged:
                self._enter(entries, job, now, int((clock - job.received) * 1e6))
        if not entries:
            return
        if self._sensitive or self.records.renamed:
            entries = [self._guarded(entry) for entry in entries]
        self._write(entries)
        self._last = entries[-1].event_time, now

    def _score(self, jobs: list[Job]) -> None:
        """Put answers into jobs, in one call of the model."""
        rows = jobs[0].rows if len(jobs) == 1 else [row for job in jobs for row in job.rows]
        answers, outputs = self.head.answer(self._outputs(jobs, rows))
        at = 0
        for job in jobs:
            end = at + len(job.rows)
            job.answers, job.outputs = answers[at:end], outputs[at:end]
            at = end
        self.metrics.rows.inc(at)
        self.metrics.abstained.inc(answers.count(None))
        self.metrics.batch.observe(at)

    def _enter(self, entries: list[Prediction], job: Job, now: str, latency: int) -> None:
        """A job's records, signed with who answered it."""
        who = job.elsewhere or self.identity
        version, release, variant = who.version, who.release, who.variant
        happened = job.event_time = job.event_time or now
        caller, digest, (plan, assigned, fallback) = job.caller, job.digest, job.exposure
        for place, prediction_id, row, answer, output in zip(
            job.at, job.ids or (), job.rows, job.answers, job.outputs, strict=True
        ):
            entries.append(
                Prediction(
                    prediction_id,
                    now,
                    happened,
                    version,
                    release,
                    variant,
                    caller,
                    row,
                    answer,
                    output,
                    latency,
                    digest,
                    place,
                    FORM,
                    plan,
                    assigned,
                    fallback,
                )
            )

    def plain(self, rows: Sequence[Any]) -> bytes:
        """Records by the columns' own names, as a list in JSON: what another server of the use case reads."""
        return self._encode([self.records.fields(row) for row in rows] if self.records.renamed else rows)

    def write_shadows(self, entries: Sequence[Shadow]) -> None:
        """Log what shadows said; where the log cannot be written, which is told, it is lost."""
        with contextlib.suppress(Refusal):
            self._write(entries)

    def new_ids(self, rows: int) -> list[str]:
        """Names for predictions that the client gave none."""
        prefix, first = self._prefix, self._count
        self._count += rows
        return [f"{prefix}{number:012x}" for number in range(first, self._count)]

    def _outputs(self, jobs: list[Job], rows: list[Any]) -> np.ndarray:
        """Shape (rows, k), float32; from the cache where it is on and every request of the batch is in it."""
        if self._cache_size:
            known = [self._cache.get(_cached(job)) for job in jobs]
            for job, found in zip(jobs, known, strict=True):
                self.metrics.cache.labels("yes" if found is not None else "no").inc()
                if found is not None:
                    self._cache.move_to_end(_cached(job))
            if all(found is not None for found in known):
                return np.concatenate(known)  # type: ignore[arg-type]
        inputs = jobs[0].inputs if len(jobs) == 1 and jobs[0].inputs else self.records.inputs(rows)
        outputs = self._scorer.outputs(self.records.feeds(inputs))
        for name, count in self.records.unseen(inputs).items():
            self.metrics.unseen.labels(name).inc(count)
        if self._cache_size:
            self._remember(jobs, outputs)
        return outputs

    def _remember(self, jobs: list[Job], outputs: np.ndarray) -> None:
        at = 0
        for job in jobs:
            self._cache[_cached(job)] = outputs[at : at + len(job.rows)]
            at += len(job.rows)
        while len(self._cache) > self._cache_size:
            self._cache.popitem(last=False)

    def _guarded(self, entry: Prediction) -> Prediction:
        fields = self.records.fields(entry.features)
        return msgspec.structs.replace(entry, features=self._sensitive.guard(fields) if self._sensitive else fields)

    def _write(self, entries: Sequence[Entry]) -> None:
        try:
            self.metrics.log_bytes.inc(self.log.append(entries))
        except OSError as error:
            self.metrics.log_failures.inc()
            logger.error("the prediction log cannot be written: %s", error)
            if not self._answer_unlogged:
                raise unlogged(error) from error


def _given(coding: bytes) -> str:
    """When a bundle's reasons are given; empty where none are told in words."""
    from serving.reasons.codes import ON_REQUEST, read

    return read(coding).give if coding else ON_REQUEST


def _cached(job: Job) -> Cached:
    return job.digest, job.start, job.places


def own_ids(ids: list[str], rows: int) -> list[str]:
    """A client's own prediction ids, one a row.

    Raises:
        ContractError: there is another number of them, or one stands for two rows.
    """
    if len(ids) != rows:
        raise ContractError(f"{len(ids)} prediction_ids for {rows} records; give one each, or none")
    if len(set(ids)) < rows:
        first: dict[str, int] = {}
        row = next(row for row, each in enumerate(ids) if first.setdefault(each, row) != row)
        raise ContractError("names another row of this request already; give each its own", "prediction_ids", row)
    return ids


def _known(value: Any) -> Any:
    """None for what a client left out."""
    return None if value is UNSET else value


def utc_text(moment: datetime) -> str:
    """UTC in ISO 8601 with microseconds, which sorts as text.

    >>> utc_text(datetime(2013, 3, 1, tzinfo=UTC))
    '2013-03-01T00:00:00.000000Z'
    """
    return moment.astimezone(UTC).isoformat(timespec="microseconds")[: -len("+00:00")] + "Z"


def event_text(moment: datetime | None) -> str | None:
    """An event's time as the log has it.

    Raises:
        ContractError: UTC cannot express it (the first and last hours of the calendar).
    """
    if moment is None:
        return None
    try:
        return utc_text(moment)
    except OverflowError:
        raise ContractError(f"{moment.isoformat()} is not a time in UTC", "event_time") from None
