"""The pipeline: what happens to a request, whatever transport brought it: admit, key, read, submit, write, count.

A transport brings the body, says how its protocol reads and writes, and turns what went wrong into its own words.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from serving.options import Options
from serving.refusal import Refusal, too_late
from serving.scoring.admission import Admission, Overloaded, Place
from serving.scoring.batcher import BATCH_ROWS, SLICE_ROWS, Batcher
from serving.scoring.beside import LARGE_BODY, Beside
from serving.scoring.job import Job
from serving.scoring.model import Outcome, ServedModel
from serving.security.keys import Guard, Role
from serving.traffic.carrier import Carrier

CALLER = "x-slipway-caller"
INSIDE = "only servers of this use case ask here, and each other directly"
LONGEST_CALLER = 100
EXPLAINED_ROWS = 64  # at a time

Read = Callable[[bytes], tuple[Job, Any]]
Write = Callable[[Job, Any], Any]
Submit = Callable[[Job], Awaitable[None]]


class Visit:
    """One request on its way: when it came, who asks, how long the client waits; and its job, once it is read."""

    __slots__ = ("budget", "caller", "job", "received")

    def __init__(self, received: float) -> None:
        self.received, self.caller = received, ""
        self.budget: float | None = None
        self.job: Job | None = None

    @property
    def rows(self) -> int:
        """How many it holds, as far as that is known."""
        return 0 if self.job is None else len(self.job.rows)

    def ids(self, most: int) -> list[str]:
        """The first of its prediction ids, as far as they are known."""
        return [] if self.job is None or self.job.ids is None else self.job.ids[:most]


class Pipeline:
    """One worker's, which all of its transports share: its places, its batches, and its thread for large bodies."""

    def __init__(self, model: ServedModel, guard: Guard | None, options: Options) -> None:
        self.model, self._guard, self._internal = model, guard, options.internal_caller
        self.admission, self.batcher, self.beside = Admission(options.queue_rows), Batcher(model.score), Beside()
        self._explaining = Beside()  # a thread of its own: nobody's reasons wait for another's large body
        self.carrier = Carrier(model, self.batcher, Path(options.traffic)) if options.traffic else None
        self.overloads = 0  # that nobody was told of yet

    def caller(self, authorization: str | None, role: Role, said: str | None) -> str:
        """Who asks: the key's name, or without authentication what the client says.

        Raises:
            Refusal: 401 no key or a wrong one, 403 without the role, 429 over the key's rate.
        """
        if self._guard is None:
            return (said or "")[:LONGEST_CALLER]
        name = self._guard.admit(authorization, role)
        return (said or name)[:LONGEST_CALLER] if name == self._internal else name

    def internal(self, authorization: str | None, forwarded: bool) -> str:
        """Who asks, where only servers of the same use case may.

        Raises:
            Refusal: 401 or 403; without authentication whatever came through a gateway.
        """
        if self._guard is None:
            self.inside(forwarded)
            return ""
        name = self._guard.admit(authorization, "predict")
        if not name or name != self._internal:
            raise Refusal(403, INSIDE)
        return name

    def inside(self, forwarded: bool) -> None:
        """Raise `Refusal` (403) for what came through a gateway."""
        if forwarded:
            raise Refusal(403, INSIDE)

    def submit(self, job: Job) -> Awaitable[None]:
        """Have a job answered and logged: here, or where the traffic plan says."""
        return self.carrier.submit(job) if self.carrier else self.batcher.submit(job)

    async def answer(self, visit: Visit, body: bytes, read: Read, write: Write, submit: Submit) -> Any:
        """What `write` makes of the body's answers. What is large is read and written beside the event loop.

        Args:
            visit: Holds the job as soon as there is one, whatever happens then.
            body: The whole of it.
            read: A protocol's reading; what it returns beside the job is handed to `write`.
            write: The same protocol's writing.
            submit: How the transport waits for the batcher while its client may go away.

        Raises:
            ContractError, msgspec.DecodeError: the body is not what the protocol says.
            Refusal: no place, no time, no log.
        """
        if len(body) <= LARGE_BODY:
            job, context = read(body)
            job.digest = _digest(body)
        else:
            job, context = await self.beside(read, body)
            job.digest = await self.beside(_digest, body)
        visit.job = job
        job.caller, job.received, job.budget = visit.caller, visit.received, visit.budget
        await submit(job)
        if job.explain:
            await self._explain(job)
        return write(job, context) if len(job.rows) <= BATCH_ROWS else await self.beside(write, job, context)

    async def _explain(self, job: Job) -> None:
        """Beside the event loop, in slices: the reasons of one row take as long as a hundred answers."""
        for start in range(0, len(job.rows), EXPLAINED_ROWS):
            if job.budget is not None and time.perf_counter() - job.received > job.budget:
                raise too_late(job.budget)
            job.reasons += await self._explaining(self.model.reasons, job, start, start + EXPLAINED_ROWS)

    async def feedback(self, visit: Visit, body: bytes, read: Callable[[bytes], list[Outcome[Any]]]) -> int:
        """Log what turned out to be true, and say of how many; many outcomes in slices, after all of them were checked."""
        outcomes = read(body) if len(body) <= LARGE_BODY else await self.beside(read, body)
        for start in range(0, len(outcomes), SLICE_ROWS):
            self.model.feedback(outcomes[start : start + SLICE_ROWS], visit.caller)
            await asyncio.sleep(0)
        return len(outcomes)

    def refused(self, error: Exception, caller: str) -> None:
        """Count a request that got no answer."""
        self.model.refusals.count(error, caller)
        self.overloads += isinstance(error, Overloaded)

    def leave(self, visit: Visit, place: Place | None, route: str, status: int) -> None:
        """The request is over: its place is another's, and it is counted."""
        if place is not None:
            self.admission.leave(place, visit.rows)
        self.model.metrics.request(route, status, time.perf_counter() - visit.received)


def _digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()
