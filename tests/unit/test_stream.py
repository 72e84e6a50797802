"""What `stream:` may say, and what `serve-stream` says where it cannot begin."""

import sys

import pytest
from pydantic import ValidationError

from configs.load import load_use_case
from configs.stream import Stream
from console.cli import main
from console.commands import serve_stream
from tests.unit.test_rollback import switched

ASKED = {"server": "nats://127.0.0.1:4222", "stream": "ORDERS"}


@pytest.mark.parametrize(
    "wrong",
    [
        {"server": "http://127.0.0.1:4222"},
        {"stream": "orders.asked"},
        {"answers": "orders.*"},
        {"dead": "orders dead"},
        {"tries": 0},
        {"credentials": "the/file"},
        {"topic": "orders"},
    ],
)
def test_what_is_no_stream(wrong):
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        Stream.model_validate(ASKED | wrong)


def test_what_is_one():
    more = {"subject": "orders.*.asked", "answers": "orders.answered", "dead": "orders.dead", "credentials": "NATS_CREDS"}
    assert Stream.model_validate(ASKED | more).tries == 5
    assert Stream.model_validate(ASKED | {"server": "tls://me:${SECRET}@a:1,tls://b:2"}).subject is None


def told(words, capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["slipway", *words])
    with pytest.raises(SystemExit) as ending:
        main()
    assert ending.value.code == 2
    return capsys.readouterr().err


@pytest.fixture
def streamed(monkeypatch):
    case = load_use_case("loans").model_copy(update={"stream": Stream.model_validate(ASKED)})
    monkeypatch.setattr(serve_stream, "load_use_case", lambda _: case)
    return case


def test_without_a_stream_and_without_a_release_nothing_begins(home, capsys, monkeypatch):
    said = told(("serve-stream", "loans"), capsys, monkeypatch)
    assert "use case 'loans' has no stream; write 'stream: {server: nats://..., stream: ...}'" in said


def test_without_a_release_nothing_begins(home, capsys, monkeypatch, streamed):
    assert "nothing of 'loans' serves; 'slipway release loans'" in told(("serve-stream", "loans"), capsys, monkeypatch)


def test_what_its_server_says_at_the_start_ends_it(home, capfd, monkeypatch, streamed):
    """Its bundle is not there."""
    switched("1", 9001)
    monkeypatch.setattr(sys, "argv", ["slipway", "serve-stream", "loans"])
    with pytest.raises(SystemExit) as ending:
        main()
    said = capfd.readouterr().err
    assert ending.value.code == 2
    assert "no manifest.json, so this is not a bundle" in said
    assert "the stream's server did not start, and said why above" in said
