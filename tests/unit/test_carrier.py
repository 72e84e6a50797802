"""The carrier in one process with the champion, beside arms that this file makes: right, late, broken, or somebody else."""

import asyncio
import contextlib
import json

import msgspec
import numpy as np
import pytest

from serving.log.writer import FORM
from serving.options import Options
from serving.protocols.internal import Scored, head_digest
from serving.scoring.batcher import BATCH_ROWS
from serving.scoring.pipeline import Pipeline
from serving.traffic import line
from serving.transports.http import App
from tasks.log.read import open_log
from tests.unit.rsgi import ask, predict_body

ROW = {"a": 0.0, "b": 0.5, "c": "red"}


class Arm:
    """A server that says of each row that its chance is its `a`; `misbehave` is asked before each answer."""

    def __init__(self, contract, version="2", release="small-v2"):
        self.scored = version, release, head_digest(contract)
        self.asked, self.misbehave, self.connections = [], None, 0

    async def __aenter__(self):
        self.server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.address = f"http://127.0.0.1:{self.server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_):
        self.server.close()

    async def _serve(self, reader, writer):
        self.connections += 1
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                length = int(head.split("content-length: ")[1].split("\r\n")[0])
                rows = json.loads(await reader.readexactly(length))
                self.asked.append(rows)
                answer = await self.misbehave(rows) if self.misbehave else None
                if answer == "close":
                    break
                writer.write(answer or self.answer(rows))
                if answer == b"":
                    break
        writer.close()

    def answer(self, rows, status="200 OK", scored=None):
        chances = np.array([[1 - row["a"], row["a"]] for row in rows], dtype="<f4")
        answers = ["yes" if row["a"] > 0.5 else "no" for row in rows]
        body = msgspec.msgpack.encode(Scored(*(scored or self.scored), answers, chances.tobytes()))
        return b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n" % (status.encode(), len(body)) + body


def plan_of(*arms, shadows=(), **more):
    def told(name, share, *servers):
        addresses = [server if isinstance(server, str) else server.address for server in servers]
        return {"name": name, "version": "2", "release": "small-v2", "share": share, "addresses": addresses}

    arms, shadows = ([told(*arm) for arm in several] for several in (arms, shadows))
    return {"id": "stage-1", "salt": "rollout", "arms": arms, "shadows": shadows, "late_ms": 30_000, **more}


@pytest.fixture
def split(model, tmp_path):
    """Runs `body(app, arm, follow)` in a loop; `follow` puts another plan in force."""

    def run(body, **given):
        async def everything():
            async with Arm(model.contract) as arm:
                app = App(model, Options(bundle="b", log="l", traffic=str(tmp_path / "plan.json"), **given), None)

                def follow(plan):
                    (tmp_path / "plan.json.new").write_text(plan if isinstance(plan, str) else json.dumps(plan))
                    (tmp_path / "plan.json.new").replace(tmp_path / "plan.json")
                    app.pipeline.carrier.tick()

                try:
                    return await body(app, arm, follow)
                finally:
                    await asyncio.sleep(0)
                    app.pipeline.carrier.tick()

        return asyncio.run(everything())

    return run


async def predict(app, *rows, **more):
    answer = await ask(app, "/predict", predict_body(*rows, **more))
    assert answer.status == 200, answer.body
    return json.loads(answer.body)["predictions"]


def logged(
    columns="variant, assigned, fallback, plan, model_version, release",
    where="kind = 'prediction'",
    order="time, place nulls first",
):
    with open_log("small") as log:
        return log.sql(f"select {columns} from log where {where} order by {order}").fetchall()


def rows_of(count):
    return [{**ROW, "a": number / 1000} for number in range(count)]


