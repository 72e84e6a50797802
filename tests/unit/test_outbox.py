"""Who is told, over real HTTP and SMTP: each channel for itself, and what is still to be told by the next run."""

import base64
import json
import threading
from datetime import timedelta
from email import message_from_bytes
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from aiosmtpd.controller import Controller

from configs.schema import Notify
from tasks.deploying.platforms.ports import free_port
from tasks.history import read_history
from tasks.monitoring.alerts.alarms import alarms
from tasks.monitoring.alerts.finding_plot import plot_page
from tasks.monitoring.alerts.keep_finding import keep_finding
from tasks.monitoring.alerts.notify import notify
from tasks.monitoring.alerts.outbox import waiting
from tasks.monitoring.findings import findings
from tests.conftest import small_use_case
from tests.unit.test_alarms import START, finding


@pytest.fixture
def events(monkeypatch):
    """What Prefect would get."""
    emitted = []
    monkeypatch.setattr("tasks.monitoring.alerts.outbox.emit_event", lambda **event: emitted.append(event["event"]))
    return emitted


class Mailbox:
    def __init__(self):
        self.messages = []

    async def handle_DATA(self, server, session, envelope):
        self.messages.append(envelope)
        return "250 OK"


@pytest.fixture
def posts(home):
    """A web server that keeps what is posted to it; and where links to plots point, which need not run."""
    home.mkdir(exist_ok=True)
    (home / "services.json").write_text(json.dumps({"reports": {"port": 8081}}))
    received = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            received.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(200 if self.path == "/hook" else 500)
            self.end_headers()

        def log_message(self, *words):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", received
    server.shutdown()


def with_channels(folder, *channels):
    case = small_use_case(folder)
    return case.model_copy(update={"monitoring": case.monitoring.model_copy(update={"notify": list(channels)})})


def opened(cause="fault", number=0):
    until = START + timedelta(days=number)
    return finding(number, alarms({}, {cause: "temp: every value is 0"}, set(), until, timedelta(days=7), str(number)))


def test_people_are_told_by_webhook_slack_and_mail(home, tmp_path, quiet, posts, events, monkeypatch):
    address, received = posts
    monkeypatch.setenv("OUR_HOOK", f"{address}/hook")
    mailbox = Mailbox()
    port = free_port()
    server = Controller(mailbox, hostname="127.0.0.1", port=port)
    server.start()
    try:
        people = ["a@example.com", "b@example.com"]
        mail = Notify(by="email", server=f"127.0.0.1:{port}", sender="slipway@example.com", to=people)
        channels = [Notify(by="webhook", url="OUR_HOOK"), Notify(by="slack", url="OUR_HOOK"), mail]
        case = with_channels(tmp_path, *channels)
        keep_finding.fn(case, opened())
        assert notify.fn(case) == {}
        assert notify.fn(case) == {}  # nobody is told twice
    finally:
        server.stop()
    assert events == ["slipway.fault"]
    assert [entry["channel"] for entry in read_history("small", "told")] == [
        "webhook OUR_HOOK",
        "slack OUR_HOOK",
        "email a@example.com, b@example.com",
    ]
    hook, slack = received
    assert hook["cause"] == "fault"
    assert hook["finding"]["window"] == "0"
    assert slack["text"].startswith("[critical] small: fault in window 0: temp: every value is 0")
    (letter,) = mailbox.messages
    assert letter.rcpt_tos == people
    assert b"[critical] small: fault in window 0" in letter.content
    assert b"every value is 0" in letter.content
    (image,) = [part for part in message_from_bytes(letter.content).walk() if part.get_content_type() == "image/png"]
    assert image.get_payload(decode=True) == base64.b64decode(hook["plot"]["png"]) == plot_page("small", "0").read_bytes()
    assert hook["plot"]["link"].endswith("/small/monitoring/0.png")
    assert hook["plot"]["link"] in slack["blocks"][1]["text"]["text"]


def test_nobody_is_told_of_what_is_only_still_open_or_too_small(home, tmp_path, quiet, posts, events, monkeypatch):
    address, received = posts
    monkeypatch.setenv("OUR_HOOK", f"{address}/hook")
    critical = with_channels(tmp_path, Notify(by="webhook", url="OUR_HOOK", at_least="critical"))
    keep_finding.fn(critical, opened("drift"))
    first = opened()
    still = alarms(first.alarms, {"fault": "x"}, set(), START + timedelta(days=1), timedelta(days=7), "1")
    keep_finding.fn(critical, finding(1, still))
    assert notify.fn(critical) == {}
    assert received == []
    assert events == ["slipway.drift", "slipway.fault"]


def test_a_dead_channel_stops_nothing_and_nobody_is_told_twice(home, tmp_path, quiet, posts, events, monkeypatch):
    """The finding stands, the others are told once, and the dead one gets what waited when it lives again."""
    address, received = posts
    monkeypatch.setenv("GOOD_HOOK", f"{address}/hook")
    monkeypatch.setenv("DEAD_HOOK", f"{address}/elsewhere?token=hidden")
    channels = [Notify(by="webhook", url=name) for name in ("DEAD_HOOK", "GOOD_HOOK", "UNSET_HOOK")]
    case = with_channels(tmp_path, *channels)
    for number in (0, 30):
        keep_finding.fn(case, opened(number=number))
        failed = notify.fn(case)
        assert set(failed) == {"webhook DEAD_HOOK", "webhook UNSET_HOOK"}
        assert failed["webhook DEAD_HOOK"] == "answered 500"
        assert "UNSET_HOOK is not set" in failed["webhook UNSET_HOOK"]
    assert [found.window for found in findings("small")] == ["0", "30"]
    assert events == ["slipway.fault"] * 2
    heard = [entry["reason"] for entry in read_history("small", "told")]
    assert heard == [f"[critical] small: fault in window {number}" for number in (0, 30)]
    assert waiting("small") == {
        "webhook DEAD_HOOK": (2, "answered 500"),
        "webhook UNSET_HOOK": (2, failed["webhook UNSET_HOOK"]),
    }
    keep_finding.fn(case, opened(number=30))  # a person has the window looked at again, and it shows the same
    assert set(notify.fn(case)) == set(failed)
    assert len(read_history("small", "told")) == 2
    assert events == ["slipway.fault"] * 3
    received.clear()
    monkeypatch.setenv("DEAD_HOOK", f"{address}/hook")
    case = with_channels(tmp_path, *channels[:2])  # the third is no longer asked for
    assert notify.fn(case) == {}
    assert [post["finding"]["window"] for post in received] == ["0", "30"]
    assert waiting("small") == {}


def test_an_address_never_stands_in_what_went_wrong(home, tmp_path, quiet, posts, events, monkeypatch):
    monkeypatch.setenv("OUR_HOOK", f"http://127.0.0.1:{free_port()}/services/T0/B0/hidden")
    case = with_channels(tmp_path, Notify(by="slack", url="OUR_HOOK"))
    keep_finding.fn(case, opened())
    assert "hidden" not in str(notify.fn(case, waits=(0.0, 0.0)))
    monkeypatch.setenv("OUR_HOOK", "hxxp:/hidden")
    assert "hidden" not in str(notify.fn(case))
