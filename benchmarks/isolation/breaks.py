"""Ways to break one use case: each is a context in which it is broken. None may be felt by another one."""

from __future__ import annotations

import contextlib
import fcntl
import json
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import httpx

from benchmarks.isolation.home import flow, record, rewrite, use_case_text
from configs.load import use_case_file
from configs.settings import home, made, prediction_log, store, use_case_home
from tasks.deploying.platforms.supervisor import read_status
from tasks.deploying.reconcile import releases
from tasks.log.windows import closed_windows
from tasks.routing import gateway, traffic

Break = Callable[[str], AbstractContextManager[None]]


@contextlib.contextmanager
def replaced(path: Path, content: bytes | None) -> Iterator[None]:
    """A file with other content, or gone, for as long as the block lasts."""
    before = path.read_bytes() if path.exists() else None
    _put(path, content)
    try:
        yield
    finally:
        _put(path, before)


def _put(path: Path, content: bytes | None) -> None:
    if content is None:
        path.unlink(missing_ok=True)
    else:
        path.write_bytes(content)


@contextlib.contextmanager
def a_gate_closes_on_its_first_release(name: str) -> Iterator[None]:
    """A new use case that never comes to serve."""
    new = f"{name}-new"
    text = use_case_text(new).replace("at_least: 0.6", "at_least: 0.6}, {metric: accuracy, at_least: 0.999")
    use_case_file(new).write_text(text)
    try:
        assert flow("release", new) is None, "a gate that cannot be passed was passed"
        yield
    finally:
        use_case_file(new).unlink()


@contextlib.contextmanager
def it_does_not_start(name: str) -> Iterator[None]:
    """A new use case whose release gets as far as its servers, which are not let in: its load gate closes."""
    new = f"{name}-slow"
    use_case_file(new).write_text(
        use_case_text(new) + "gates: {load: {rate: 50, p99: 0.001, soak: 1 second, ramp: 1 second}}\n"
    )
    try:
        assert flow("release", new) is None, "a gate that cannot be passed was passed"
        yield
    finally:
        use_case_file(new).unlink()


def its_route_is_empty(name: str) -> AbstractContextManager[None]:
    """The file is there and has nothing in it."""
    return replaced(traffic.plan_file(name), b"")


