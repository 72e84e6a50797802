"""What the gateway is told: see tests/integration for what it does."""

import re

from tasks.gateway import LARGE, RETRIED_BYTES, render
from tasks.values import Release, Replica

ONE, TWO = ["http://a"], ["http://a", "http://b"]


def candidate():
    replica = Replica(address="http://c", handle="")
    fixed = {"bundle": "", "target": "local", "image": "", "log": "rehearsal", "settings": {}}
    return Release(name="small-v2-abc", use_case="small", version="2", replicas=(replica,), **fixed)


def test_a_lone_server_is_never_shut_out():
    assert "passiveHealthCheck" not in render("small", ONE)["http"]["services"]["small"]["loadBalancer"]
    assert "passiveHealthCheck" in render("small", TWO)["http"]["services"]["small"]["loadBalancer"]


def test_a_candidate_is_reached_by_its_name_only():
    routers = render("small", ONE, candidate())["http"]["routers"]
    assert set(routers) == {"small", "small-large", "small-candidate", "small-candidate-large"}
    for name, router in routers.items():
        assert ("Header(`X-Slipway-Release`, `small-v2-abc`)" in router["rule"]) == ("candidate" in name)
    assert routers["small-candidate"]["priority"] > routers["small-large"]["priority"] > routers["small"]["priority"]
    assert set(render("small", [], candidate())["http"]["services"]) == {"small-candidate"}
    assert render("small", [])["http"]["routers"] == {}


def test_what_is_too_large_to_be_kept_for_a_retry_goes_another_way():
    pattern = re.search(r"`(\^.*\$)`", LARGE)[1]
    for size in range(RETRIED_BYTES):
        if re.match(pattern, str(size)):
            assert size >= 16000
    assert all(re.match(pattern, str(size)) for size in (RETRIED_BYTES, RETRIED_BYTES + 1, 20_000, 99_999, 100_000, 10**9))
    middlewares = render("small", ONE)["http"]["middlewares"]
    assert middlewares["small-small"]["retry"]["maxRequestBodyBytes"] == RETRIED_BYTES
    assert "maxRequestBodyBytes" not in middlewares["small-large"]["retry"]


def test_every_other_configuration_has_another_mark():
    def mark(content):
        return content["http"]["middlewares"]["small-mark"]["headers"]["customResponseHeaders"]["X-Slipway-Route"]

    assert mark(render("small", ONE)) == mark(render("small", ONE))
    assert len({mark(render("small", servers, c)) for servers in (ONE, TWO) for c in (None, candidate())}) == 4
