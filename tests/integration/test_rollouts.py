"""A rollout with real servers, from its first stage to its end, for the better and for the worse."""

from tests.integration.rolling import NAME, Clients, exposures, label, looked, looked_until, other, serving, standing, wrong


def test_a_challenger_as_good_comes_to_serve_and_nobody_notices(rolled):
    home, version = rolled
    with Clients(home.record) as clients:
        assert "stage 1 of 3 (shadow), progressing" in looked(home, version)
        assert "is being rolled out (stage 1)" in home.told("deploy", NAME)
        clients.more(200)
        looked_until(home, "stage 2 of 3 (canary), progressing")
        clients.more(400)
        looked_until(home, "stage 3 of 3 (ab), progressing")
        clients.more(400)
        looked_until(home, "succeeded")
        clients.more(50)
        assert serving() == version
    assert not clients.failed
    canary = exposures(2).groupby("assigned").size()
    assert canary.keys().tolist() == ["baseline", "challenger", "champion"]
    assert (exposures(2)["fallback"] == "").all()
    from tasks.deploying.reconcile import releases

    assert [each.version for each in releases(NAME)] == [version], "champion and baseline of before are gone"
    moves = [each["move"] for each in history()]
    assert moves == ["begin", "next", "next", "next", "succeeded"]


def history():
    from tasks.history import read_history

    return [each for each in read_history(NAME, "rollout") if each["rollout"] == standing().id]


def test_one_that_is_worse_goes_back_at_the_next_look(rolled):
    home, version = rolled
    before = serving()
    with Clients(home.record) as clients:
        looked(home, other(version))
        clients.more(100)
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
    assert not set(clients.ids[-20:]) & set(exposures(2)["prediction_id"]), "nobody meets it any more"


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