def its_route_is_cut_off(name: str) -> AbstractContextManager[None]:
    """Half of the file."""
    content = traffic.plan_file(name).read_bytes()
    return replaced(traffic.plan_file(name), content[: len(content) // 2])


def its_route_has_no_router(name: str) -> AbstractContextManager[None]:
    """What Traefik calls a standalone element."""
    return replaced(traffic.plan_file(name), b'{"http": {"routers": {}, "services": {}}}')


def a_route_of_nobody(name: str) -> AbstractContextManager[None]:
    """What a use case left behind that was removed, in a form that is none."""
    return replaced(traffic.plan_file(f"{name}-gone"), b'{"http": {"routers": {"x": {"rule": "Nonsense("}}}}')


def its_history_is_torn(name: str) -> AbstractContextManager[None]:
    """A write was cut short."""
    path = use_case_home(name) / "history.jsonl"
    return replaced(path, path.read_bytes() + b'{"time": "2026-')


def its_yaml_is_broken(name: str) -> AbstractContextManager[None]:
    """Somebody saved the file in the middle of an edit."""
    return replaced(use_case_file(name), b"name: [")


def its_yaml_is_gone(name: str) -> AbstractContextManager[None]:
    """Somebody removed it."""
    return replaced(use_case_file(name), None)


@contextlib.contextmanager
def its_bundle_was_changed(name: str) -> Iterator[None]:
    """One byte of the model that serves."""
    (release,) = releases(name)
    path = store("bundles") / release.bundle / "model.onnx"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    with replaced(path, bytes(content)):
        yield


@contextlib.contextmanager
def its_log_cannot_be_written(name: str) -> Iterator[None]:
    """The folder is a file."""
    folder = prediction_log(name)
    aside = folder.with_name("predictions-aside")
    shutil.move(folder, aside)
    folder.write_text("no folder")
    try:
        yield
    finally:
        folder.unlink()
        shutil.move(aside, folder)


@contextlib.contextmanager
def its_servers_are_killed(name: str) -> Iterator[None]:
    """Every process of its release, with SIGKILL, while the others work."""
    for release in releases(name):
        for each in read_status(use_case_home(name) / "releases" / release.name):
            if each.process is not None:
                each.process.send_signal(signal.SIGKILL)
    yield


@contextlib.contextmanager
def it_is_flooded(name: str) -> Iterator[None]:
    """Far more requests than it can answer, from one connection after another; each has a thousand rows."""
    body = json.dumps({"records": [record()] * 1000})
    code = (
        "import sys, urllib.request, itertools\n"
        "url, body = sys.argv[1], sys.stdin.buffer.read()\n"
        "for _ in itertools.repeat(None, 3000):\n"
        "    request = urllib.request.Request(url, body, {'content-type': 'application/json'})\n"
        "    try: urllib.request.urlopen(request, timeout=10).read()\n"
        "    except OSError: pass\n"
    )
    url, flood = f"{gateway.address(name)}/predict", []
    for _ in range(4):
        process = subprocess.Popen(
            ["nice", sys.executable, "-c", code, url], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL
        )
        assert process.stdin
        process.stdin.write(body.encode())
        process.stdin.close()
        flood.append(process)
    try:
        yield
    finally:
        for process in flood:
            process.kill()
            process.wait()


@contextlib.contextmanager
def an_event_of_1970(name: str) -> Iterator[None]:
    """One client whose clock was never set."""
    body = {"records": [record()], "event_time": "1970-01-01T00:00:00Z"}
    httpx.post(f"{gateway.address(name)}/predict", json=body, timeout=30)
    assert len(closed_windows(rewrite(name, window="1 day"))) < 1000
    yield


@contextlib.contextmanager
def its_lock_is_held(name: str) -> Iterator[None]:
    """A run of it hangs."""
    with open(use_case_home(name) / "lock", "a+", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def its_keys_are_no_keys(name: str) -> AbstractContextManager[None]:
    """The key file was written by hand."""
    return replaced(use_case_home(name) / "keys" / "keys.json", b"{")


@contextlib.contextmanager
def its_finding_is_no_finding(name: str) -> Iterator[None]:
    """A file in its monitoring folder that is something else."""
    with replaced(made(use_case_home(name) / "monitoring") / "rows-0-999999.json", b"{}"):
        yield


@contextlib.contextmanager
def its_table_is_gone(name: str) -> Iterator[None]:
    """The source cannot be read."""
    text = use_case_file(name).read_text()
    with replaced(use_case_file(name), text.replace("loanapp.csv.bz2", "nothing.csv").encode()):
        yield


@contextlib.contextmanager
def nobody_hears_its_alarms(name: str) -> Iterator[None]:
    """Its channel is dead."""
    notify = "  notify: [{by: slack, url: SLIPWAY_DEAD_HOOK}]\n"
    text = use_case_file(name).read_text().replace("monitoring:\n", f"monitoring:\n{notify}")
    with replaced(use_case_file(name), text.encode()):
        flow("monitor", name)
        yield


@contextlib.contextmanager
def its_champion_is_gone(name: str) -> Iterator[None]:
    """Somebody deleted the alias in the registry."""
    with sqlite3.connect(home() / "mlflow" / "mlflow.db", timeout=30) as registry:
        kept = registry.execute(
            "select * from registered_model_aliases where name = ? and alias = 'champion'", (name,)
        ).fetchone()
        registry.execute("delete from registered_model_aliases where name = ? and alias = 'champion'", (name,))
    try:
        yield
    finally:
        with sqlite3.connect(home() / "mlflow" / "mlflow.db", timeout=30) as registry:
            places = ", ".join("?" * len(kept))  # it may have come back by itself, which is right too
            registry.execute(f"insert or ignore into registered_model_aliases values ({places})", kept)


BREAKS: dict[str, Break] = {
    breaking.__name__.replace("_", " "): breaking
    for breaking in (
        a_gate_closes_on_its_first_release,
        it_does_not_start,
        its_route_is_empty,
        its_route_is_cut_off,
        its_route_has_no_router,
        a_route_of_nobody,
        its_history_is_torn,
        its_yaml_is_broken,
        its_yaml_is_gone,
        its_bundle_was_changed,
        its_log_cannot_be_written,
        its_servers_are_killed,
        it_is_flooded,
        an_event_of_1970,
        its_lock_is_held,
        its_keys_are_no_keys,
        its_finding_is_no_finding,
        its_table_is_gone,
        nobody_hears_its_alarms,
        its_champion_is_gone,
    )
}
