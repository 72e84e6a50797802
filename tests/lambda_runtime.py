"""Lambda's runtime API on this machine, as a function sees it: it asks for the next event, and posts what it answers.

Only what the API's document says of the runtime's side
(https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html): next, response, and errors of an event or of the start. The
client that speaks it is AWS's own, `awslambdaric`.
"""

import json
import os
import queue
import subprocess
import sys
import threading
import time
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
SECONDS = 30


class Api:
    """The API's server; `known` is what a function's environment says of it."""

    def __init__(self):
        self.events, self.answers, self.waiting = queue.Queue(), queue.Queue(), threading.Event()
        runtime = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version, wbufsize = "HTTP/1.1", 65536  # one packet an answer, or the client waits for the next one

            def do_GET(self):
                runtime.waiting.set()
                event = runtime.events.get()
                if event is None:  # the test is over
                    self.close_connection = True
                    return
                more = {
                    "Lambda-Runtime-Aws-Request-Id": uuid.uuid4().hex,
                    "Lambda-Runtime-Deadline-Ms": str(int(time.time() * 1000) + 30_000),
                    # The client dies without these two.
                    "Content-Type": "application/json",
                    "Lambda-Runtime-Trace-Id": "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=1",
                    "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:us-east-1:1:function:asked",
                }
                self.reply(200, json.dumps(event).encode(), more)

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                what = "start" if self.path.endswith("/init/error") else self.path.rpartition("/")[2]
                runtime.waiting.clear()
                self.reply(202, b"{}", {})
                runtime.answers.put((what, body))

            def reply(self, status, body, headers):
                self.send_response(status)
                for name, value in {"content-length": str(len(body)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        address = f"127.0.0.1:{self.server.server_port}"
        self.known = {"AWS_LAMBDA_RUNTIME_API": address, "AWS_LAMBDA_FUNCTION_NAME": "asked"}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.events.put(None)
        self.server.shutdown()
        self.server.server_close()

    def ask(self, event):
        """What the function answers to an event, or the error that it raised: `("response" or "error", body)`."""
        self.events.put(event)
        return self.answers.get(timeout=SECONDS)


class Runtime(Api):
    """The same, and one process of a function that asks it."""

    def __init__(self, handler="serving.function.handler", python=sys.executable, cwd=PROJECT, **environment):
        super().__init__()
        self.began = time.perf_counter()
        self.process = subprocess.Popen(
            [python, "-m", "awslambdaric", handler],
            cwd=cwd,
            env={**os.environ, **self.known, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        super().__exit__()

    def is_ready(self):
        """Seconds from the process's start until it asked for its first event."""
        assert self.waiting.wait(SECONDS), self.process.communicate()[0]
        return time.perf_counter() - self.began
