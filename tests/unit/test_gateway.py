"""What the gateway is told, and what the real one does with it."""

import contextlib
import json
import re
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

import httpx
import pytest

from configs.settings import PROJECT
from configs.settings import home as the_home
from console.services import services
from tasks.deploying.platforms.ports import free_port
from tasks.deploying.values import Release, Replica
from tasks.routing import gateway, traffic
from tasks.routing.render import LARGE, RETRIED_BYTES, render
from tasks.routing.values import Candidate, TrafficPlan

ONE, TWO = TrafficPlan(addresses=("http://a",)), TrafficPlan(addresses=("http://a", "http://b"))
CANDIDATE = Candidate(release="small-v2-abc", addresses=("http://c",))


def with_candidate(plan):
    return plan.model_copy(update={"candidate": CANDIDATE})


def test_a_lone_server_is_never_shut_out():
    assert "passiveHealthCheck" not in render("small", ONE)["http"]["services"]["small"]["loadBalancer"]
    assert "passiveHealthCheck" in render("small", TWO)["http"]["services"]["small"]["loadBalancer"]


def test_a_candidate_is_reached_by_its_name_only():
    routers = render("small", with_candidate(ONE))["http"]["routers"]
    parts = ("small", "small.large", "small.ready")
    assert set(routers) == {*parts, *(part.replace("small", "small.candidate") for part in parts)}
    for name, router in routers.items():
        assert ("Header(`X-Slipway-Release`, `small-v2-abc`)" in router["rule"]) == ("candidate" in name)
    assert routers["small.candidate"]["priority"] > routers["small.large"]["priority"] > routers["small"]["priority"]
    assert set(render("small", with_candidate(TrafficPlan()))["http"]["services"]) == {"small.candidate"}


def test_what_is_too_large_to_be_kept_for_a_retry_goes_another_way():
    pattern = re.search(r"`(\^.*\$)`", LARGE)[1]
    for size in range(RETRIED_BYTES):
        if re.match(pattern, str(size)):
            assert size >= 16000
    assert all(re.match(pattern, str(size)) for size in (RETRIED_BYTES, RETRIED_BYTES + 1, 20_000, 99_999, 100_000, 10**9))
    middlewares = render("small", ONE)["http"]["middlewares"]
    assert middlewares["small.small"]["retry"]["maxRequestBodyBytes"] == RETRIED_BYTES
    assert middlewares["small.cut"]["retry"]["maxRequestBodyBytes"] == RETRIED_BYTES
    assert "maxRequestBodyBytes" not in middlewares["small.large"]["retry"]


def test_every_other_configuration_has_another_mark():
    def mark(content):
        return content["http"]["middlewares"]["small.mark"]["headers"]["customResponseHeaders"]["X-Slipway-Route"]

    assert mark(render("small", ONE)) == mark(render("small", ONE))
    assert len({mark(render("small", plan)) for each in (ONE, TWO) for plan in (each, with_candidate(each))}) == 4