def test_rows_of_one_request_meet_two_arms_and_come_back_in_order(split):
    async def body(app, arm, follow):
        alone = await predict(app, *rows_of(30))
        follow(plan_of(("challenger", 0.5, arm)))
        ids = [f"mine-{n}" for n in range(30)]
        both = await predict(app, *rows_of(30), prediction_ids=ids)
        assert [each["prediction_id"] for each in both] == ids
        assert both == await predict(app, *rows_of(30), prediction_ids=ids), "a retry with the client's own ids"
        return alone, both, arm.asked

    alone, both, (asked, _) = split(body)
    met = logged("place, variant, assigned, model_version, release, prediction_id, output[2], request_digest, form")[30:60]
    assert [place or 0 for place, *_ in met] == list(range(30))
    theirs = [place or 0 for place, variant, *_ in met if variant == "challenger"]
    assert len(theirs) == len(asked) in range(5, 26)
    for place, (_, variant, assigned, version, release, name, chance, _, form) in enumerate(met):
        said, own = both[place]["probabilities"]["yes"], alone[place]["probabilities"]["yes"]
        assert said == pytest.approx(place / 1000, abs=1e-6) if place in theirs else said == own
        assert (assigned, form, name, chance) == (variant, FORM, f"mine-{place}", said)
        assert (version, release) == (("2", "small-v2") if place in theirs else ("1", "small-v1"))
    assert len({digest for *_, digest, _ in met}) == 1


def test_where_no_plan_is_in_force_nothing_is_written_of_it(split):
    async def body(app, arm, follow):
        assert not app.pipeline.carrier
        await predict(app, ROW)
        follow(plan_of(("challenger", 0.0, arm)))
        await predict(app, ROW)

    split(body)
    none, planned = logged()
    assert none == ("champion", None, None, None, "1", "small-v1")
    assert planned == ("champion", "champion", None, "stage-1", "1", "small-v1")


async def late(rows):
    await asyncio.sleep(0.3)


async def dies(rows):
    return "close"


def broken(status):
    async def answers(rows):
        return b"HTTP/1.1 %s\r\nContent-Length: 2\r\n\r\n{}" % status

    return answers


@pytest.mark.parametrize(
    ("misbehave", "reason"),
    [
        (late, "late"),
        (dies, "failed"),
        (broken(b"500 Internal Server Error"), "failed"),
        (broken(b"429 Too Many Requests"), "busy"),
        (broken(b"422 Unprocessable Entity"), "contract"),
        (broken(b"200 OK"), "wrong"),
        (broken(b"garbage"), "failed"),
        ("version", "wrong"),
        ("release", "wrong"),
        ("head", "wrong"),
        ("shape", "wrong"),
        ("impossible", "wrong"),
        (None, "refused"),
        ("nowhere", "off"),
    ],
)
def test_whatever_fails_the_champion_answers_and_the_record_says_why(split, misbehave, reason):
    async def body(app, arm, follow):
        (alone,) = await predict(app, ROW, prediction_ids=["one"])
        arm.misbehave = misbehave if callable(misbehave) else None
        if misbehave in ("version", "release", "head"):
            wrong = {"version": 0, "release": 1, "head": 2}[misbehave]
            arm.scored = tuple("another" if at == wrong else each for at, each in enumerate(arm.scored))
        if misbehave == "shape":
            answer = arm.answer
            arm.answer = lambda rows: answer([*rows, *rows])
        server = [arm]
        if misbehave is None:
            server = ["http://127.0.0.1:9"]
        servers = server if misbehave != "nowhere" else []
        follow(plan_of(("challenger", 1.0, *servers), late_ms=100 if misbehave is late else 30_000))
        row = {**ROW, "a": 3.0} if misbehave == "impossible" else ROW
        (answered,) = await predict(app, row, prediction_ids=["one"])
        assert misbehave == "impossible" or answered == alone
        return app.model.metrics.text().decode()

    metrics = split(body)
    assert logged()[-1] == ("champion", "challenger", reason, "stage-1", "1", "small-v1")
    assert f'slipway_fallback_rows_total{{arm="challenger",plan="stage-1",reason="{reason}"}} 1.0' in metrics
    assert 'slipway_variant_rows_total{plan="stage-1",variant="champion"} 1.0' in metrics


