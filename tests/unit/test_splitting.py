"""A plan belongs to the release that carries it out: it renames none, and ends with it."""

import json

import msgspec
import pytest

from configs.errors import InputError
from configs.load import load_use_case
from serving.traffic.plan import Arm, Plan, PlanError, read_plan
from tasks.containers.values import Image
from tasks.deploying import switchover
from tasks.deploying.keys import internal_key, revoke_key
from tasks.deploying.platforms import local
from tasks.deploying.reconcile import describe
from tasks.deploying.settings import handed_over
from tasks.deploying.values import Replica
from tasks.routing import splitting
from tasks.routing.splitting import plan_path, split, split_of, splits_folder, unsplit
from tests.unit.test_rollback import release, switched, version


def test_neither_a_plan_nor_the_key_between_servers_renames_a_release(home):
    wanted = release("1", 9001)
    splits_folder("loans")
    plan_path(wanted).write_text('{"id": "p", "salt": "s"}')
    handed = handed_over(wanted)
    assert handed["SLIPWAY_INTERNAL_KEY"] == internal_key("loans")
    revoke_key("loans", "slipway")
    assert handed_over(wanted)["SLIPWAY_INTERNAL_KEY"] != handed["SLIPWAY_INTERNAL_KEY"]
    again = describe(load_use_case("loans"), version("1"), Image(platform="local", reference="processes:1"))
    assert again.name == wanted.name
    assert "TRAFFIC" not in json.dumps(wanted.model_dump(mode="json"))


def test_a_switch_ends_the_plans_of_every_other_release(home, monkeypatch):
    old, new = release("1", 9001), release("2", 9002)
    switched("1", 9001)
    for each in (old, new):
        plan_path(each).write_text('{"id": "p", "salt": "s"}')
    monkeypatch.setattr(switchover.gateway, "route", lambda *_: None)
    switchover.send(version("2"), new, "test")
    assert not plan_path(old).exists(), "when it serves again, it must not find it"
    assert plan_path(new).exists(), "a deploy of what serves leaves its rollout alone"


def test_a_release_that_is_started_is_told_where_its_plan_will_be(home, monkeypatch):
    given = {}
    monkeypatch.setattr(local, "supervise", lambda folder, processes, output, environment: given.update(environment))
    wanted = release("1", 9001)
    local.bring_up(wanted)
    assert given["SLIPWAY_TRAFFIC"] == str(plan_path(wanted))
    assert given["SLIPWAY_INTERNAL_KEY"].startswith("slipway_")


def test_processes_are_reached_where_they_are(home):
    champion, arm = release("1", 9001), release("2", 9002)
    dead = Replica(address="http://127.0.0.1:9003", handle="9003", alive=False)
    arm = arm.model_copy(update={"replicas": (*arm.replicas, dead)})
    assert local.reach(champion, arm) == ("http://127.0.0.1:9002",)


def test_a_plan_that_contradicts_itself_changes_nothing(home):
    switched("1", 9001)
    both = (Arm("a", "2", "r", (), 0.7), Arm("b", "2", "r", (), 0.7))
    with pytest.raises(InputError, match=r"use case 'loans': traffic plan 'p': the arms' shares make 1.4"):
        split("loans", Plan("p", "s", arms=both))
    assert split_of("loans") is None
    assert not list(splits_folder("loans").iterdir())


def test_what_does_not_run_or_knows_no_plans_carries_none_out(home, monkeypatch):
    switched("1", 9)
    plan_path(release("1", 9)).write_text('{"id": "p", "salt": "s"}')
    unsplit("loans")
    assert split_of("loans") is None
    monkeypatch.setattr(splitting, "TAKEN_SECONDS", 0.0)
    with pytest.raises(
        splitting.NotSplit, match=r"did not take traffic plan .* workers within 0 s: http://127.0.0.1:9: Con"
    ):
        split("loans", Plan("p", "s"))
    assert split_of("loans") is None, "what was there before is back"


def test_what_is_written_is_what_is_read(home):
    plan = Plan("p", "s", "customer", "each", (Arm("challenger", "2", "r", ("http://user@a.b:80",), 0.25),))
    with pytest.raises(PlanError, match="is no address"):
        read_plan(msgspec.json.encode(plan))
    plan = msgspec.structs.replace(plan, arms=(Arm("challenger", "2", "r", ("https://a.b:80", "http://[::1]:81"), 0.25),))
    assert read_plan(msgspec.json.encode(plan)) == plan
