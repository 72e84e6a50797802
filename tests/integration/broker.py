"""A NATS server with JetStream that can be killed and comes back with what it kept, and a stream's server beside it."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import time

import nats

from configs.settings import PROJECT
from tasks.deploying.platforms.ports import free_port

NATS = shutil.which("nats-server", path=f"{os.path.dirname(sys.executable)}:{os.environ['PATH']}")


class Broker:
    """The server on a free port; its streams lie in the folder."""

    def __init__(self, folder, *words):
        self.folder, self.port, self.words = folder, free_port(), words or ("-js",)
        self.url = f"nats://127.0.0.1:{self.port}"
        self.start()

    def start(self):
        command = [NATS, "-a", "127.0.0.1", "-p", str(self.port), "-sd", str(self.folder), *self.words]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            try:
                asyncio.run(self._greet())
                return
            except (OSError, nats.errors.Error, TimeoutError):
                time.sleep(0.05)
        raise AssertionError("nats-server did not come up")

    async def _greet(self):
        client = await nats.connect(self.url, allow_reconnect=False, connect_timeout=1, error_cb=quiet)
        await client.close()

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


class StreamServer:
    """`python -m serving.stream`, whose output goes to a file; started again after it was killed."""

    def __init__(self, bundle, log, *words):
        self.command = [sys.executable, "-m", "serving.stream", "--stream", "ASKED", "--consumer", "small", *words]
        self.environment = {
            **os.environ,
            "SLIPWAY_BUNDLE": str(bundle),
            "SLIPWAY_LOG": str(log),
            "SLIPWAY_LOG_PEPPER": "the tests' own",
        }
        self.output = log.parent / "stream.log"
        self.start()

    def start(self):
        with self.output.open("ab") as file:
            self.process = subprocess.Popen(self.command, cwd=PROJECT, env=self.environment, stdout=file, stderr=file)

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def end(self):
        self.process.terminate()
        return self.process.wait(20)


async def quiet(_):
    pass
