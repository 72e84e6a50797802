import asyncio

import pytest

from serving.batcher import BATCH_ROWS, SLICE_ROWS, Batcher
from serving.job import Job
from serving.refusal import Refusal


class Recorder:
    """Scores nothing, and remembers what it was given together."""

    def __init__(self):
        self.batches = []

    def __call__(self, jobs):
        self.batches.append([len(job.rows) for job in jobs])
        for job in jobs:
            job.best = [0] * len(job.rows)
            job.probabilities = [[1.0]] * len(job.rows)
            job.ids = job.ids or [str(row) for row in job.rows]


def run(batcher, *sizes):
    async def everything():
        jobs = [Job([*range(size)]) for size in sizes]
        return jobs, await asyncio.gather(*(batcher.submit(job) for job in jobs), return_exceptions=True)

    return asyncio.run(everything())


def test_one_request_waits_for_nobody_and_many_are_scored_together():
    recorder = Recorder()
    run(Batcher(recorder), 1)
    run(Batcher(recorder), *[1] * 40)
    assert recorder.batches == [[1], [1] * 40]


def test_a_batch_has_a_bound():
    recorder = Recorder()
    run(Batcher(recorder), *[100] * 5)
    assert [sum(batch) for batch in recorder.batches] == [200, 200, 100]
    assert all(sum(batch) <= BATCH_ROWS for batch in recorder.batches)


def test_a_large_request_is_cut_in_slices():
    recorder = Recorder()
    (job,), (outcome,) = run(Batcher(recorder), SLICE_ROWS * 2 + 5)
    assert outcome is None
    assert recorder.batches == [[SLICE_ROWS], [SLICE_ROWS], [5]]
    assert len(job.best) == len(job.ids) == len(job.probabilities) == SLICE_ROWS * 2 + 5


def test_small_requests_get_their_turn_between_slices():
    recorder = Recorder()
    run(Batcher(recorder), SLICE_ROWS * 3, 1, 1)
    assert [1, 1] in recorder.batches[:3]


def test_a_large_request_ends_when_its_client_is_gone():
    recorder = Recorder()
    batcher = Batcher(recorder)

    async def leave():
        job = Job([*range(SLICE_ROWS * 3)])
        asyncio.get_running_loop().call_soon(setattr, job, "gone", True)
        await batcher.submit(job)

    with pytest.raises(Refusal, match="went away"):
        asyncio.run(leave())
    assert len(recorder.batches) < 3


def test_an_error_of_one_slice_is_the_request_s():
    def broken(jobs):
        jobs[0].error = OSError("full")

    _, (outcome,) = run(Batcher(broken), SLICE_ROWS + 1)
    assert isinstance(outcome, OSError)
