"""A rollout with real servers, from its first stage to its end, for the better and for the worse."""

import os
import threading
import time
from pathlib import Path

import httpx
import pytest
from ruamel.yaml import YAML

from configs.load import load_use_case
from configs.settings import PROJECT
from tests.integration.conftest import pause_schedules

STAGES = [{"shadow": {"for": "1 second"}}, {"canary": {"share": 0.3, "for": "1 second"}}, {"ab": {"for": "1 second"}}]
CHECKS = [{"measure": "errors", "margin": 0.05, "required": True}, {"measure": "loss", "margin": 0.05}]
NAME = "rolled"


@pytest.fixture(scope="module")
def rolled(served, tmp_path_factory):
    """The home, where version 1 of a use case serves and version 2 is registered."""
    folder, yaml = tmp_path_factory.mktemp("use_cases"), YAML(typ="safe")
    content = yaml.load((PROJECT / "configs" / "loans.yaml").read_text())
    content |= {
        "name": NAME,
        "rollout": {"stages": STAGES, "checks": CHECKS, "min_requests": 50, "late": "5 seconds", "patience": 1000},
    }
    content["deploy"] = {"platform": "local"}  # whose servers are up in a moment: stages last a second here
    content.pop("gates", None)  # the load of a minute is another test's
    yaml.dump(content, folder / f"{NAME}.yaml")
    assert served.record, "read while its use case is there"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SLIPWAY_USE_CASES", str(folder))
        served.environment["SLIPWAY_USE_CASES"] = str(folder)
        served.run("release", NAME)
        pause_schedules()
        yield served, served.in_flow(another)
        served.told("retire", NAME, "--yes", status=0)
    served.environment.pop("SLIPWAY_USE_CASES")


def another():
    """Version 2: another seed, so nearly as good."""
    from flows.chain import build

    case = load_use_case(NAME)
    return build(case.model_copy(update={"model": case.model.model_copy(update={"seed": 1})}), None).version.version


def looked(home, version=None):
    """What a look says; with a version it begins the rollout first."""
    from flows.rollout import rollout

    with home.connected():
        return rollout(NAME, version, "a test")


def looked_until(home, said):
    """Look again until this is said: how soon a check is decided is up to chance."""
    deadline = time.monotonic() + 90
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
    """Requests through the gateway for as long as it is entered; each answer's id, and whatever was none."""

    def __init__(self, record):
        self.record, self.ids, self.failed, self.over = record, [], [], threading.Event()

    def __enter__(self):
        from tasks.routing.gateway import address

        self.threads = [threading.Thread(target=self.ask, args=(f"{address(NAME)}/predict",)) for _ in range(4)]
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
                answer = client.post(url, json={"records": [self.record]})
                if answer.status_code == 200:
                    self.ids.append(answer.json()["predictions"][0]["prediction_id"])
                else:
                    self.failed.append(answer.text)
                time.sleep(0.004)

    def more(self, count):
        """Wait until so many more were answered."""
        wanted = len(self.ids) + count
        while len(self.ids) < wanted:
            time.sleep(0.02)


def exposures(stage):
    from tasks.data.frames import contract_of
    from tasks.log.exposures import read_exposures

    state = standing()
    return read_exposures(NAME, f"{state.id}.{stage}", contract_of(state.challenger.tags["contract"]))


def test_a_challenger_as_good_comes_to_serve_and_nobody_notices(rolled):
    home, version = rolled
    with Clients(home.record) as clients:
        assert "stage 1 of 3 (shadow), progressing" in looked(home, version)
        assert "is being rolled out (stage 1)" in home.told("deploy", NAME)
        clients.more(200)
        looked_until(home, "stage 2 of 3 (canary), progressing")
        clients.more(400)
        looked_until(home, "stage 3 of 3 (ab), progressing")
        clients.more(400)
        looked_until(home, "succeeded")
        clients.more(50)
        assert serving() == version
    assert not clients.failed
    canary = exposures(2).groupby("assigned").size()
    assert canary.keys().tolist() == ["baseline", "challenger", "champion"]
    assert (exposures(2)["fallback"] == "").all()
    from tasks.deploying.reconcile import releases

    assert [each.version for each in releases(NAME)] == [version], "champion and baseline of before are gone"
    assert f"{standing().id}.html" in home.told("rollout", NAME, status=0), "a page shows how it came about"
    moves = [each["move"] for each in history()]
    assert moves == ["begin", "next", "next", "next", "succeeded"]


def history():
    from tasks.history import read_history

    return [each for each in read_history(NAME, "rollout") if each["rollout"] == standing().id]


def test_one_that_is_worse_goes_back_at_the_next_look(rolled):
    home, version = rolled
    before = serving()
    with Clients(home.record) as clients:
        looked(home, other(version))
        clients.more(100)
        looked_until(home, "stage 2 of 3")
        clients.more(800)
        found = exposures(2)
        right = found["prediction"].where(found["assigned"] != "challenger", found["prediction"].map(wrong))
        label(list(zip(found["prediction_id"], right, strict=True)))
        assert "loss: " in looked_until(home, "failed")
        clients.more(50)
    assert not clients.failed
    assert serving() == before
    assert standing().look.worse[0].check == "loss"
    refused = f"version {other(version)} of 'rolled' is in quarantine"
    assert refused in home.told("rollout", NAME, "start", "--version", other(version), status=2)
    assert refused in home.told("deploy", NAME, "--version", other(version), status=2)
    home.told("quarantine", NAME, "--version", other(version), "--lift", "--reason", "labels were swapped", status=0)
    assert not set(clients.ids[-20:]) & set(exposures(2)["prediction_id"]), "nobody meets it any more"