def test_an_arm_that_fails_again_and_again_is_off_and_comes_back(split):
    async def body(app, arm, follow):
        follow(plan_of(("challenger", 1.0, arm)))
        arm.misbehave = broken(b"500 x")
        for _ in range(8):
            await predict(app, ROW)
        assert len(arm.asked) == 5
        app.pipeline.carrier.tick()
        assert 'slipway_arm_off_workers{arm="challenger"} 1.0' in app.model.metrics.text().decode()
        arm.misbehave = None
        app.pipeline.carrier._now.lines["challenger"]._breaker._until = 0.0  # some seconds later
        await asyncio.gather(*(predict(app, ROW) for _ in range(4)))  # one of them is the probe
        assert len(arm.asked) == 6
        await predict(app, ROW)
        app.pipeline.carrier.tick()
        assert 'slipway_arm_off_workers{arm="challenger"} 0.0' in app.model.metrics.text().decode()

    split(body)
    reasons = [fallback for _, _, fallback, *_ in logged()]
    assert reasons[:8] == ["failed"] * 5 + ["off"] * 3
    assert sorted(reasons[8:12], key=str) == [None, "off", "off", "off"]
    assert reasons[12] is None


def test_a_connection_that_was_closed_while_idle_is_no_failure(split):
    async def body(app, arm, follow):
        follow(plan_of(("challenger", 1.0, arm)))
        await predict(app, ROW)
        closed = [True]

        async def once(rows):
            return "close" if closed and closed.pop() else None

        arm.misbehave = once  # the server closes just when it is asked again
        await predict(app, ROW)
        assert (len(arm.asked), arm.connections) == (3, 2)

    split(body)
    assert [fallback for _, _, fallback, *_ in logged()] == [None, None]


def test_a_row_that_the_arms_contract_refuses_takes_nobody_with_it(split):
    async def body(app, arm, follow):
        follow(plan_of(("challenger", 1.0, arm)))
        await predict(app, ROW)

        async def refuses(rows):
            return await broken(b"422 x")(rows) if any(row["c"] == "blue" for row in rows) else None

        arm.misbehave = refuses
        rows = [{**ROW, "c": "blue" if n == 5 else "red"} for n in range(12)]
        await asyncio.gather(*(predict(app, row, prediction_ids=[f"p{n}"]) for n, row in enumerate(rows)))

    split(body)
    fallen = logged("prediction_id, fallback", "fallback is not null")
    assert fallen == [("p5", "contract")]


def test_many_requests_travel_together(split):
    async def body(app, arm, follow):
        follow(plan_of(("challenger", 1.0, arm)))
        await predict(app, ROW)
        arm.asked.clear()
        answers = await asyncio.gather(*(predict(app, row) for row in rows_of(60)))
        for number, (answer,) in enumerate(answers):
            assert answer["probabilities"]["yes"] == pytest.approx(number / 1000, abs=1e-6)
        assert sum(map(len, arm.asked)) == 60
        assert len(arm.asked) <= line.CONNECTIONS

    split(body)


def test_a_client_in_a_hurry_gets_the_champion_in_time_and_says_nothing_of_the_arm(split):
    async def body(app, arm, follow):
        follow(plan_of(("challenger", 1.0, arm), late_ms=5000))
        arm.misbehave = late
        for _ in range(7):
            answer = await ask(app, "/predict", predict_body(ROW), x_request_timeout_ms="400")
            assert answer.status == 200
        assert len(arm.asked) == 7, "it was never off"

    split(body)
    assert {fallback for _, _, fallback, *_ in logged()} == {"late"}


