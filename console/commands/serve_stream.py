"""`slipway serve-stream`: the messages of a use case's stream, answered by what serves, for as long as this command runs."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console

from configs.errors import InputError
from configs.load import load_use_case
from configs.schema import UseCase
from configs.secrets import filled, secret
from configs.settings import use_case_home
from tasks.deploying.settings import handed_over
from tasks.packaging.signing_keys import public_key
from tasks.packaging.values import BundleRef
from tasks.routing.served import Served, serving
from tasks.routing.splitting import plan_path

LOOK_SECONDS = 1.0
LONGEST_PAUSE = 30.0
GRACE_SECONDS = 30.0


def serve_stream(name: str, metrics_port: int, screen: Console) -> None:
    """Serve until SIGTERM or Ctrl-C; the server is started again where it died, and anew where another release serves.

    Raises:
        InputError: the use case has no stream, nothing serves, or the broker cannot be used as asked.
    """
    case = load_use_case(name)
    if case.stream is None:
        raise InputError(f"use case {case.name!r} has no stream; write 'stream: {{server: nats://..., stream: ...}}'")
    pause, first = LOOK_SECONDS, True
    while True:
        served = serving(case.name)
        if served is None:
            raise InputError(f"nothing of {case.name!r} serves; 'slipway release {case.name}' makes and deploys a version")
        screen.print(f"Version {served.version.version} of {case.name} answers {case.stream.stream} of {case.stream.server}")
        began = time.monotonic()
        status = _serve(case, served, metrics_port)
        if status == 2 and first:
            raise InputError("the stream's server did not start, and said why above")
        first = False
        if status:
            screen.print(f"Its server ended with {status}, and is started again in {pause:g} s", style="yellow")
            time.sleep(pause)
            pause = LOOK_SECONDS if time.monotonic() - began > 60 else min(2 * pause, LONGEST_PAUSE)


def _serve(case: UseCase, served: Served, metrics_port: int) -> int:
    """Run the server until it ends by itself (its status), or until something else serves (0)."""
    with tempfile.TemporaryDirectory() as folder:
        command = [*_command(case, Path(folder)), "--metrics-port", str(metrics_port)]
        process = subprocess.Popen(command, env={**os.environ, **_environment(case, served)})
        try:
            while (status := process.poll()) is None:
                time.sleep(LOOK_SECONDS)
                now = serving(case.name)
                if now is not None and now.release.name != served.release.name:
                    return 0
            return status
        finally:
            process.terminate()
            try:
                process.wait(GRACE_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _command(case: UseCase, folder: Path) -> list[str]:
    stream = case.stream
    assert stream is not None, "asked before"
    command = [sys.executable, "-m", "serving.stream", "--stream", stream.stream, "--consumer", f"slipway-{case.name}"]
    named = {"subject": stream.subject, "answers": stream.answers, "dead": stream.dead}
    command += [word for name, value in named.items() if value for word in (f"--{name}", value)]
    if stream.credentials:
        content = secret(stream.credentials)
        if content is None:
            raise InputError(f"stream.credentials: nobody gave the secret {stream.credentials}")
        path = folder / "nats.creds"
        path.touch(0o600)
        path.write_text(content)
        command += ["--credentials", str(path)]
    return [*command, "--tries", str(stream.tries)]


def _environment(case: UseCase, served: Served) -> dict[str, str]:
    """What a server of the release is started with, and the broker's address, which may hold a password."""
    release = served.release
    assert case.stream is not None, "asked before"
    return {
        **release.settings,
        **handed_over(release),
        "SLIPWAY_BUNDLE": str(BundleRef(digest=release.bundle).path),
        "SLIPWAY_LOG": str(use_case_home(case.name) / release.log),
        "SLIPWAY_MODEL_VERSION": release.version,
        "SLIPWAY_RELEASE": release.name,
        "SLIPWAY_PUBLIC_KEY": str(public_key()),
        "SLIPWAY_TRAFFIC": str(plan_path(release)),
        "SLIPWAY_AUTH": "off",  # the broker decides who publishes
        "SLIPWAY_NATS": filled("stream.server", case.stream.server, encoded=True),
    }
