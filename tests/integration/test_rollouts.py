"""A rollout with real servers, from its first stage to its end, for the better and for the worse."""

import asyncio
import json
import os
import time
from pathlib import Path

from tests.integration.broker import Broker
from tests.integration.rolling import (
    LONG,
    NAME,
    Clients,
    another,
    declare,
    exposures,
    label,
    looked,
    looked_until,
    other,
    serving,
    standing,
    wrong,
)
from tests.integration.server import wait_for


def test_a_challenger_as_good_comes_to_serve_and_nobody_notices(rolled):
    home, version = rolled
    with Clients(home.record) as clients:
        assert "stage 1 of 3 (shadow), progressing" in looked(home, version)
        assert "is being rolled out (stage 1)" in home.told("deploy", NAME, "--version", version)
        looked_until(home, "succeeded")  # a slow look may find that the next stage is over, too
        clients.more(50)
        assert serving() == version
    assert not clients.failed
    canary = exposures(2).groupby("assigned").size()
    assert canary.keys().tolist() == ["baseline", "challenger", "champion"]
    assert (exposures(2)["fallback"] == "").all()
    from tasks.deploying.reconcile import releases

    assert [each.version for each in releases(NAME)] == [version], "champion and baseline of before are gone"
    assert f"{standing().id}.html" in home.told("rollout", NAME, status=0), "a page shows how it came about"
    moves = [each["move"] for each in history()]
    assert moves == ["begin", "next", "next", "next", "succeeded"]


def history():
    from tasks.history import read_history

    return [each for each in read_history(NAME, "rollout") if each["rollout"] == standing().id]


def test_one_that_is_worse_goes_back_at_the_next_look(rolled):
    home, version = rolled
    before = serving()
    declare(stages=LONG)
    with Clients(home.record) as clients:
        looked(home, other(version))
        looked_until(home, "stage 2 of 3")
        clients.more(800)
        found = exposures(2)
        right = found["prediction"].where(found["assigned"] != "challenger", found["prediction"].map(wrong))
        label(list(zip(found["prediction_id"], right, strict=True)))
        assert "loss: " in looked_until(home, "failed")
        clients.more(50)
    assert not clients.failed
    assert serving() == before
    assert standing().look.worse[0].check == "loss"
    refused = f"version {other(version)} of 'rolled' is in quarantine"
    assert refused in home.told("rollout", NAME, "start", "--version", other(version), status=2)
    assert refused in home.told("deploy", NAME, "--version", other(version), status=2)
    home.told("quarantine", NAME, "--version", other(version), "--lift", "--reason", "labels were swapped", status=0)
    assert not set(clients.ids[-20:]) & set(exposures(2)["prediction_id"]), "nobody meets it any more"


def test_of_several_the_worse_leaves_and_the_best_goes_on(rolled):
    """An A/B test of two challengers; the labels of one are wrong, so it leaves, and whoever met it is the champion's."""
    from tasks.deploying.reconcile import releases

    home, version = rolled
    good, bad = other(version), home.in_flow(lambda: another(2))
    stages = [{"ab": {"variants": 2, "share": 0.3, "for": "1 hour"}}, {"canary": {"share": 1.0, "for": "1 second"}}]
    declare(stages=stages, min_requests=10**6)  # so that it does not end before it was looked at
    with Clients(home.record) as clients:
        assert f"versions {bad}, {good} of rolled: stage 1 of 2 (ab)" in looked(home, bad, good)
        clients.more(800)
        met = exposures(1)
        assert set(met["assigned"]) == {f"v{bad}", f"v{good}", "baseline", "champion"}
        right = met["prediction"].where(met["assigned"] != f"v{bad}", met["prediction"].map(wrong))
        label(list(zip(met["prediction_id"], right, strict=True)))
        looked_until(home, f"version {good} of rolled: stage 1")
        assert {each.version for each in releases(NAME)} == {serving(), good}, "its servers are gone, the others are not"
        left = time.monotonic()
        clients.more(100)
        met = exposures(1).set_index("prediction_id")
        later = met.loc[[name for name in clients.since(left) if name in met.index]]
        assert set(later[later["assigned"] == f"v{bad}"]["variant"]) == {"champion"}
        declare(min_requests=50)
        home.told("rollout", NAME, "promote", "--reason", "seen enough", status=0)
        looked_until(home, "succeeded")
    assert not clients.failed
    assert serving() == good
    moves = [each["move"] for each in history()]
    assert moves == ["begin", "begin", "out", "said", "next", "chosen", "next", "succeeded"]
    assert f"Version {bad} is out: loss" in " ".join(home.told("rollout", NAME, status=0).split())


def test_people_pause_abort_and_roll_back(rolled):
    home, version = rolled
    before, next_one = serving(), other(version)
    looked(home, next_one)
    assert "needs a reason" in home.told("rollout", NAME, "pause")
    home.told("rollout", NAME, "pause", "--reason", "a holiday", status=0)
    assert "a holiday" in looked(home)
    assert "a holiday" in home.told("rollout", NAME, status=0)
    assert "is not waiting for an approval" in home.told("rollout", NAME, "approve", "--reason", "fine")
    home.told("rollout", NAME, "resume", "--reason", "back", status=0)
    home.told("rollout", NAME, "abort", "--reason", "the desk", status=0)
    assert (standing().phase, serving()) == ("failed", before)
    assert "no rollout of 'rolled' is under way" in home.told("rollout", NAME, "abort", "--reason", "again")

    looked(home, next_one)
    told = home.told("rollback", NAME, status=0)
    assert f"Version {next_one}, which was being rolled out, gets no request any more" in told
    assert (standing().phase, serving()) == ("failed", before)
    assert "no rollout is under way" in looked(home)