def test_a_large_request_is_split_in_pieces(split):
    async def body(app, arm, follow):
        follow(plan_of(("challenger", 0.3, arm), shadows=[("candidate", 0.1, "http://127.0.0.1:9")]))
        answers = await predict(app, *({**ROW, "a": number / 10_000} for number in range(5000)))
        return answers, [len(rows) for rows in arm.asked]

    answers, asked = split(body)
    met = logged("coalesce(place, 0), variant, prediction_id, output[2]")
    assert sum(asked) == sum(variant == "challenger" for _, variant, *_ in met) in range(1300, 1700)
    assert max(asked) <= line.EXCHANGE_ROWS
    by_place = {place: (name, chance) for place, _, name, chance in met}
    assert [(each["prediction_id"], each["probabilities"]["yes"]) for each in answers] == [by_place[n] for n in range(5000)]
    for place, variant, _, chance in met:
        assert variant == "champion" or chance == pytest.approx(place / 10_000, abs=1e-6)


def test_shadows_pair_exactly_and_nobody_sees_them(split):
    async def body(app, arm, follow):
        follow(plan_of(shadows=[("candidate", 1.0, arm)]))
        for rows in (rows_of(1), rows_of(3), rows_of(300)):
            await predict(app, *rows, event_time="2026-01-02T00:00:00Z")
        while sum(map(len, arm.asked)) < 304:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)
        return app.model.metrics.text().decode()

    assert 'slipway_shadow_seconds_count{plan="stage-1",shadow="candidate"}' in split(body)
    pairs = "kind, prediction_id, event_time, coalesce(place, 0), output[2], variant, assigned, release, features"
    answered, shadows = logged(pairs), logged(pairs, "kind = 'shadow'")
    assert len(answered) == len(shadows) == 304
    assert {row[1:4] for row in answered} == {row[1:4] for row in shadows}
    for _, _, _, place, chance, *rest in shadows:
        assert chance == pytest.approx(place / 1000, abs=1e-6)
        assert rest == ["shadow", "candidate", "small-v2", None]
    assert {row[5] for row in answered} == {"champion"}


@pytest.mark.parametrize("fate", ["dead", "slow", "broken"])
def test_a_shadow_may_be_slow_broken_or_dead(split, fate, monkeypatch):
    monkeypatch.setattr("serving.traffic.shadows.SECONDS", 1.0)
    monkeypatch.setattr("serving.traffic.shadows.ROWS", 10)

    async def body(app, arm, follow):
        (alone,) = await predict(app, ROW, prediction_ids=["one"])
        answered = asyncio.Event()

        async def waits(rows):  # until all that it gets copies of is answered
            await answered.wait()

        arm.misbehave = {"slow": waits, "broken": broken(b"500 x"), "dead": None}[fate]
        follow(plan_of(shadows=[("candidate", 1.0, "http://127.0.0.1:9" if fate == "dead" else arm)]))
        for _ in range(12):
            assert await predict(app, ROW, prediction_ids=["one"]) == [alone]
        await asyncio.sleep(1.3 if fate == "slow" else 0.2)
        answered.set()
        return app.model.metrics.text().decode()

    metrics = split(body)
    reason = {"dead": "refused", "slow": "late", "broken": "failed"}[fate]
    assert f'slipway_shadow_rows_total{{outcome="{reason}",plan="stage-1",shadow="candidate"}}' in metrics
    if fate == "slow":
        assert 'slipway_shadow_rows_total{outcome="dropped",plan="stage-1",shadow="candidate"} 2.0' in metrics
    failed = logged("prediction, len(output), fallback", "kind = 'shadow'")
    assert (None, 0, reason) in failed
    assert {fallback for _, _, fallback in failed} <= {reason, "off"}


def test_a_wrong_plan_is_told_and_the_one_before_stays(split, caplog, tmp_path):
    async def body(app, arm, follow):
        follow(plan_of(("challenger", 1.0, arm)))
        for wrong in ("{", json.dumps({"id": "p"}), json.dumps(plan_of(key="shop"))):
            follow(wrong)
        await predict(app, ROW)
        assert "slipway_wrong_plans_total 3.0" in app.model.metrics.text().decode()
        assert 'slipway_plan_workers{digest="' in app.model.metrics.text().decode()
        assert list(app.model.metrics.plans().values()) == [1]
        (tmp_path / "plan.json").unlink()
        app.pipeline.carrier.tick()
        assert app.model.metrics.plans() == {}
        await predict(app, ROW)

    split(body)
    assert [row[:2] for row in logged()] == [("challenger", "challenger"), ("champion", None)]
    assert "'shop' is no column or identifier of the contract" in caplog.text
    assert "the plan before stays" in caplog.text


