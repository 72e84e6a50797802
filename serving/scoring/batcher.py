"""Micro-batching: requests that arrive while another is worked on are scored together. Nothing waits when nothing else runs.

There is no timer. The first request schedules the scoring for the end of this turn of the event loop; what the same turn
brings joins it, so batches grow with the load by themselves: one row when idle, dozens when busy.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from serving.refusal import client_gone
from serving.scoring.admission import LARGE_ROWS
from serving.scoring.job import Job

BATCH_ROWS = LARGE_ROWS  # scored in about a millisecond
SLICE_ROWS = 2048  # of a large request, so that small ones get their turn in between


class _Batch:
    __slots__ = ("done", "jobs", "rows")

    def __init__(self, done: asyncio.Future[None]) -> None:
        self.jobs: list[Job] = []
        self.rows = 0
        self.done = done


class Batcher:
    """One worker's batches. `score` does a batch's work and leaves answers, or errors, in its jobs; it does not raise."""

    def __init__(self, score: Callable[[list[Job]], None]) -> None:
        self._score = score
        self._queue: deque[_Batch] = deque()

    async def submit(self, job: Job) -> None:
        """Return when the job is scored and logged.

        Awaited directly: a task that may be cancelled shields this, because a batch is shared.

        Raises:
            Refusal: the deadline passed, the client went away, or the log cannot be written.
        """
        rows = len(job.rows)
        if rows > BATCH_ROWS:
            await self._large(job)
        else:
            await self._join(job, rows)
        if job.error is not None:
            raise job.error

    async def _join(self, job: Job, rows: int) -> None:
        queue = self._queue
        if not queue or queue[-1].rows + rows > BATCH_ROWS:
            loop = asyncio.get_running_loop()
            if not queue:
                loop.call_soon(self._run)
            queue.append(_Batch(loop.create_future()))
        batch = queue[-1]
        batch.jobs.append(job)
        batch.rows += rows
        await batch.done

    def _run(self) -> None:
        batch = self._queue.popleft()
        if self._queue:
            asyncio.get_running_loop().call_soon(self._run)
        self._score(batch.jobs)
        batch.done.set_result(None)

    async def _large(self, job: Job) -> None:
        """Slice by slice, so that small requests wait for one slice at most."""
        for part in job.parts(SLICE_ROWS):
            if job.gone:
                raise client_gone()
            self._score([part])
            job.extend(part)
            if job.error is not None:
                return
            await asyncio.sleep(0)
