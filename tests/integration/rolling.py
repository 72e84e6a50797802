"""What tests of rollouts share: clients that never stop, looks, and where the rollout stands; `rolled` is in conftest.py."""

import os
import threading
import time
import uuid
from pathlib import Path

import httpx
from ruamel.yaml import YAML

from configs.load import load_use_case

STAGES = [{"shadow": {"for": "1 second"}}, {"canary": {"share": 0.3, "for": "1 second"}}, {"ab": {"for": "1 second"}}]
CHECKS = [{"measure": "errors", "margin": 0.05, "required": True}, {"measure": "loss", "margin": 0.05}]
LONG = [STAGES[0], {"canary": {"share": 0.3, "for": "1 hour"}}, {"canary": {"share": 0.5, "for": "1 hour"}}]
ROLLOUT = {"stages": STAGES, "checks": CHECKS, "min_requests": 50, "late": "5 seconds", "patience": 1000}
NAME = "rolled"
CLIENTS = 4


def another(seed=1):
    """One more version: another seed, so nearly as good."""
    from flows.chain import build

    case = load_use_case(NAME)
    return build(case.model_copy(update={"model": case.model.model_copy(update={"seed": seed})}), None).version.version


def declare(**changed):
    """Change what the use case says of its rollouts."""
    path = Path(os.environ["SLIPWAY_USE_CASES"]) / f"{NAME}.yaml"
    yaml = YAML(typ="safe")
    content = yaml.load(path.read_text())
    content["rollout"] |= changed
    yaml.dump(content, path)


def end_what_is_left(home):
    """Nothing is under way, no version is in quarantine, and the use case declares what it did at first."""
    from tasks.quarantine import let_out, quarantined
    from tasks.rollouts.state import under_way

    if under_way(NAME):
        home.told("rollout", NAME, "abort", "--reason", "the test is over", status=0)
    for number in range(1, 10):
        if quarantined(NAME, str(number)):
            let_out(NAME, str(number), "the test is over", "a test")
    declare(**ROLLOUT)


def other(version):
    """Of the two newest versions, of which this is the last, the one that does not serve."""
    return str(int(version) - 1) if serving() == version else version


def looked(home, version=None, *others):
    """What a look says; with a version, or several, it begins the rollout first."""
    from flows.rollout import rollout

    with home.connected():
        return rollout(NAME, version, "a test", list(others) or None)


def looked_until(home, said):
    """Look again until this is said: how soon a check is decided is up to chance."""
    deadline = time.monotonic() + 180
    while said not in (line := looked(home)):
        assert time.monotonic() < deadline, f"{line}: {standing()}"
        time.sleep(0.5)
    return line


def standing():
    from tasks.rollouts.state import last_rollout

    return last_rollout(NAME)


def serving():
    from tasks.routing.served import serving

    return serving(NAME).version.version


class Clients:
    """Requests through the gateway for as long as it is entered; each answer's id, and whatever was none.

    A request keeps its id and is sent again until it is answered. One whose connection was refused, or that a gateway which
    has read no route yet sent away, was held by nobody, and has not failed.
    """

    def __init__(self, record):
        self.record, self.ids, self.failed, self.sent, self.over = record, [], [], {}, threading.Event()

    def __enter__(self):
        from tasks.routing.gateway import address

        self.threads = [threading.Thread(target=self.ask, args=(f"{address(NAME)}/predict",)) for _ in range(CLIENTS)]
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        for thread in self.threads:
            thread.join()

    def ask(self, url):
        with httpx.Client(timeout=30) as client:
            while not self.over.is_set():
                name = uuid.uuid4().hex
                self.sent[name] = time.monotonic()
                while not self.is_answered(client, url, name) and not self.over.is_set():
                    time.sleep(0.05)
                time.sleep(0.004)

    def is_answered(self, client, url, name):
        try:
            answer = client.post(url, json={"records": [self.record], "prediction_ids": [name]})
        except httpx.ConnectError:
            return False
        except httpx.TransportError as error:
            self.failed.append(repr(error))
            return False
        if answer.text == "404 page not found\n":  # a gateway that has just begun, and has read no route yet
            return False
        if answer.status_code != 200:
            self.failed.append(answer.text)
            return False
        self.ids.append(answer.json()["predictions"][0]["prediction_id"])
        return True

    def more(self, count):
        """Wait until so many more were answered."""
        wanted = len(self.ids) + count
        while len(self.ids) < wanted:
            time.sleep(0.02)

    def since(self, moment):
        """The ids of requests that were sent after the moment, and are answered by now."""
        return [name for name in list(self.ids) if self.sent[name] >= moment]


def exposures(stage):
    from tasks.data.frames import contract_of
    from tasks.log.exposures import read_exposures

    state = standing()
    return read_exposures(NAME, f"{state.id}.{stage}", contract_of(state.challenger.tags["contract"]))


def wrong(answer):
    return {"1": "0", "0": "1", "true": "false", "false": "true"}[answer]


def label(rows):
    from tasks.routing.gateway import address

    case = load_use_case(NAME)
    from serving.contract.heads.choose import head_of
    from tasks.data.frames import contract_of

    head = head_of(contract_of(standing().challenger.tags["contract"]))
    body = {"labels": [{"prediction_id": name, "label": head.label_of(value)} for name, value in rows]}
    answer = httpx.post(f"{address(case.name)}/feedback", json=body, timeout=60)
    assert answer.status_code == 200, answer.text
