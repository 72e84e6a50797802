"""What starts services: with the real supervisor and the real gateway, which starts within a second."""

import socket
import ssl
import subprocess
import sys
from dataclasses import replace

import httpx
import pytest

from configs.errors import InputError
from console import services
from tasks.deploying.platforms.supervision import supervisor_of
from tasks.deploying.platforms.supervisor import runs


@pytest.fixture
def gateway(home):
    (found,) = [each for each in services.services() if each.name == "gateway"]
    yield found
    services.down(lambda _: None)


def test_of_two_homes_that_choose_one_port_the_loser_takes_another(gateway, monkeypatch):
    """The port was free when it was chosen, and is not when the gateway begins to listen."""
    with socket.socket() as winner:
        winner.bind(("127.0.0.1", 0))
        winner.listen()
        taken, asked = winner.getsockname()[1], []

        def free(port):
            asked.append(port)
            return len(asked) == 1 or real(port)

        real = services.is_free
        monkeypatch.setattr(services, "is_free", free)
        told = []
        assert services._start([replace(gateway, preferred=taken)], told.append) == ["gateway"]
    assert f"API: port {taken} is taken by now" in told
    port = services.read_services()["gateway"]["port"]
    assert port != taken
    assert httpx.get(f"http://127.0.0.1:{port}/ping", timeout=5).status_code == 200
    assert services._start([gateway], told.append) == []


def test_a_service_that_does_not_start_is_told_with_why_and_nothing_is_left(gateway):
    broken = replace(gateway, command=lambda port: [*gateway.command(port), "--no-such-option"])
    with pytest.raises(InputError, match=r"API did not start \(status 1, .*gateway\.log"):
        services._start([broken], lambda _: None)
    assert not services.supervised()


def test_what_a_supervisor_left_that_was_killed_while_it_ended_is_ended_by_the_next_start(gateway):
    """Then it stands in no list, and holds the port."""
    services._start([gateway], lambda _: None)
    left = services.known("gateway").process
    keeper = supervisor_of(services._folder())
    (services._folder() / "processes.json").unlink()
    for process in (keeper, *(each for each in keeper.children() if each != left)):
        process.kill()
    port = services.read_services()["gateway"]["port"]
    services._start([gateway], lambda _: None)
    assert not runs(left)
    assert services.supervised()
    assert services.read_services()["gateway"]["port"] == port


def test_damaged_records_are_one_clear_error(home):
    home.mkdir()
    (home / "services.json").write_text('{"gateway": {"po')
    with pytest.raises(InputError, match=r"services\.json is damaged; remove it"):
        services.read_services()


def test_clients_of_a_homes_prefect_read_one_authority_and_those_of_another_all(home):
    (prefect,) = [each for each in services.services() if each.name == "prefect"]
    assert "PREFECT_API_SSL_CERT_FILE" not in services.environment()
    services._keep_authority()
    services._write({prefect.name: {"port": 4200}})
    context = ssl.create_default_context(cafile=services.environment()["PREFECT_API_SSL_CERT_FILE"])
    assert len(context.get_ca_certs()) == 1


def test_garbage_is_collected_by_a_thread_that_does_nothing_else():
    """In a process of its own: who collected is asked of an object in a cycle, when it goes."""
    code = """
import threading, time
from console.prefect_server import collect_aside

class Cycle:
    def __init__(self): self.me = self
    def __del__(self): print(threading.current_thread().name, flush=True)

collect_aside()
for _ in range(5): Cycle()
junk = [[] for _ in range(100_000)]  # enough for Python to collect by itself, in this thread
time.sleep(1)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["garbage"] * 5
