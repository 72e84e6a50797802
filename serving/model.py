"""The model at work: contract, scoring, log and metrics in one call. Every protocol ends here."""

from __future__ import annotations

import itertools
import secrets
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
import numpy as np

from serving.bundle import Bundle
from serving.contract import ContractError
from serving.log import Feedback, Prediction, PredictionLog
from serving.metrics import Metrics
from serving.scoring import Scorer


class Identity(msgspec.Struct, frozen=True):
    """Which release this process is: the registry version of its bundle, and its name on the target."""

    version: str
    release: str


class Scored(msgspec.Struct, frozen=True):
    """The answer to one request: `probabilities` has shape (rows, classes), `best` is the index of the class chosen."""

    prediction_ids: list[str]
    probabilities: np.ndarray
    best: list[int]


class ServedModel:
    """One bundle, ready to answer."""

    def __init__(self, bundle: Bundle, identity: Identity, log: PredictionLog) -> None:
        self.bundle, self.contract, self.identity, self.log = bundle, bundle.contract, identity, log
        self.metrics = Metrics(self.contract.use_case, identity.version, identity.release)
        self._scorer = Scorer(bundle.model)
        self._classes = set(map(repr, self.contract.classes))
        self._prefix = secrets.token_hex(8)
        self._count = itertools.count()

    def predict_records(
        self,
        records: Sequence[dict[str, Any]],
        event_time: datetime | None,
        caller: str,
        prediction_ids: list[str] | None = None,
    ) -> Scored:
        """Score records by name, and log each row before returning; ids are made where the client gives none.

        Raises:
            ContractError: a record is not what the contract says; nothing is logged.
            OSError: the log cannot be written; the answer must not be sent.
        """
        if prediction_ids is not None and len(prediction_ids) != len(records):
            raise ContractError(f"{len(prediction_ids)} prediction_ids for {len(records)} records; give one each, or none")
        arrays = self.contract.encode(records)
        return self._predict(arrays, records.__getitem__, len(records), event_time, caller, prediction_ids)

    def predict_columns(self, columns: dict[str, Any], event_time: datetime | None, caller: str) -> Scored:
        """Score named columns of equal length; otherwise as `predict_records`."""
        arrays = self.contract.encode_columns(columns)
        flat = {name: column.ravel().tolist() for name, column in arrays.items()}
        rows = len(next(iter(flat.values())))

        def record(row: int) -> dict[str, Any]:
            return {name: values[row] for name, values in flat.items()}

        return self._predict(arrays, record, rows, event_time, caller)

    def _predict(
        self,
        arrays: dict[str, np.ndarray],
        record: Callable[[int], dict[str, Any]],
        rows: int,
        event_time: datetime | None,
        caller: str,
        prediction_ids: list[str] | None = None,
    ) -> Scored:
        if rows == 0:
            raise ContractError("there is no row to score")
        started = time.perf_counter_ns()
        probabilities = self._scorer.probabilities(arrays)
        best = probabilities.argmax(axis=1).tolist()
        ids = prediction_ids or [f"{self._prefix}{next(self._count):012x}" for _ in range(rows)]
        now = utc_text(datetime.now(UTC))
        happened = utc_text(event_time) if event_time else now
        latency = (time.perf_counter_ns() - started) // 1000
        listed = probabilities.tolist()
        self.log.append(
            [
                Prediction(
                    ids[row],
                    now,
                    happened,
                    self.identity.version,
                    self.identity.release,
                    caller,
                    record(row),
                    self.contract.classes[best[row]],
                    listed[row],
                    latency,
                )
                for row in range(rows)
            ]
        )
        self.metrics.rows.inc(rows)
        for column in self.contract.columns:
            unseen = column.unseen(arrays[column.name])
            if unseen:
                self.metrics.unseen.labels(column.name).inc(unseen)
        return Scored(ids, probabilities, best)

    def feedback(self, labels: Sequence[tuple[str, str | int | bool]], caller: str) -> None:
        """Log what turned out to be true, by prediction id.

        Raises:
            ContractError: a label is not one of the contract's classes; nothing is logged.
            OSError: the log cannot be written.
        """
        for row, (_, label) in enumerate(labels):
            if repr(label) not in self._classes:
                allowed = ", ".join(map(repr, self.contract.classes))
                raise ContractError(f"{label!r} is not one of {allowed}", self.contract.target, row)
        now = utc_text(datetime.now(UTC))
        self.log.append([Feedback(prediction_id, now, label, caller) for prediction_id, label in labels])
        self.metrics.feedback.inc(len(labels))


def utc_text(moment: datetime) -> str:
    """UTC in ISO 8601 with microseconds, which sorts as text.

    >>> utc_text(datetime(2013, 3, 1, tzinfo=UTC))
    '2013-03-01T00:00:00.000000Z'
    """
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
