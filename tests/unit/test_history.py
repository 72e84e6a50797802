"""The history with lines that a crash tore, writes that end short, and many writers."""

import json
import os
import subprocess
import sys

import pytest

from configs.settings import PROJECT, use_case_home
from tasks.history import read_history, record


@pytest.fixture
def path(home):
    return use_case_home("small") / "history.jsonl"


def reasons():
    return [entry["reason"] for entry in read_history("small")]


def test_an_entry_names_the_flow_run_that_made_it(path, monkeypatch):
    from prefect.runtime import flow_run

    record("small", "deploy", "by hand")
    monkeypatch.setattr(flow_run, "get_name", lambda: "release-small")
    record("small", "deploy", "by a flow")
    assert [entry["flow_run"] for entry in read_history("small")] == ["", "release-small"]


@pytest.mark.parametrize("cut", [1, 20, -1])
def test_a_torn_end_is_left_out_and_told_and_the_next_entry_is_whole(path, caplog, cut):
    record("small", "deploy", "first")
    whole = path.read_bytes()
    record("small", "deploy", "second")
    path.write_bytes(whole + path.read_bytes()[len(whole) :][:-1][:cut])
    assert reasons() == ["first"]
    assert "history.jsonl:2: no entry" in caplog.text
    record("small", "deploy", "third")
    assert "cut off by a crash" in caplog.text
    assert reasons() == ["first", "third"]


@pytest.mark.parametrize(
    "line", [b'{"time": "2026-01-01T0{"time": "x"}', b"\xff\xfe", b"null", b"[]", b"", b'{"what": "deploy"}']
)
def test_a_damaged_line_in_the_middle_stops_nobody(path, line):
    record("small", "deploy", "first")
    path.write_bytes(path.read_bytes() + line + b"\n")
    record("small", "deploy", "second")
    assert reasons() == ["first", "second"]


def test_a_short_write_is_written_on_and_a_failing_one_taken_back(path, monkeypatch):
    record("small", "deploy", "first")
    real = os.write
    monkeypatch.setattr(os, "write", lambda file, content: real(file, content[:7]))
    record("small", "deploy", "second")
    assert reasons() == ["first", "second"]

    def full(file, content):
        if len(content) < 40:
            raise OSError(28, "No space left on device")
        return real(file, content[:7])

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OSError, match="No space"):
        record("small", "deploy", "third")
    assert reasons() == ["first", "second"]


def test_entries_of_many_processes_are_all_there(path):
    program = "import sys; from configs.files import append_line; from pathlib import Path\n" + (
        'for n in range(200): append_line(Path(sys.argv[1]), b\'{"time": "", "what": "x", "reason": "%d"}\' % n)'
    )
    running = [subprocess.Popen([sys.executable, "-c", program, str(path)], cwd=PROJECT) for _ in range(4)]
    assert [process.wait(60) for process in running] == [0] * 4
    lines = [json.loads(line)["reason"] for line in path.read_text().splitlines()]
    assert sorted(lines) == sorted([str(n) for n in range(200)] * 4)
