"""The load generator, a process of its own: `python -m tasks.gates.generator` with a plan as JSON on standard input.

Requests arrive at times fixed beforehand (a Poisson process whose rate follows the phases), whatever the server does, and a
latency counts from the moment at which the request was due: so a server that stalls is charged for every request that would
have come meanwhile (Tene, "How NOT to Measure Latency": coordinated omission). Locust's users and HTTP client send them.

On standard output comes a line of JSON for every request: phase, when it was due, latency, delay of this generator, status.
"""

from __future__ import annotations

import json
import random
import sys
import time
from collections.abc import Iterator
from typing import Any

import gevent
from locust import FastHttpUser, task
from locust.env import Environment

USERS = 128


def arrivals(phases: list[dict[str, Any]], seed: int = 0) -> Iterator[tuple[str, float]]:
    """Phase and due time in seconds of every request, by thinning (Lewis and Shedler, 1979).

    A phase goes from rate `first` to rate `last` in `seconds`, in a straight line.

    >>> sum(1 for _ in arrivals([{"phase": "soak", "first": 100, "last": 100, "seconds": 10}]))
    989
    """
    dice, begin = random.Random(seed), 0.0
    for phase in phases:
        highest, at = max(phase["first"], phase["last"]), 0.0
        while (at := at + dice.expovariate(highest)) < phase["seconds"]:
            rate = phase["first"] + (phase["last"] - phase["first"]) * at / phase["seconds"]
            if dice.random() * highest < rate:
                yield phase["phase"], begin + at
        begin += phase["seconds"]


def main() -> int:
    """Send what the plan says, print what came of it."""
    plan = json.load(sys.stdin)
    due, bodies = arrivals(plan["phases"]), [json.dumps(body) for body in plan["bodies"]]
    results: list[tuple[str, float, float, float, int]] = []
    headers = {**plan["headers"], "content-type": "application/json"}
    began = time.perf_counter() + 1.0  # until then every user is up

    class Client(FastHttpUser):
        host = plan["address"]
        network_timeout = connection_timeout = 30.0

        @task
        def send_until_the_end(self) -> None:
            for phase, at in due:
                gevent.sleep(max(0.0, began + at - time.perf_counter()))
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
    gevent.sleep(began + end - time.perf_counter())
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
