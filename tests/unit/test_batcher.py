import asyncio

import pytest

from serving.refusal import Refusal
from serving.scoring.batcher import BATCH_ROWS, SLICE_ROWS, Batcher
from serving.scoring.job import Job


class Recorder:
    """Scores nothing, and remembers what it was given together."""

    def __init__(self):
        self.batches = []

    def __call__(self, jobs):
        self.batches.append([len(job.rows) for job in jobs])
        for job in jobs:
            job.answers = [0] * len(job.rows)
            job.outputs = [[1.0]] * len(job.rows)
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
    assert len(job.answers) == len(job.ids) == len(job.outputs) == SLICE_ROWS * 2 + 5


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


def test_a_deadline_counts_from_when_the_request_came(model):
    record = {"a": 1.0, "b": 0.5, "c": "red"}
    jobs = [Job(model.records.convert([record])) for _ in range(3)]
    for job in jobs:
        job.received -= 10  # seconds ago
    jobs[0].budget, jobs[1].budget = 9.9, 3600.0
    model.score(jobs)
    assert (jobs[0].error.status, jobs[0].error.problem) == (
        504,
        "the deadline of 9900 ms passed before the request was scored",
    )
    assert [(job.error, len(job.outputs)) for job in jobs[1:]] == [(None, 1)] * 2


def test_a_deadline_comes_in_milliseconds(model):
    import asyncio

    from serving.options import Options
    from serving.transports.http import App
    from tests.unit.rsgi import ask, predict_body

    app = App(model, Options(bundle="b", log="l"), None)
    body = predict_body({"a": 1.0, "b": 0.5, "c": "red"})

    def status(budget, delay):
        async def late():
            asked = asyncio.Event()
            asyncio.get_running_loop().call_later(delay, asked.set)
            return await ask(app, "/predict", parts=[asked.wait, body], x_request_timeout_ms=budget)

        return asyncio.run(late()).status

    assert status("20", 0.03) == 504
    assert status("3600000", 0.03) == 200