def test_a_person_answers_in_prefects_form(rolled):
    from prefect.client.orchestration import get_client
    from prefect.flow_runs import resume_flow_run

    home, version = rolled
    before = serving()
    declare(stages=[{"approval": {"within": "1 day"}}, {"canary": {"share": 1.0, "for": "1 second"}}])
    assert "waiting: an approval; within 1 day" in looked(home, other(version))
    assert "waiting" in looked(home), "a second look opens no second form"
    with home.connected(), get_client(sync_client=True) as client:
        run = wait_for_form(client)
        wait_for(
            lambda: [each.key for each in inputs(client, run) if "description" in each.key], "the form of a suspended run"
        )
        resume_flow_run(run.id, run_input={"decision": "reject", "comment": "not before the audit"})
        deadline = time.monotonic() + 90
        while not client.read_flow_run(run.id).state.is_final():
            assert time.monotonic() < deadline
            time.sleep(0.2)
        assert client.read_flow_run(run.id).state.is_completed()
        assert inputs(client, run) == [], "nothing that was typed stays with Prefect"
    assert standing().phase == "failed"
    assert standing().outcome.endswith("said reject: not before the audit")
    assert serving() == before


def wait_for_form(client):
    """The one run of `approval` that is suspended."""
    from tasks.rollouts.approve import open_forms

    deadline = time.monotonic() + 90
    while not (found := [run for run in open_forms(client, NAME) if run.state.name == "Suspended"]):
        assert time.monotonic() < deadline, [run.state for run in open_forms(client, NAME)]
        time.sleep(0.2)
    (run,) = open_forms(client, NAME)
    assert [run] == found
    return run


def inputs(client, run):
    return client.filter_flow_run_input(run.id, "", limit=200, exclude_keys=set())


def test_what_is_kept_warm_serves_again_without_a_start(rolled):
    from tasks.routing.served import serving as served_now

    home, version = rolled
    before = served_now(NAME)
    warm = processes(before.release)
    declare(stages=[{"blue_green": {"warm": "1 day"}}])
    with Clients(home.record) as clients:
        assert f"version {before.version.version} stays warm for" in looked(home, other(version))
        assert serving() != before.version.version
        clients.more(50)
        began = time.perf_counter()
        home.told("rollback", NAME, status=0)
        print(f"rolled back in {time.perf_counter() - began:.2f} s, drained and tidied")
        clients.more(50)
    assert not clients.failed
    assert serving() == before.version.version
    assert processes(before.release) == warm != set(), "the very processes of before"


def test_a_crash_loop_goes_back_without_a_look(rolled):
    home, version = rolled
    before, next_one = serving(), other(version)
    with Clients(home.record) as clients:
        assert "stage 1 of 3" in looked(home, next_one)
        killed, deadline = set(), time.monotonic() + 60
        while standing().phase != "failed" and time.monotonic() < deadline:
            killed |= killed_anew(standing().release, killed)
            time.sleep(0.05)
        clients.more(50)
    assert not clients.failed
    assert "the guard rails: a crash loop: its servers ended" in standing().outcome
    assert serving() == before
    assert f"version {next_one} of 'rolled' is in quarantine" in home.told("rollout", NAME, "start", "--version", next_one)


def test_a_streams_messages_wait_while_the_use_case_is_halted(rolled, tmp_path):
    from tests.integration.test_stream import all_of, until, with_streams

    home, _ = rolled
    broker = Broker(tmp_path / "jetstream")
    path = Path(os.environ["SLIPWAY_USE_CASES"]) / f"{NAME}.yaml"
    before = path.read_text()
    path.write_text(f"{before}\nstream: {{server: '{broker.url}', stream: ASKED, answers: answered, dead: dead}}\n")

    async def talk(stream):
        async def has(count):
            return (await stream.stream_info("ANSWERED")).state.messages == count

        body = json.dumps({"records": [home.record]}).encode()
        await stream.publish("asked.a", body)
        await until(lambda: has(1), "an answer")
        home.told("halt", NAME, "--reason", "a test", status=0)
        await stream.publish("asked.a", body)
        await asyncio.sleep(3)
        assert await has(1), "nobody is answered"
        home.told("halt", NAME, "--lift", "--reason", "mended", status=0)
        await until(lambda: has(2), "what waited is answered")
        return await all_of(stream, "answered")

    process = home.command("serve-stream", NAME)
    try:
        first, second = asyncio.run(with_streams(broker, talk))
        assert json.loads(second[1])["release"] == json.loads(first[1])["release"]
        assert json.loads(first[1])["version"] == serving()
    finally:
        process.terminate()
        process.wait(30)
        broker.kill()
        path.write_text(before)


def killed_anew(release, killed):
    """Kill what runs of a release and was not killed before."""
    found = processes(release)
    for process in found - killed:
        process.kill()
    return found - killed


def processes(release):
    from configs.settings import use_case_home
    from tasks.deploying.platforms.supervisor import read_status

    return {each.process for each in read_status(use_case_home(NAME) / "releases" / release.name) if each.process}
