"""A champion in a container reaches a challenger in another one, by a network that only the two of them share."""

import os

import httpx
import pytest
from prefect.logging import disable_run_logger

from configs.errors import InputError
from configs.settings import use_case_home
from serving.traffic.plan import Arm, Plan
from tasks.containers.engine import engine
from tasks.deploying.keys import internal_headers, internal_key
from tasks.deploying.platforms import docker as platform
from tasks.deploying.platforms.platform import platform_of
from tasks.deploying.reconcile import named
from tasks.deploying.values import Release, Replica
from tasks.log.read import open_log
from tasks.packaging.values import BundleRef
from tasks.registry.values import Version
from tasks.routing import traffic
from tasks.routing.served import keep_served
from tasks.routing.splitting import plan_path, split, unsplit
from tasks.routing.values import TrafficPlan
from tests.integration.server import wait_for

RECORD = {"a": 0.5, "b": 0.5, "c": "red"}
SETTINGS = {"SLIPWAY_WORKERS": "2", "SLIPWAY_AUTH": "on", "SLIPWAY_INTERNAL_CALLER": "slipway", "SLIPWAY_SENSITIVE": "omit"}


@pytest.fixture
def image(home, bundle_folder, monkeypatch):
    """One of the small bundle, signed with this home's key."""
    from serving.scoring.bundle import read_bundle
    from tasks.containers.containerize import _build
    from tasks.packaging.sign import sign

    client, why = engine()
    if client is None:
        pytest.skip(f"no Docker Engine answers ({why})")
    monkeypatch.setattr(BundleRef, "path", property(lambda _: bundle_folder))
    bundle = BundleRef(digest=read_bundle(bundle_folder).digest)
    reference = f"slipway/split:{os.getpid()}"
    version = Version(use_case="small", version="1", run_id="", bundle=bundle, golden="")
    with disable_run_logger():
        sign.fn(bundle)
        _build(client, version, reference)
    yield client, version, reference
    client.images.remove(reference, force=True)


def release(version, reference, number):
    wanted = Release(
        name="",
        use_case="small",
        version=number,
        bundle=version.bundle.digest,
        platform="docker",
        image=reference,
        log="predictions",
        settings=SETTINGS,
    )
    return named(wanted)


def ready(address):
    try:
        return httpx.get(f"{address}/readyz", timeout=2).status_code == 200
    except httpx.TransportError:
        return False


def test_containers_split_only_while_a_plan_brings_them_together(image):
    client, version, reference = image
    champion, challenger = (release(version, reference, number) for number in "12")
    local = challenger.model_copy(update={"platform": "local", "replicas": (Replica(address="http://a:1", handle="1"),)})
    internal_key("small")
    try:
        champion, challenger = platform.bring_up(champion), platform.bring_up(challenger)
        for each in (champion, challenger):
            wait_for(lambda each=each: ready(each.addresses[0]), f"{each.name}: {platform.last_words(each)}", 60)
        keep_served(version, champion)
        traffic.replace("small", TrafficPlan(addresses=tuple(champion.addresses)))
        with pytest.raises(InputError, match="whose servers a container cannot reach"):
            platform_of(champion).reach(champion, local)
        addresses = platform_of(champion).reach(champion, challenger)
        assert addresses == platform_of(champion).reach(champion, challenger)
        headers = internal_headers("small", "test")

        def variants(rows):
            body = {"records": [RECORD] * rows}
            answer = httpx.post(f"{champion.addresses[0]}/predict", json=body, headers=headers).raise_for_status().json()
            named = ", ".join(f"'{each['prediction_id']}'" for each in answer["predictions"])
            with open_log("small") as log:
                return log.sql(f"select variant, release, fallback from log where prediction_id in ({named})").fetchall()

        arm = Arm("challenger", "2", challenger.name, addresses, 1.0)
        split("small", Plan("stage", "s", arms=(arm,)))
        assert set(variants(20)) == {("challenger", challenger.name, None)}
        assert champion.name == release(version, reference, "1").name, "a plan renames no release"
        assert platform.observe("small")[0].name in (champion.name, challenger.name)
        client.containers.get(challenger.replicas[0].handle).kill()
        assert all(variant == "champion" and fallback for variant, _, fallback in variants(3))
        unsplit("small")
        assert set(variants(2)) == {("champion", champion.name, None)}
        assert not plan_path(champion).exists()
    finally:
        for each in (champion, challenger):
            platform.take_down(each)
    assert not [network for network in client.networks.list() if network.name.startswith(platform._prefix())]
    assert use_case_home("small").exists()
