"""Replay: history as live traffic, through the gateway, in time order, with labels that arrive later as feedback.

A row's prediction id is its number, so a replay that was stopped asks the log what was answered and goes on behind it.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import aiohttp
import msgspec
import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from configs.errors import CheckFailed, InputError
from configs.schema import UseCase
from serving.contract.contract import Contract
from serving.contract.heads.choose import head_of
from tasks.clock import set_clock
from tasks.data.frames import client_values, plain
from tasks.data.source import replay_rows
from tasks.deploying.keys import internal_headers
from tasks.log.read import open_log
from tasks.routing import gateway

CALLER = "replay"
CONNECTIONS = 24
FEEDBACK_BATCH = 500


@dataclass
class Figures:
    """What has happened so far; latencies are the last ones, in milliseconds."""

    total: int = 0
    sent: int = 0
    labels: int = 0
    failed: int = 0
    first_failure: str = ""
    moment: datetime | None = None
    latencies: deque[float] = field(default_factory=lambda: deque(maxlen=2000))

    def percentile(self, share: float) -> float:
        """Of the last latencies."""
        return float(np.percentile(list(self.latencies), share)) if self.latencies else 0.0


@dataclass(frozen=True)
class Row:
    """One request to send, and the label that comes back later."""

    number: int
    record: dict[str, Any]
    moment: datetime | None
    label: Any

    @property
    def prediction_id(self) -> str:
        """Its name in the log."""
        return f"replay-{self.number:07d}"


class Replay:
    """The rows of a use case's replay, read once, and sent up to one moment after another."""

    def __init__(self, use_case: UseCase, contract: Contract) -> None:
        self.use_case, self.contract = use_case, contract
        self._rows = list(_rows(use_case, contract, replay_rows(use_case)))
        with open_log(use_case.name) as log:
            seen = set(log.execute("select kind, prediction_id from log where caller = ?", [CALLER]).fetchall())
        self._answered = {prediction_id for kind, prediction_id in seen if kind == "prediction"}
        self._labelled = {prediction_id for kind, prediction_id in seen if kind == "feedback"}

    def rows(self, until: datetime | None = None, count: int | None = None) -> list[Row]:
        """The rows before a moment, or the first `count`."""
        if until is None:
            return self._rows[:count]
        return [row for row in self._rows if row.moment is not None and row.moment < until]

    @property
    def last(self) -> datetime | None:
        """The time of the last row."""
        return self._rows[-1].moment if self._rows else None

    def send(
        self,
        until: datetime | None = None,
        count: int | None = None,
        rate: float | None = None,
        progress: Callable[[Figures], None] = lambda _: None,
    ) -> Figures:
        """Send what is not answered yet, then every label that is known by `until`.

        Args:
            until: Only rows before it; where rows have a time.
            count: Only that many rows from the first; where they have none.
            rate: Requests a second at most; without it, as fast as answers come.
            progress: Called several times a second with the figures so far.

        Raises:
            CheckFailed: a request was not answered with 200; the message says how many, and the first.
        """
        rows = self.rows(until, count)
        figures = Figures(total=len(rows), sent=len(rows) - sum(r.prediction_id not in self._answered for r in rows))
        asyncio.run(self._send(rows, until, rate, figures, progress))
        progress(figures)
        if figures.failed:  # the clock stays: a window that lacks rows has not closed
            raise CheckFailed(f"{figures.failed} of {figures.total} requests failed; the first: {figures.first_failure}")
        if until is not None:
            set_clock(self.use_case, until)
        return figures

    async def _send(
        self,
        rows: list[Row],
        until: datetime | None,
        rate: float | None,
        figures: Figures,
        progress: Callable[[Figures], None],
    ) -> None:
        address, encode = gateway.address(self.use_case.name), msgspec.json.Encoder().encode
        waiting = [row for row in rows if row.prediction_id not in self._answered]
        started, numbers = time.monotonic(), itertools.count()
        queue = iter(waiting)
        labels = deque(r for r in rows if r.label is not None and r.prediction_id not in self._labelled)
        connector = aiohttp.TCPConnector(limit=CONNECTIONS + 2)
        headers = {**internal_headers(self.use_case.name, CALLER), "content-type": "application/json"}
        async with aiohttp.ClientSession(connector=connector, headers=headers) as session:

            async def client() -> None:
                for row in queue:
                    if rate:
                        await asyncio.sleep(max(0.0, started + next(numbers) / rate - time.monotonic()))
                    body = {"records": [row.record], "prediction_ids": [row.prediction_id], "event_time": row.moment}
                    began = time.perf_counter()
                    if await _post(session, f"{address}/predict", encode(body), figures):
                        figures.latencies.append((time.perf_counter() - began) * 1000)
                        figures.sent += 1
                        figures.moment = row.moment
                        self._answered.add(row.prediction_id)

            async def feedback(known: Callable[[Row], bool]) -> None:
                while labels and known(labels[0]):
                    batch: list[Row] = []
                    while labels and len(batch) < FEEDBACK_BATCH and known(labels[0]):
                        batch.append(labels.popleft())
                    said = [{"prediction_id": row.prediction_id, "label": row.label} for row in batch]
                    if await _post(session, f"{address}/feedback", encode({"labels": said}), figures):
                        figures.labels += len(batch)
                        self._labelled.update(row.prediction_id for row in batch)

            clients = [asyncio.create_task(client()) for _ in range(CONNECTIONS)]
            while any(not task.done() for task in clients):
                await asyncio.wait(clients, timeout=0.25)
                await feedback(lambda row: row.prediction_id in self._answered and self._known(row, figures.moment))
                progress(figures)
            await asyncio.gather(*clients)
            await feedback(lambda row: row.prediction_id in self._answered and self._known(row, until or self.last))

    def _known(self, row: Row, now: datetime | None) -> bool:
        """Whether a row's label has arrived by then."""
        return row.moment is None or (now is not None and row.moment + self.use_case.source.label_delay <= now)


