"""The carrier: carries out the traffic plan in the champion's server, between the pipeline and the batcher.

It says which arm each row of a job meets, has the arm's servers score it, and the champion in their place where they fail;
everything is logged here, by one process, before the answer. Where no plan is in force, it is not on the way.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from collections.abc import Awaitable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from serving.refusal import client_gone, halted
from serving.scoring.batcher import BATCH_ROWS, SLICE_ROWS, Batcher
from serving.scoring.job import Elsewhere, Exposure, Job
from serving.scoring.model import ServedModel
from serving.security.secret import given
from serving.traffic.assign import Assignment
from serving.traffic.line import EXCHANGE_ROWS, Found, Line, speech
from serving.traffic.plan import CHAMPION, HALT, SHADOW, Arm, Halt, Plan, PlanError, read_plan
from serving.traffic.shadows import Shadows

logger = logging.getLogger("slipway")

LOOK_SECONDS = 0.2  # between two looks at the plan's file
NO_FILE = (0, 0, 0)


class _InForce(NamedTuple):
    plan: Plan
    assignment: Assignment
    lines: dict[str, Line]
    late: float  # seconds


class Carrier:
    """One worker's.

    Args:
        model: The champion.
        batcher: Where its rows are scored, and all are logged.
        path: The plan's file; there is none while no plan is in force.
    """

    def __init__(self, model: ServedModel, batcher: Batcher, path: Path) -> None:
        self._model, self._batcher, self._path = model, batcher, path
        self._speech, self._key = speech(model.head, model.contract), given("SLIPWAY_INTERNAL_KEY") or ""
        self._metrics, self._shadows = model.metrics.traffic, Shadows(model)
        self._stamp = NO_FILE
        self._now: _InForce | None = None
        self.tick()

    def __bool__(self) -> bool:
        """Whether a plan is in force."""
        return self._now is not None

    def tick(self) -> None:
        """Called a few times a second: takes a plan that was replaced, and writes what shadows said."""
        if (stamp := self._look()) != self._stamp:
            self._stamp = stamp
            self._read()
        self._shadows.flush()
        if self._now is not None:
            for line in self._now.lines.values():
                self._metrics.off(line.arm.name, line.off)

    def close(self) -> None:
        """The server ends."""
        self._shadows.flush()

    async def submit(self, job: Job) -> None:
        """Return when every row of the job is answered, by whichever arm it meets, and logged.

        Raises:
            Refusal: the deadline passed, the client went away, the log cannot be written, or the use case is halted.
        """
        now = self._now
        if now is None:
            return await self._batcher.submit(job)
        if now.plan.halt and now.plan.halt.answer is None:
            raise halted(now.plan.halt.reason)
        job.ids = job.ids or self._model.new_ids(len(job.rows))
        if now.plan.halt:
            return await self._halted(now.plan, now.plan.halt, job)
        job.exposure = Exposure(now.plan.id, CHAMPION)
        if len(job.rows) > BATCH_ROWS:
            await self._large(now, job)
        else:
            await self._small(now, job, now.assignment.arms(job.rows, job.ids))
        if now.plan.shadows:  # when the answer is on its way
            asyncio.get_running_loop().call_soon(self._copy, now, job, 0)
        return None

    async def _small(self, now: _InForce, job: Job, met: Sequence[str]) -> None:
        """First whoever is elsewhere is asked; then all of it is scored and logged in one turn, or nothing is."""
        if met.count(CHAMPION) == len(met):
            await self._batcher.submit(job)
            self._count(job)
            return
        parts = _parts(job, met)
        await self._all([self._ask(now, part, arm) for arm, part in parts if arm != CHAMPION])
        await self._all([self._batcher.submit(part) for _, part in parts])
        self._join(job, [part for _, part in parts])

    async def _large(self, now: _InForce, job: Job) -> None:
        """Slice by slice, as large jobs go, so that nobody else waits long."""
        pieces: list[Job] = []
        for cut in job.parts(SLICE_ROWS):
            for arm, part in _parts(cut, now.assignment.arms(cut.rows, cut.ids or ())):
                for piece in part.parts(SLICE_ROWS if arm == CHAMPION else EXCHANGE_ROWS):
                    if job.gone:
                        raise client_gone()
                    if arm != CHAMPION:
                        await self._ask(now, piece, arm)
                    await self._batcher.submit(piece)
                    pieces.append(piece)
        self._join(job, pieces)

    async def _halted(self, plan: Plan, halt: Halt, job: Job) -> None:
        """Every row gets the same, which no model has said; it is logged as answers are."""
        job.exposure = Exposure(plan.id, HALT)
        identity, output = self._model.identity, self._model.head.output_of(halt.answer)
        pieces = []
        for piece in job.parts(BATCH_ROWS):
            rows = len(piece.rows)
            piece.elsewhere = Elsewhere(HALT, identity.version, identity.release, [halt.answer] * rows, [output] * rows)
            await self._batcher.submit(piece)
            pieces.append(piece)
        self._join(job, pieces)

    def _copy(self, now: _InForce, job: Job, start: int) -> None:
        """Send shadows their rows of a slice; the next slice has its turn after whoever waits."""
        end = start + SLICE_ROWS
        for arm, places in now.assignment.copies((job.ids or [])[start:end]):
            self._shadows.copy(job, [start + place for place in places], now.lines[arm.name])
        if end < len(job.rows):
            asyncio.get_running_loop().call_soon(self._copy, now, job, end)

    async def _ask(self, now: _InForce, part: Job, arm: str) -> None:
        """Have an arm answer the rows, or note why the champion will."""
        line, seconds = now.lines[arm], now.late
        found: Found = "late"
        if part.budget is not None:  # half of what is left is the champion's
            seconds = min(seconds, (part.budget - (time.perf_counter() - part.received)) / 2)
        if seconds > 0:
            found = "off"
            if line.admits():
                found = await line.ask(self._model.plain(part.rows), len(part.rows), seconds, seconds == now.late)
        fallback = ""
        if isinstance(found, str):
            fallback = found
            self._metrics.fallback(now.plan.id, arm, found, len(part.rows))
        else:
            part.elsewhere = found
        part.exposure = Exposure(now.plan.id, arm, fallback)

    async def _all(self, several: list[Awaitable[None]]) -> None:
        """Of what has to be awaited all; what fails does so for all, and nothing goes on unseen."""
        if len(several) == 1:
            await several[0]
            return
        for outcome in await asyncio.gather(*several, return_exceptions=True):
            if isinstance(outcome, BaseException):
                raise outcome

    def _join(self, job: Job, parts: Sequence[Job]) -> None:
        """Put the parts' answers together, in the order of the rows."""
        if parts[0] is not job:
            job.event_time = parts[0].event_time
            job.answers, job.outputs = [None] * len(job.rows), [[]] * len(job.rows)
            for part in parts:
                for place, answer, output in zip(part.at, part.answers, part.outputs, strict=True):
                    job.answers[place], job.outputs[place] = answer, output
        job.theirs = {place for part in parts if part.elsewhere is not None for place in part.at}
        for part in parts:
            self._count(part)

    def _count(self, part: Job) -> None:
        variant = CHAMPION if part.elsewhere is None else part.elsewhere.variant
        self._metrics.answered(part.exposure.plan, variant, len(part.rows), time.perf_counter() - part.received)

    def _look(self) -> tuple[int, int, int]:
        try:
            status = self._path.stat()
        except FileNotFoundError:
            return NO_FILE
        except OSError as error:  # told once, by the reading
            return (error.errno or 1, 0, 0)
        return status.st_mtime_ns, status.st_ino, status.st_size

    def _read(self) -> None:
        """Take what is in the file. Without a file no plan is in force; a wrong one is told, and the one before stays."""
        try:
            data = self._path.read_bytes()
        except FileNotFoundError:
            self._take(None, "")
            return
        except OSError as error:
            self._tell_wrong(f"cannot be read ({error.strerror})")
            return
        try:
            plan = read_plan(data)
            if plan.halt and plan.halt.answer is not None and (wrong := self._model.head.wrong(plan.halt.answer)):
                raise PlanError(f"what it answers while halted {wrong}")
            assignment = Assignment(plan, self._model.records)
        except PlanError as error:
            self._tell_wrong(str(error))
            return
        lines = {arm.name: self._line(arm, arm.name) for arm in plan.arms}
        lines |= {arm.name: self._line(arm, SHADOW) for arm in plan.shadows}
        self._take(_InForce(plan, assignment, lines, plan.late_ms / 1000), hashlib.sha256(data).hexdigest()[:12])

    def _line(self, arm: Arm, variant: str) -> Line:
        """That of the plan before, where nothing but the share has changed: it knows whether the arm is well."""
        before = self._now.lines.get(arm.name) if self._now else None
        if before is not None and before.variant == variant and _same(before.arm, arm):
            return before
        return Line(arm, self._speech, self._key, variant)

    def _take(self, new: _InForce | None, digest: str) -> None:
        before, self._now = self._now, new
        kept = list(new.lines.values()) if new else []
        for line in before.lines.values() if before else ():
            if line not in kept:
                line.close()
        plan = new.plan if new else None
        arms = (*plan.arms, *plan.shadows) if plan else ()
        shares = {CHAMPION: 1 - sum(arm.share for arm in plan.arms)} if plan else {}
        shares |= {arm.name: arm.share for arm in arms}
        self._metrics.plan(plan.id if plan else "", digest, shares)
        fields: dict[str, Any] = {"plan": plan.id, "digest": digest} if plan else {"plan": None}
        if plan or before:
            logger.info("traffic plan taken", extra={"fields": fields})

    def _tell_wrong(self, problem: str) -> None:
        self._metrics.wrong_plans.inc()
        stays = "the plan before stays" if self._now else "the champion answers everything"
        logger.error("the traffic plan in %s is not taken, %s: %s", self._path, stays, problem)


def _parts(job: Job, met: Sequence[str]) -> list[tuple[str, Job]]:
    """The job by arm; where all of its rows meet one, it is the part."""
    places: dict[str, list[int]] = {}
    for place, arm in enumerate(met):
        places.setdefault(arm, []).append(place)
    if len(places) == 1:
        return [(met[0], job)]
    return [(arm, job.pick(chosen)) for arm, chosen in places.items()]


def _same(one: Arm, other: Arm) -> bool:
    return (one.version, one.release, one.addresses) == (other.version, other.release, other.addresses)
