"""Whatever is killed with SIGKILL during a rollout, it comes to the end that it would have come to, and no request is lost.

One rollout is killed at every state on its way to success; another loses its servers and the gateway, and is killed again
while it takes the challenger back.
"""

import os
import signal
import time

from configs.settings import use_case_home
from tests.integration.replicas import comes_back, kill
from tests.integration.rolling import (
    CLIENTS,
    LONG,
    NAME,
    Clients,
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
from tests.integration.server import read_until, wait_for


def killed_after(home, step, *words):
    """The command ends by SIGKILL when it has told the end of the step; the phase of the rollout that it leaves."""
    process = home.command("rollout", NAME, *words)
    read_until(process, rf"'{step}-\w+' - Finished")
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    return standing().phase


def there():
    """The versions that have servers, and how many releases each."""
    from tasks.deploying.reconcile import releases

    return sorted(release.version for release in releases(NAME))


def split_now():
    from tasks.routing.splitting import split_of

    plan = split_of(NAME)
    return plan and plan.id


def stood_once(ids, *stages):
    """Each of the requests is in the exposures of the stages, and no request is there twice, in one stage or in two."""
    found = [name for stage in stages for name in exposures(stage)["prediction_id"]]
    assert len(found) == len(set(found))
    assert set(ids) <= set(found)


def test_a_rollout_whose_flow_is_killed_at_every_state_succeeds_by_the_same_commands(rolled):
    home, version = rolled
    before, next_one = serving(), other(version)
    start = ("start", "--version", next_one, "--reason", "a test")
    declare(stages=LONG)
    with Clients(home.record) as clients:
        assert killed_after(home, "begin", *start) == "initialising"
        assert there() == [before]
        assert killed_after(home, "fresh_baseline", *start) == "initialising"
        assert there() == sorted([before, before, next_one])
        assert killed_after(home, "first_stage", *start) == "progressing"
        assert standing().release is not None
        assert split_now() is None
        assert killed_after(home, "carry_out", "look") == "progressing"
        assert split_now() == f"{standing().id}.1"
        began = time.monotonic()
        clients.more(200)
        stood_once(clients.since(began), 1)
        looked_until(home, "stage 2 of 3")
        home.told("rollout", NAME, "promote", "--reason", "seen enough", status=0)
        looked_until(home, "stage 3 of 3")
        home.told("rollout", NAME, "promote", "--reason", "seen enough", status=0)
        assert killed_after(home, "conclude", "look") in ("promoting", "finalising")
        assert killed_after(home, "promote", "look") == "finalising"
        assert (serving(), split_now()) == (next_one, None)
        assert there() == sorted([before, before, next_one])
        assert "succeeded" in looked(home)
        clients.more(50)
    assert not clients.failed
    assert there() == [next_one]
    stood_once([], 1, 2, 3)


def test_servers_and_the_gateway_die_in_a_canary_and_the_flow_while_it_takes_the_challenger_back(rolled):
    from console import services
    from tasks.routing.served import serving as served_now
    from tasks.routing.splitting import unsplit

    home, version = rolled
    before = serving()
    declare(stages=LONG)
    with Clients(home.record) as clients:
        looked(home, other(version))
        looked_until(home, "stage 2 of 3")
        began = time.monotonic()
        clients.more(200)
        for release in (standing().release, standing().baseline):
            kill(release, 0)
            comes_back(release.replicas[0].address)
            clients.more(100)
        assert not clients.failed, "the champion answers in the place of an arm"
        champion = served_now(NAME).release
        kill(champion, 0)
        comes_back(champion.replicas[0].address)
        clients.more(100)
        services.known("gateway").process.kill()
        clients.more(400)
        held = 2 * CLIENTS  # at most one a client by the champion's only server, and one by the gateway
        assert len(clients.failed) <= held, clients.failed
        stood_once(clients.since(began), 2)
        assert {"challenger"} <= set(exposures(2)["variant"][-200:]), "it is asked again"

        found = exposures(2)
        right = found["prediction"].where(found["assigned"] != "challenger", found["prediction"].map(wrong))
        label(list(zip(found["prediction_id"], right, strict=True)))
        looking, state = home.command("rollout", NAME, "look"), use_case_home(NAME) / "rollout.json"
        wait_for(lambda: b'"failed"' in state.read_bytes(), "the end for the worse", 90)
        os.killpg(looking.pid, signal.SIGKILL)
        looking.wait()
        assert there() == sorted([before, before, standing().challenger.version]), "its servers are still there"
        wait_for(lambda: split_now() is None, "the end of its share, by the guard")
        unsplit(NAME)  # which waits until no worker carries out any plan
        gone = time.monotonic()
        clients.more(50)
        assert "loss: " in looked(home)
        after = clients.since(gone)
    assert len(clients.failed) <= held, clients.failed
    assert (standing().phase, serving(), there()) == ("failed", before, [before])
    assert not set(after) & set(exposures(2)["prediction_id"]), "nobody meets it any more"