def other(version):
    return "1" if serving() == version else version


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


def test_people_pause_abort_and_roll_back(rolled):
    home, version = rolled
    before, next_one = serving(), other(version)
    looked(home, next_one)
    assert "needs a reason" in home.told("rollout", NAME, "pause")
    home.told("rollout", NAME, "pause", "--reason", "a holiday", status=0)
    assert "a holiday" in looked(home)
    assert "a holiday" in home.told("rollout", NAME, status=0)
    assert "is not waiting for an approval" in home.told("rollout", NAME, "approve", "--reason", "fine")
    home.told("rollout", NAME, "resume", "--reason", "back", status=0)
    home.told("rollout", NAME, "abort", "--reason", "the desk", status=0)
    assert (standing().phase, serving()) == ("failed", before)
    assert "no rollout of 'rolled' is under way" in home.told("rollout", NAME, "abort", "--reason", "again")

    looked(home, next_one)
    told = home.told("rollback", NAME, status=0)
    assert f"Version {next_one}, which was being rolled out, gets no request any more" in told
    assert (standing().phase, serving()) == ("failed", before)
    assert "no rollout is under way" in looked(home)


def test_a_person_answers_in_prefects_form(rolled):
    from prefect.client.orchestration import get_client
    from prefect.flow_runs import resume_flow_run

    home, version = rolled
    before = serving()
    declare(stages=[{"approval": {"within": "1 day"}}, {"canary": {"share": 1.0, "for": "1 second"}}])
    assert "waiting: an approval; within 1 day" in looked(home, other(version))
    assert "waiting" in looked(home), "a second look opens no second form"
    with home.connected(), get_client(sync_client=True) as client:
        run = wait_for_form(client)
        assert [each.key for each in inputs(client, run) if "description" in each.key]
        resume_flow_run(run.id, run_input={"decision": "reject", "comment": "not before the audit"})
        deadline = time.monotonic() + 90
        while not client.read_flow_run(run.id).state.is_final():
            assert time.monotonic() < deadline
            time.sleep(0.2)
        assert client.read_flow_run(run.id).state.is_completed()
        assert inputs(client, run) == [], "nothing that was typed stays with Prefect"
    assert standing().phase == "failed"
    assert standing().outcome.endswith("said reject: not before the audit")
    assert serving() == before
    declare(stages=STAGES)


def declare(**changed):
    """Change what the use case says of its rollouts."""
    path = Path(os.environ["SLIPWAY_USE_CASES"]) / f"{NAME}.yaml"
    yaml = YAML(typ="safe")
    content = yaml.load(path.read_text())
    content["rollout"] |= changed
    yaml.dump(content, path)


def wait_for_form(client):
    """The one run of `approval` that is suspended."""
    from tasks.rollouts.approve import open_forms

    deadline = time.monotonic() + 90
    while not (found := [run for run in open_forms(client, NAME) if run.state.name == "Suspended"]):
        assert time.monotonic() < deadline, [run.state for run in open_forms(client, NAME)]
        time.sleep(0.2)
    (run,) = open_forms(client, NAME)
    assert [run] == found
    return run


def inputs(client, run):
    return client.filter_flow_run_input(run.id, "", limit=200, exclude_keys=set())


def test_what_is_kept_warm_serves_again_without_a_start(rolled):
    from tasks.routing.served import serving as served_now

    home, version = rolled
    before = served_now(NAME)
    warm = processes(before.release)
    declare(stages=[{"blue_green": {"warm": "1 day"}}])
    with Clients(home.record) as clients:
        assert f"version {before.version.version} stays warm for" in looked(home, other(version))
        assert serving() != before.version.version
        clients.more(50)
        began = time.perf_counter()
        home.told("rollback", NAME, status=0)
        print(f"rolled back in {time.perf_counter() - began:.2f} s, drained and tidied")
        clients.more(50)
    assert not clients.failed
    assert serving() == before.version.version
    assert processes(before.release) == warm != set(), "the very processes of before"
    declare(stages=STAGES)


def test_a_crash_loop_goes_back_without_a_look(rolled):
    home, version = rolled
    before, next_one = serving(), other(version)
    with Clients(home.record) as clients:
        assert "stage 1 of 3" in looked(home, next_one)
        killed, deadline = set(), time.monotonic() + 60
        while standing().phase != "failed" and time.monotonic() < deadline:
            killed |= killed_anew(standing().release, killed)
            time.sleep(0.05)
        clients.more(50)
    assert not clients.failed
    assert "the guard rails: a crash loop: its servers ended" in standing().outcome
    assert serving() == before
    assert f"version {next_one} of 'rolled' is in quarantine" in home.told("rollout", NAME, "start", "--version", next_one)


def killed_anew(release, killed):
    """Kill what runs of a release and was not killed before."""
    found = processes(release)
    for process in found - killed:
        process.kill()
    return found - killed


def processes(release):
    from configs.settings import use_case_home
    from tasks.deploying.platforms.supervisor import read_status

    return {each.process for each in read_status(use_case_home(NAME) / "releases" / release.name) if each.process}
