"""`slipway history`: what was recorded, in order and in the use case's time, and what serves now."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from rich.console import Console
from typer.testing import CliRunner

from configs.errors import InputError
from configs.settings import use_case_home
from console.cli import app
from console.commands import history
from tasks.deploying.switchover import send
from tasks.fence import emergency
from tasks.gates.checks import Check, GateClosed, decide
from tasks.history import record
from tasks.quarantine import let_out, put_in
from tasks.routing import gateway
from tests.unit.test_rollback import release, switched, version


@pytest.fixture
def told(home, monkeypatch):
    """A use case with a past, made by what makes one; the gateway takes everything."""
    monkeypatch.setattr(gateway, "route", lambda *_: None)
    send(version("1"), release("1", 9001), "released by a person")
    record("loans", "finding", "no drift", window="2026-01", version="1", causes=[])
    record("loans", "finding", "drift in 2 columns", window="2026-02", version="1", causes=["drift", "performance"])
    record("loans", "told", "[warning] loans: drift", channel="slack of SLACK_URL")
    decide("contract", release("2", 9002), [Check("answers", True, "equal")])
    with pytest.raises(GateClosed):
        decide("load", release("2", 9002), [Check("p99", False, "80 ms; [at most] 50 ms")])
    switched_to = {"better": True, "promoted": True, "cause": "drift", "until": "2026-03-01T00:00:00+00:00"}
    send(version("2"), release("2", 9002), "drift: better")
    record("loans", "verdict", "challenger roc_auc 0.8", version="2", against="1", **switched_to)
    record("loans", "verdict", "challenger roc_auc 0.8", version="3", against="2", rollout=True, **switched_to)
    put_in("loans", "3", "errors", "rollout r")
    let_out("loans", "3", "the data was wrong", "ann")
    record("loans", "declined", "one is enough", cause="labels", until="2026-03-02T00:00:00+00:00")
    with emergency("loans", "rolled back", "it lies", print):
        send(version("1"), release("1", 9001), "it lies", rolled_back_by="ann")


def kinds(found):
    return [event.what for event in found]


def test_everything_that_changed_something_is_told_in_order(told):
    found = history.events("loans", UTC)
    assert kinds(found) == [
        "deployed",
        "alarm: drift, performance",
        "told",
        "gate closed",
        "deployed",
        "retrained: promoted",
        "retrained: better, its rollout began",
        "in quarantine",
        "out of quarantine",
        "not retrained",
        "rolled back",
    ]
    assert [event.version for event in found] == ["1", "1", "", "2", "2", "2", "3", "3", "3", "", "1"]
    assert found[1].why == "2026-02: drift in 2 columns"
    assert found[4].why == "drift: better (on local, version 1 before)"
    assert found[5].why == "drift: challenger roc_auc 0.8"
    assert [event.by for event in found if event.by != "a command"] == ["rollout r", "ann", "ann"]


def test_a_rollback_of_an_earlier_slipway_and_one_that_was_not_through(told):
    path = use_case_home("loans") / "history.jsonl"
    old = [{k: v for k, v in json.loads(line).items() if k != "rollback"} for line in path.read_text().splitlines()]
    path.write_text("".join(f"{json.dumps(entry)}\n" for entry in old))
    assert kinds(history.events("loans", UTC))[-1] == "rolled back", "the fence tells it"
    with emergency("loans", "rolled back", "again", print):
        pass  # killed before it switched
    last = history.events("loans", UTC)[-1]
    assert (last.what, last.why) == ("rolled back, not through", "again")


def test_times_are_those_of_the_use_case_and_since_is_a_day_there(told, monkeypatch):
    monkeypatch.setattr(history, "zone_of", lambda _: history.ZoneInfo("Asia/Tokyo"))
    path = use_case_home("loans") / "history.jsonl"
    entries = [json.loads(line) for line in path.read_text().splitlines()]
    for number, entry in enumerate(entries):
        moved = datetime(2026, 2, 28, 14, 50, tzinfo=UTC) + timedelta(minutes=20 * number)
        entry["time"] = moved.isoformat(timespec="seconds")
    path.write_text("".join(f"{json.dumps(entry)}\n" for entry in entries))
    shown = CliRunner().invoke(app, ["history", "loans", "--since", "2026-03-01", "--json"], catch_exceptions=False)
    found = json.loads(shown.stdout)
    assert found["time_zone"] == "Asia/Tokyo"
    assert found["events"][0]["time"] == "2026-03-01T00:30:00+09:00", "15:30 in UTC; 14:50 was still February there"
    assert len(found["events"]) == len(kinds(history.events("loans", UTC))) - 1
    assert found["now"].startswith("Now: version 1 was switched to last, and is down")


def test_the_table_ends_with_what_serves(told):
    screen = Console(width=200, record=True)
    history.show("loans", None, False, screen)
    text = screen.export_text()
    assert "80 ms; [at most] 50 ms" in text, "a reason is no markup"
    assert "loans, times in UTC" in text
    assert (
        text.strip().splitlines()[-1].startswith("Now: version 1 was switched to last, and is down; 'slipway deploy loans'")
    )
    record("loans", "retire", "no longer needed")
    assert "loans is retired, nothing serves" in history.now("loans")


def test_what_serves_is_the_release_that_the_gateway_sends_requests_to(home, monkeypatch):
    switched("3", 9003)
    record("loans", "deploy", "a test", version="3", platform="local")
    monkeypatch.setattr(history, "running", lambda _: release("3", 9003))
    assert history.now("loans").startswith("Now: loans version 3 serves (release loans-v3-")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("nothing",), "use case 'nothing' has no history in"),
        (("loans", "--since", "soon"), "--since: 'soon' is not a time; write for example '2026-03-01'"),
    ],
)
def test_bad_input_is_one_clear_error(home, words, told):
    record("loans", "deploy", "a test", version="1", platform="local")
    with pytest.raises(InputError, match=told):
        CliRunner().invoke(app, ["history", *words], catch_exceptions=False)
    assert not (use_case_home("loans").parent / "nothing").exists()