def test_a_share_that_grows_keeps_the_line(split):
    async def body(app, arm, follow):
        for share in (0.5, 1.0):
            follow(plan_of(("challenger", share, arm)))
            for _ in range(12):
                await predict(app, ROW)
        assert arm.connections == 1
        follow(plan_of(("challenger", 1.0)))  # off
        await predict(app, ROW)

    split(body)
    assert logged()[-1][:3] == ("champion", "challenger", "off")


def test_what_another_server_asks_is_scored_and_not_logged(split):
    async def body(app, arm, follow):
        follow(plan_of(("challenger", 1.0, arm)))  # not for those who ask inside
        rows = [{**ROW, "c": 5, "unknown here": 1}, ROW]
        answer = await ask(app, "/internal/score", json.dumps(rows).encode())
        scored = msgspec.msgpack.decode(answer.body, type=Scored)
        assert (answer.status, scored.version, scored.release) == (200, "1", "small-v1")
        assert len(scored.answers) == 2
        assert len(scored.outputs) == 16
        assert not arm.asked
        wrong = await ask(app, "/internal/score", json.dumps([{**ROW, "a": "x"}]).encode())
        assert wrong.status == 422
        forwarded = await ask(app, "/internal/score", json.dumps(rows).encode(), x_forwarded_for="1.2.3.4")
        assert (forwarded.status, (await ask(app, "/internal/plans", method="GET")).status) == (403, 200)
        assert (await ask(app, "/internal/plans", method="GET", x_forwarded_for="1.2.3.4")).status == 403
        app.model.tick()

    split(body)
    with open_log("small") as log:
        assert log.sql("select count(*) from log").fetchall() == [(0,)]


def test_only_slipways_own_key_asks_inside(model):
    class Keys:
        def admit(self, authorization, role):
            return authorization

    pipeline = Pipeline(model, Keys(), Options(bundle="b", log="l", internal_caller="slipway"))
    assert pipeline.internal("slipway", True) == "slipway"
    with pytest.raises(Exception, match="only servers of this use case"):
        pipeline.internal("shop", False)
    nobody = Pipeline(model, Keys(), Options(bundle="b", log="l"))
    with pytest.raises(Exception, match="only servers of this use case"):
        nobody.internal("", False)


def test_while_it_is_halted_no_model_answers(split):
    async def body(app, arm, follow):
        follow({"id": "halt-1", "salt": "halt", "halt": {"reason": "denies everybody"}})
        answer = await ask(app, "/predict", predict_body(ROW))
        assert (answer.status, answer.headers["retry-after"]) == (503, "60")
        assert "a person has halted this model: denies everybody" in answer.body.decode()
        follow({"id": "halt-2", "salt": "halt", "halt": {"reason": "denies everybody", "answer": "yes"}})
        rows = rows_of(BATCH_ROWS + 3)
        for each in await predict(app, *rows):
            assert (each["prediction"], each["probabilities"]) == ("yes", {"no": 0.0, "yes": 1.0})
        follow({"id": "halt-3", "salt": "halt", "halt": {"reason": "denies everybody", "answer": "perhaps"}})
        assert (await predict(app, ROW))[0]["prediction"] == "yes", "what is no class is not taken"
        return len(rows) + 1

    rows = split(body)
    kept = logged("variant, assigned, plan, model_version, prediction, count(*)", "kind = 'prediction' group by all", "1")
    assert kept == [("halt", "halt", "halt-2", "1", "yes", rows)]