def replayed(replay: Replay, until: datetime | None, count: int | None, rate: float | None, screen: Console) -> None:
    """Send, with a progress bar and running figures."""
    columns = ("[progress.description]{task.description}", BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, TextColumn("{task.fields[told]}"), console=screen) as progress:
        bar = progress.add_task("replay", total=None, told="")
        began, first = time.monotonic(), None

        def show(figures: Figures) -> None:
            nonlocal first
            first = figures.sent if first is None else first
            speed = (figures.sent - first) / max(time.monotonic() - began, 0.001)
            moment = f"{figures.moment:%Y-%m-%d}  " if figures.moment else ""
            text = f"{moment}{speed:,.0f}/s  p50 {figures.percentile(50):.1f} ms  p99 {figures.percentile(99):.1f} ms  "
            text += f"{figures.labels:,} labels  {figures.failed} failed"
            progress.update(bar, total=figures.total, completed=figures.sent, told=text)

        replay.send(until, count, rate, show)


async def _post(session: aiohttp.ClientSession, url: str, body: bytes, figures: Figures) -> bool:
    """Whether the answer was 200; what went wrong is counted, and the first failure kept."""
    try:
        async with session.post(url, data=body) as response:
            text = await response.read()
            if response.status == 200:
                return True
            failure = f"{url} answered {response.status}: {text[:300].decode(errors='replace')}"
    except aiohttp.ClientError as error:
        failure = f"{url}: {type(error).__name__}: {error}"
    figures.failed += 1
    figures.first_failure = figures.first_failure or failure
    return False


def _rows(use_case: UseCase, contract: Contract, table: Any) -> Iterator[Row]:
    """Rows as a client would send them: features by name without those that are missing."""
    frame = table.to_pandas()
    if frame.empty:
        raise InputError(f"use case {use_case.name!r}: the replay has no rows")
    names = [*contract.names, *(name for name in contract.identifiers if name in frame)]
    columns = [client_values(frame[name]) for name in names]
    time_column, column = use_case.source.time_column, use_case.target.column
    moments = frame[time_column].tolist() if time_column else [None] * len(frame)
    labels = _labels(contract, plain(frame[column]), f"use case {use_case.name!r}: replay")
    for number, (values, moment, label) in enumerate(zip(zip(*columns, strict=True), moments, labels, strict=True)):
        record = {name: value for name, value in zip(names, values, strict=True) if value is not None}
        yield Row(number, record, moment.to_pydatetime().replace(tzinfo=UTC) if moment else None, label)


def _labels(contract: Contract, values: Sequence[Any], where: str) -> list[Any]:
    """The target's values as a client would say them; None where one is missing."""
    head, labels = head_of(contract), []
    for row, value in enumerate(values):
        try:
            labels.append(None if value is None or value != value else head.label_of(value))
        except ValueError as error:
            raise InputError(f"{where}: row {row}, column {contract.target!r}: {error}") from None
    return labels
