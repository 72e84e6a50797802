"""What a rollback rests on: the record of what served, and the fence that keeps what was begun before from switching."""

import base64
import fcntl
import threading

import pytest

from configs.errors import InputError
from configs.load import load_use_case
from tasks.containers.values import Image
from tasks.deploying.reconcile import describe
from tasks.deploying.values import Replica
from tasks.fence import Fenced, emergency, epoch, switching, unless_fenced
from tasks.gates.checks import GateClosed
from tasks.packaging.values import BundleRef
from tasks.registry.values import Version
from tasks.rollouts.rollback import OF_NOW, SecretMissing, as_it_ran, roll_back
from tasks.routing import gateway, traffic
from tasks.routing.served import earlier, forget_served, keep_served, served_version, serving
from tasks.routing.values import TrafficPlan


def version(number):
    return Version(use_case="loans", version=number, run_id="r", bundle=BundleRef(digest=number * 64), golden="g")


def release(number, port):
    wanted = describe(load_use_case("loans"), version(number), Image(platform="local", reference="processes:1"))
    return wanted.model_copy(update={"replicas": (Replica(address=f"http://127.0.0.1:{port}", handle=str(port)),)})


def switched(number, port):
    """As a switch writes it down, without a gateway that has to take it."""
    keep_served(version(number), release(number, port))
    traffic.replace("loans", TrafficPlan(addresses=(f"http://127.0.0.1:{port}",)))


def test_two_rollbacks_go_back_two_versions(home):
    for number, port in (("1", 9001), ("2", 9002), ("3", 9003)):
        switched(number, port)
    now, before = earlier("loans")
    assert (now.version.version, before.version.version, before.release) == ("3", "2", release("2", 9002))
    switched("2", 9004)
    assert earlier("loans")[1].version.version == "1"
    switched("1", 9005)
    with pytest.raises(InputError, match="version 1 is the first, so there is none to go back to"):
        earlier("loans")
    assert earlier("loans", "3")[1].version.version == "3"
    with pytest.raises(InputError, match=r"version 7 never served here; those that did: 1, 2, 3\. 'slipway deploy"):
        earlier("loans", "7")


def test_what_serves_is_what_the_gateway_says_and_a_port_used_again_fools_nobody(home):
    assert serving("loans") is None
    switched("1", 9001)
    switched("2", 9002)
    keep_served(version("3"), release("3", 9003))  # killed before the gateway was told
    assert serving("loans").version.version == "2"
    switched("3", 9001)  # where version 1 had been
    assert serving("loans").version.version == "3"
    traffic.plan_file("loans").unlink()
    assert serving("loans").version.version == "3"
    forget_served("loans", "3")
    assert served_version("loans", "3") is None
    forget_served("loans")
    assert serving("loans") is None


def test_a_switch_that_the_gateway_did_not_take_leaves_no_record(home, monkeypatch):
    from tasks.deploying.switchover import send

    def refuse(*_):
        raise gateway.NotSwitched("no")

    switched("1", 9001)
    monkeypatch.setattr(gateway, "route", refuse)
    with pytest.raises(gateway.NotSwitched):
        send(version("2"), release("2", 9002), "a test")
    assert served_version("loans", "2") is None
    before = served_version("loans", "1")
    with pytest.raises(gateway.NotSwitched):
        send(version("1"), release("1", 9009), "a test")
    assert served_version("loans", "1") == before


def test_a_rollback_fences_what_began_before_it_and_nothing_later(home):
    began = epoch("loans")
    with switching("loans", began):
        pass
    with emergency("loans", "rolled back", "v2 denies everybody", print):
        pass
    with pytest.raises(Fenced, match=r"loans was rolled back after this run began \(v2 denies everybody, 2"):
        switching("loans", began).__enter__()
    with pytest.raises(Fenced, match="Besides: gate load: 1 of 3 checks failed"), unless_fenced("loans", began):
        raise GateClosed("gate load: 1 of 3 checks failed")
    with switching("loans", epoch("loans")):
        pass
    with pytest.raises(GateClosed), unless_fenced("loans", epoch("loans")):
        raise GateClosed("a gate that says no without a rollback")
    with switching("flights", epoch("flights")):  # another use case's fence stands where it was
        pass


def test_a_rollback_waits_for_a_switch_and_not_for_a_run(home):
    """The lock of the runs is held throughout; the rollback begins as soon as the switch that goes on has ended."""
    from configs.settings import use_case_home

    said, waiting, through = [], threading.Event(), threading.Event()

    def say(text):
        said.append(text)
        waiting.set()

    def roll():
        with emergency("loans", "rolled back", "now", say):
            through.set()

    with open(use_case_home("loans") / "lock", "w") as run:
        fcntl.flock(run, fcntl.LOCK_EX)
        with switching("loans"):
            thread = threading.Thread(target=roll)
            thread.start()
            assert waiting.wait(30)
            assert not through.is_set()
        assert through.wait(30)
        thread.join()
    assert said[0].startswith("process ")
    assert "is switching loans at this moment; waiting for it" in said[0]


def test_a_rollback_opens_no_door_that_was_closed_since(home):
    """Resources are those of the time; the key, and what is logged, are as strict as now."""
    switched("1", 9001)
    strict = {**release("2", 9002).settings, "SLIPWAY_AUTH": "on", "SLIPWAY_SENSITIVE": "omit", "SLIPWAY_WORKERS": "7"}
    keep_served(version("2"), release("2", 9002).model_copy(update={"settings": strict}))
    now, before = served_version("loans", "2"), served_version("loans", "1")
    wanted = as_it_ran(before, now.release.settings)
    assert {name: wanted.settings[name] for name in OF_NOW} == {name: strict[name] for name in OF_NOW}
    assert wanted.settings["SLIPWAY_WORKERS"] == "1"
    assert wanted.name != before.release.name
    assert as_it_ran(before, before.release.settings).name == before.release.name


def test_a_rollback_without_the_secret_of_then_is_refused(home, monkeypatch):
    monkeypatch.setenv("SLIPWAY_LOG_KEY", base64.b64encode(bytes(32)).decode())
    switched("1", 9001)
    monkeypatch.delenv("SLIPWAY_LOG_KEY")
    switched("2", 9002)
    with pytest.raises(SecretMissing, match="version 1 was served with the secret SLIPWAY_LOG_KEY"):
        as_it_ran(earlier("loans")[1], {})


def test_nothing_to_roll_back_is_told_and_makes_nothing(home):
    with pytest.raises(InputError, match="nothing of 'lons' was ever switched to"):
        roll_back("lons", None, "a typo", print)
    assert not (home / "use_cases").exists()


def test_a_rollback_to_nowhere_fences_nobody(home):
    switched("1", 9001)
    began = epoch("loans")
    with pytest.raises(InputError, match="version 1 is the first"):
        roll_back("loans", None, "a mistake", print)
    assert epoch("loans") == began
