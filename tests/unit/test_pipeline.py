"""The way of a request through the server, which all transports share."""

import asyncio
import threading

import pytest

from serving.options import Options
from serving.refusal import Refusal
from serving.scoring.admission import FIRST_ROW_BYTES
from serving.scoring.beside import LARGE_BODY
from serving.scoring.job import Job
from serving.scoring.pipeline import Pipeline, Visit


class KnownKeys:
    """Lets in whoever names a key."""

    def admit(self, authorization, role):
        if authorization is None:
            raise Refusal(401, "a valid API key is needed")
        return authorization


def pipeline(model, guard=None):
    return Pipeline(model, guard, Options(bundle="b", log="l", internal_caller="slipway"))


def test_a_client_says_who_it_is_only_where_nobody_checks_or_slipway_itself_asks(model):
    assert pipeline(model).caller(None, "predict", "x" * 200) == "x" * 100
    assert pipeline(model).caller("shop", "predict", None) == ""
    guarded = pipeline(model, KnownKeys())
    assert guarded.caller("shop", "predict", "somebody else") == "shop"
    assert guarded.caller("slipway", "predict", "replay") == "replay"
    assert guarded.caller("slipway", "predict", None) == "slipway"
    with pytest.raises(Refusal):
        guarded.caller(None, "predict", "shop")


@pytest.mark.parametrize("size", [10, LARGE_BODY + 1])
def test_a_large_body_is_read_beside_the_loop_and_a_small_one_in_it(model, size):
    shared, threads = pipeline(model), []

    def read(body):
        threads.append(threading.current_thread().name)
        return Job([model.records.strict(f0="red", f1=1.0)]), "context"

    visit = Visit(0.0)
    visit.caller = "shop"
    body = b"x" * size
    answer = shared.answer(visit, body, read, lambda job, context: (context, job.answers), shared.batcher.submit)
    context, answers = asyncio.run(answer)
    assert (context, len(answers), visit.rows, visit.job.caller) == ("context", 1, 1, "shop")
    assert visit.ids(16) == visit.job.ids
    assert threads[0].startswith("beside") == (size > LARGE_BODY)


def test_a_request_that_fails_gives_its_place_back_and_is_counted_by_what_it_held(model):
    shared = pipeline(model)

    def unreadable(body):
        raise ValueError("not this")

    async def refuse(job):
        raise Refusal(503, "no log")

    def read(body):
        return Job([1, 2]), None

    for reading, error, rows in ((unreadable, ValueError, 0), (read, Refusal, 2)):
        visit, place = Visit(0.0), shared.admission.enter(1000)
        with pytest.raises(error):
            asyncio.run(shared.answer(visit, b"body", reading, lambda job, _: job, refuse))
        shared.refused(error(503, "x") if error is Refusal else error("x"), "shop")
        shared.leave(visit, place, "/predict", 503)
        assert (visit.rows, shared.admission.rows) == (rows, 0)
    assert shared.admission._row_bytes > FIRST_ROW_BYTES  # measured of the one whose rows were known
    counts = model.metrics.text().decode()
    assert 'slipway_requests_total{route="/predict",status="503"} 2.0' in counts
    assert [each.status for each in model.refusals.records("now", "now")] == [500, 503]