class Ready(BaseHTTPRequestHandler):
    """A server that is always ready."""

    def do_GET(self):
        self.send_response(200 if self.path == "/readyz" else 404)
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    with HTTPServer(("127.0.0.1", 0), Ready) as http:
        threading.Thread(target=http.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{http.server_port}"
        http.shutdown()


class DiesOnce(BaseHTTPRequestHandler):
    """A server that is killed in the middle of its first answer, and the one that takes its place."""

    died = False

    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        if not DiesOnce.died:
            DiesOnce.died, self.close_connection = True, True
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Le")
            return
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def traefik(home):
    """Starts the real gateway on the home, as `slipway up` does, and stops it."""
    home.mkdir()
    port, running = free_port(), []
    (home / "services.json").write_text(json.dumps({"gateway": {"port": port}}))

    def stop():
        while running:
            process = running.pop()
            process.terminate()
            process.wait(20)

    def start():
        stop()
        left_out = traffic.refresh()
        (command,) = [each.command(port) for each in services() if each.name == "gateway"]
        (home / "logs").mkdir(exist_ok=True)
        with (home / "logs" / "gateway.log").open("ab") as log:
            running.append(subprocess.Popen(command, stdout=log, stderr=log))
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            with contextlib.suppress(httpx.TransportError):
                if httpx.get(f"http://127.0.0.1:{port}/ping", timeout=2).status_code == 200:
                    return left_out
            time.sleep(0.05)
        raise AssertionError((home / "logs" / "gateway.log").read_text())

    yield start
    stop()


def status_of(use_case):
    return httpx.get(f"{gateway.address(use_case)}/readyz", timeout=5).status_code


BROKEN = {
    "empty": b"",
    "cut": b'{"addresses": ["http://127.0.0',
    "other": b'{"addresses": {"a": 1}}',
    "strange": b'{"addresses": [], "routers": {}}',
    "text": b'{"addresses": ["not an address`"]}',
    "bytes": bytes(range(200, 256)),
    "Not a name": b"{}",
}


def test_whatever_lies_in_the_folder_stays_with_its_use_case(traefik, server):
    """A use case serves, is switched, and is there after a start, beside plans that are broken in every way."""
    traefik()
    gateway.route("good", [server])
    for name, content in BROKEN.items():
        traffic.plan_file(name).write_bytes(content)
    left = the_home() / "gateway" / "routes"  # of an older version
    left.mkdir()
    (left / "empty.yml").write_text('{"http": {"routers": {}}}')
    gateway.route("new", [server])
    assert (status_of("good"), status_of("new")) == (200, 200)
    gateway.route("good", [])
    assert (status_of("new"), traffic.plan_file("good").exists()) == (200, False)
    gateway.route("good", [server])
    left_out = traefik()
    deadline = time.monotonic() + 20  # it answers `/ping` a moment before it has read its routes
    while (found := (status_of("good"), status_of("new"))) != (200, 200):
        assert time.monotonic() < deadline, found
        time.sleep(0.05)
    assert len(left_out) == len(BROKEN)
    assert all(any(f"/{name}.json: " in told for told in left_out) for name in BROKEN)
    assert gateway.routed("cut") == []
    gateway.route("cut", [server])
    assert status_of("cut") == 200
    assert not any("/cut.json" in told for told in traffic.unreadable())


def test_a_first_release_whose_gate_closes_leaves_nothing_behind(traefik, server):
    traefik()
    replica = Replica(address=server, handle="")
    fixed = {"bundle": "", "target": "local", "image": "", "log": "rehearsal", "settings": {}}
    stand_in = Release(name="first-v1-abc", use_case="first", version="1", replicas=(replica,), **fixed)
    gateway.route("first", [], stand_in)
    named = httpx.get(f"{gateway.address('first')}/readyz", headers={"X-Slipway-Release": "first-v1-abc"}, timeout=5)
    assert (named.status_code, status_of("first")) == (200, 404)
    gateway.route("first", [])
    assert not traffic.plan_file("first").exists()
    gateway.route("second", [server])
    assert status_of("second") == 200


def test_a_route_that_is_not_taken_is_put_back_and_traefik_s_words_are_told(traefik, server, monkeypatch):
    traefik()
    gateway.route("small", [server])
    gateway.route("other", [server])
    before = traffic.plan_file("small").read_bytes()
    monkeypatch.setattr(gateway, "SWITCH_SECONDS", 1)
    with pytest.raises(gateway.NotSwitched) as caught:
        gateway.route("small", ["http://127.0.0.1:port"])
    told = str(caught.value)
    assert "error parsing server URL http://127.0.0.1:port" in told
    assert "other" not in told
    assert str(traffic.plan_file("small")) in told
    assert traffic.plan_file("small").read_bytes() == before
    deadline = time.monotonic() + 10
    while status_of("small") != 200:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_what_somebody_else_wrote_meanwhile_is_not_undone(home):
    mine, later = ONE, TWO
    before = traffic.replace("small", mine)
    traffic.replace("small", later)
    traffic.put_back("small", mine, before)
    assert traffic.plan_of("small") == later


def test_use_cases_that_switch_at_once_do_not_lose_each_other(home):
    program = (
        "import sys; from tasks.routing import traffic; from tasks.routing.values import TrafficPlan\n"
        "for n in range(20): traffic.replace(sys.argv[1], TrafficPlan(addresses=(f'http://{sys.argv[1]}:{n}',)))"
    )
    names = ["one", "two", "three"]
    running = [subprocess.Popen([sys.executable, "-c", program, name], cwd=PROJECT) for name in names]
    assert [process.wait(60) for process in running] == [0, 0, 0]
    rendered = json.loads(traffic.routes_file().read_text())["http"]["services"]
    assert {name: rendered[name]["loadBalancer"]["servers"] for name in names} == {
        name: [{"url": f"http://{name}:19"}] for name in names
    }


def test_names_of_two_use_cases_cannot_meet(home):
    """`small` has a router for its candidate; a use case may be called `small-candidate`."""
    traffic.replace("small", with_candidate(ONE))
    traffic.replace("small-candidate", TWO)
    routers = json.loads(traffic.routes_file().read_text())["http"]["routers"]
    assert len(routers) == 9


def test_an_answer_that_is_cut_off_is_asked_for_again(traefik):
    """Traefik calls it neither a bad gateway nor anything else that it knows: its status is 500."""
    with HTTPServer(("127.0.0.1", 0), DiesOnce) as http:
        threading.Thread(target=http.serve_forever, daemon=True).start()
        traefik()
        gateway.route("lone", [f"http://127.0.0.1:{http.server_port}"])
        assert httpx.post(f"{gateway.address('lone')}/predict", json={}, timeout=10).status_code == 200
        assert DiesOnce.died
        http.shutdown()


class Fails(BaseHTTPRequestHandler):
    """A server that fails at every request, and counts them."""

    asked = 0

    def do_POST(self):
        Fails.asked += 1
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(500)
        self.send_header("Content-Length", "24")
        self.end_headers()
        self.wfile.write(b"an id, and where to look")

    def log_message(self, *_):
        pass


def test_a_server_that_fails_is_asked_three_times_and_its_words_are_seen(traefik):
    with HTTPServer(("127.0.0.1", 0), Fails) as http:
        threading.Thread(target=http.serve_forever, daemon=True).start()
        traefik()
        gateway.route("lone", [f"http://127.0.0.1:{http.server_port}"])
        answer = httpx.post(f"{gateway.address('lone')}/predict", json={}, timeout=10)
        assert (answer.status_code, answer.text) == (500, "an id, and where to look")
        assert Fails.asked == 3
        http.shutdown()


def test_a_request_waits_for_the_only_server_to_come_back(traefik):
    """Its cold start on a busy machine takes seconds; one that stays away is told as 502."""
    traefik()
    port = free_port()
    gateway.route("lone", [f"http://127.0.0.1:{port}"])

    def comes_back():
        time.sleep(3)
        DiesOnce.died = True
        with HTTPServer(("127.0.0.1", port), DiesOnce) as http:
            http.handle_request()

    late = threading.Thread(target=comes_back)
    late.start()
    assert status_of("lone") == 502
    assert httpx.post(f"{gateway.address('lone')}/predict", json={}, timeout=20).status_code == 200
    late.join()
