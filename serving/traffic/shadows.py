"""Shadows: releases that get copies of rows and answer nobody. What they say is logged beside what was answered.

A copy is sent when the answer is logged; nobody waits for it, and no more of them are under way than a shadow's server
takes on. So a shadow may be slow, broken or dead without anybody noticing.
"""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from functools import partial

from serving.contract.heads.head import Answers, Outputs
from serving.log.writer import Shadow
from serving.scoring.admission import QUEUE_ROWS
from serving.scoring.job import Elsewhere, Job
from serving.scoring.model import ServedModel, utc_text
from serving.traffic.line import EXCHANGE_ROWS, Found, Line
from serving.traffic.plan import SHADOW

SECONDS = 5.0  # that a shadow may take
ROWS = QUEUE_ROWS  # that may be under way to one shadow; what is beyond is dropped, and counted


class Shadows:
    """One worker's copies under way, and their answers until they are written (`flush`), a few times a second."""

    def __init__(self, model: ServedModel) -> None:
        self._model, self._metrics = model, model.metrics.traffic
        self._under_way: dict[Line, int] = {}
        self._said: list[Shadow] = []

    def copy(self, job: Job, places: list[int], line: Line) -> None:
        """Send a shadow the rows at these places of a request that is answered."""
        for start in range(0, len(places), EXCHANGE_ROWS):
            chosen = places[start : start + EXCHANGE_ROWS]
            under_way = self._under_way.get(line, 0)
            if under_way and under_way + len(chosen) > ROWS:
                self._metrics.shadow(job.exposure.plan, line.arm.name, "dropped", len(chosen))
                continue
            if not line.admits():
                self._metrics.shadow(job.exposure.plan, line.arm.name, "off", len(chosen))
                continue
            part = job if len(chosen) == len(job.rows) else job.pick(chosen)
            self._under_way[line] = under_way + len(chosen)
            began = time.perf_counter()
            asked = line.ask(self._model.plain(part.rows), len(chosen), SECONDS)
            asked.add_done_callback(partial(self._done, part, line, began))

    def flush(self) -> None:
        """Write what was said since the last time."""
        if self._said:
            said, self._said = self._said, []
            self._model.write_shadows(said)
        for line in [line for line, rows in self._under_way.items() if not rows]:
            del self._under_way[line]

    def _done(self, part: Job, line: Line, began: float, asked: asyncio.Future[Found]) -> None:
        found, count = asked.result(), len(part.rows)
        self._under_way[line] -= count
        plan, seconds = part.exposure.plan, time.perf_counter() - began
        self._metrics.shadow(plan, line.arm.name, "sent" if isinstance(found, Elsewhere) else found, count)
        latency, now = int(seconds * 1e6), utc_text(datetime.now(UTC))
        answers: Answers = [None] * count
        outputs: Outputs = [[]] * count
        fallback = ""
        if isinstance(found, Elsewhere):
            answers, outputs = found.answers, found.outputs
            self._metrics.shadow_answered(plan, line.arm.name, seconds)
        else:
            fallback = found
        for place, name, answer, output in zip(part.at, part.ids or (), answers, outputs, strict=True):
            self._said.append(
                Shadow(
                    name,
                    now,
                    part.event_time or now,  # the prediction's
                    line.arm.version,
                    line.arm.release,
                    part.caller,
                    answer,
                    output,
                    latency,
                    plan,
                    line.arm.name,
                    fallback,
                    place,
                    SHADOW,
                )
            )
