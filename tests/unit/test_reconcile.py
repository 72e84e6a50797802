"""What should be, what is, and the difference: applied, nothing is left of it."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from configs.load import load_use_case
from tasks.containers.values import Image
from tasks.deploying.reconcile import State, describe, difference, named
from tasks.deploying.values import Replica
from tasks.packaging.values import BundleRef
from tasks.registry.values import Version

VERSIONS = [Version(use_case="loans", version=n, run_id="r", bundle=BundleRef(digest=n * 64), golden="g") for n in "12"]
IMAGE = Image(platform="docker", reference="slipway/loans:tag", digest="sha256:1")


def release(number=0, replicas=(), **changes):
    wanted = describe(load_use_case("loans"), VERSIONS[number], IMAGE)
    return named(wanted.model_copy(update=changes)).model_copy(update={"replicas": tuple(replicas), **changes})


def applied(changes, wanted, state):
    """What the target, the gateway and the registry hold after the changes, in a model of them as small as can be."""
    releases = {r.name: r for r in state.releases}
    routed, champion, image_there = state.routed, state.champion, True
    for action, subject, _ in changes:
        match action:
            case "build":
                image_there = True
            case "start" | "repair" | "scale":
                replicas = tuple(Replica(address=f"http://new:{n}", handle=str(n)) for n in range(wanted.wanted))
                releases[wanted.name] = wanted.model_copy(update={"replicas": replicas})
            case "route":
                routed = releases[wanted.name].addresses
            case "crown":
                champion = wanted.version
            case "stop":
                assert subject not in {r.name for r in releases.values() if set(r.addresses) & set(routed)}, "still routed"
                del releases[subject]
    return image_there, State(list(releases.values()), routed, champion)


def replicas(release):
    """Up to three replicas at addresses that no other release has."""
    return st.lists(st.booleans(), max_size=3).map(
        lambda alive: [Replica(address=f"http://old{release}:{n}", handle=str(n), alive=a) for n, a in enumerate(alive)]
    )


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    there=st.fixed_dictionaries({}, optional={n: replicas(n) for n in (0, 1)}),
    routed=st.sampled_from(
        [[], ["http://old0:0"], ["http://old1:0"], ["http://old1:0", "http://old1:1"], ["http://gone:9"]]
    ),
    champion=st.sampled_from(["", "1", "2"]),
    wanted=st.integers(1, 3),
    built=st.booleans(),
)
def test_applying_the_difference_leaves_none(home, there, routed, champion, wanted, built):
    target = release(0, wanted=wanted)
    state = State([release(n, found) for n, found in there.items()], routed, champion)
    image_there, after = applied(difference(target, built, state), target, state)
    assert difference(target, image_there, after) == []


def test_a_name_tells_releases_apart_that_behave_differently(home, monkeypatch):
    first = release()
    assert first.name == release(wanted=5).name, "how many there are is no other release"
    more = {**first.settings, "SLIPWAY_WORKERS": "4"}
    others = [release(1), release(settings=more), release(image="slipway/loans:other"), release(log="rehearsal")]
    monkeypatch.setenv("SLIPWAY_LOG_PEPPER", "a secret")
    others.append(release())
    names = {other.name for other in others} | {first.name}
    assert len(names) == len(others) + 1
    assert all(name.startswith("loans-v") for name in names)
    assert "a secret" not in release().model_dump_json()


def test_a_server_gets_a_pepper_that_nobody_can_guess(home, monkeypatch):
    from tasks.deploying.settings import secrets

    assert "SLIPWAY_LOG_PEPPER" not in release().settings
    made = secrets("loans")["SLIPWAY_LOG_PEPPER"]
    assert secrets("loans")["SLIPWAY_LOG_PEPPER"] == made
    assert secrets("flights")["SLIPWAY_LOG_PEPPER"] != made
    assert len(made) >= 40
    monkeypatch.setenv("SLIPWAY_LOG_PEPPER", "mine")
    assert secrets("loans")["SLIPWAY_LOG_PEPPER"] == "mine"


def test_a_release_that_is_as_it_should_be_needs_nothing(home):
    replica = Replica(address="http://127.0.0.1:1", handle="1")
    there = release(0, [replica])
    state = State([there], ["http://127.0.0.1:1"], "1")
    assert difference(release(0), True, state) == []
    scaled = difference(release(0, wanted=2), True, state)
    assert scaled[0][::2] == ("scale", "1 to 2 replicas")
    dead = State([release(0, [replica.model_copy(update={"alive": False})])], ["http://127.0.0.1:1"], "1")
    assert [change.action for change in difference(release(0), True, dead)] == ["repair", "route"]
