"""The load generator, a process of its own: `python -m tasks.gates.generator` with a plan as JSON on standard input.

Requests arrive at times fixed beforehand (a Poisson process whose rate follows the phases), whatever the server does, and a
latency counts from the moment at which the request was due: so a server that stalls is charged for every request that would
have come meanwhile (Tene, "How NOT to Measure Latency": coordinated omission). Locust's users and HTTP client send them.

SIGTERM ends it early: what was sent is still waited for. On
standard output comes a line of JSON for every request: phase, when it was due, latency, delay of this generator, status.
"""

from __future__ import annotations

import json
import signal
import sys
import time

import gevent
import gevent.event
from locust import FastHttpUser, task
from locust.env import Environment

from tasks.gates.arrivals import arrivals

USERS = 128


def main() -> int:
    """Send what the plan says, print what came of it."""
    plan = json.load(sys.stdin)
    due, bodies = arrivals(plan["phases"]), [json.dumps(body) for body in plan["bodies"]]
    results: list[tuple[str, float, float, float, int]] = []
    headers = {**plan["headers"], "content-type": "application/json"}
    began = time.perf_counter() + 1.0  # until then every user is up
    ended = gevent.event.Event()
    gevent.signal_handler(signal.SIGTERM, ended.set)

    class Client(FastHttpUser):
        host = plan["address"]
        network_timeout = connection_timeout = 30.0

        @task
        def send_until_the_end(self) -> None:
            for phase, at in due:
                if ended.wait(max(0.0, began + at - time.perf_counter())):
                    break
                sent = time.perf_counter() - began
                body = bodies[len(results) % len(bodies)]
                with self.client.post(plan["path"], data=body, headers=headers, catch_response=True) as answer:
                    status = answer.status_code
                    answer.success()
                results.append((phase, round(at, 4), time.perf_counter() - began - at, sent - at, status))
            gevent.sleep(3600)  # stopped by main, once everybody is done

    runner = Environment(user_classes=[Client]).create_local_runner()
    runner.start(USERS, spawn_rate=USERS)
    end = sum(phase["seconds"] for phase in plan["phases"])
    ended.wait(began + end - time.perf_counter())
    deadline, seen = time.perf_counter() + 30, -1
    while len(results) != seen and time.perf_counter() < deadline:  # what was sent is waited for
        seen = len(results)
        gevent.sleep(0.5)
    runner.quit()
    for result in results:
        print(json.dumps(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
