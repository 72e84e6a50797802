"""The loop on `loans`, command by command, on real services (and the Docker Engine where there is one)."""

import fcntl
import json
import re
import resource
import signal
import time

import httpx
import pandas as pd
import pytest

from configs.load import load_use_case
from configs.settings import use_case_home
from tasks.data.source import replay_rows
from tests.integration.conftest import own_ports
from tests.integration.server import Load, read_until, wait_for


def released(served):
    """The version behind the gateway."""
    from tasks.routing.gateway import address

    return httpx.get(f"{address('loans')}/readyz", timeout=5).raise_for_status().json()


def everything(served):
    """Every file of the home that a use case, a release, the gateway or the registry lives by, and when it was written."""
    files = [path for path in served.folder.rglob("*") if path.is_file() and "prefect" not in path.parts]
    moving = {".log", ".jsonl", ".db-wal", ".db-shm"}
    kept = [p for p in files if (p.suffix not in moving or p.name == "history.jsonl") and p.name != "lock"]
    return {path.relative_to(served.folder): path.stat().st_mtime_ns for path in kept} | {"champion": released(served)}


def entries(served, what):
    from tasks.history import read_history

    return read_history("loans", what)


def test_release_twice_changes_nothing(served):
    before, spent = released(served), resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    output = served.run("release", "loans")
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - spent < 30, "seconds of CPU; on a busy machine they last"
    assert "Trained" not in output
    assert "Gate load" not in output
    assert released(served) == before
    assert len(entries(served, "deploy")) == 1


def test_the_target_is_docker_where_an_engine_answers(served):
    from tasks.containers.engine import engine

    expected = "docker" if engine()[0] else "local"
    assert entries(served, "deploy")[0]["platform"] == expected


def test_lineage_is_whole(served):
    from tasks.registry.versions import champion

    tags = champion("loans").tags
    for name in ("snapshot", "configuration_digest", "git_commit", "lock", "flow_run", "onnx", "parent", "code", "contract"):
        assert name in tags, name
    assert tags["flow_run"]


def test_reproduce_is_equal_and_a_difference_is_told(served):
    version = released(served)["version"]
    assert "equal ONNX bytes" in served.run("reproduce", "loans", version)
    assert "has no version '99'" in served.told("reproduce", "loans", "99")


def test_replay_then_monitor(served):
    assert "failed" not in served.run("replay", "loans", "--rows", "300").replace("0 failed", "")
    from tasks.log.read import open_log
    from tasks.routing import gateway

    with open_log("loans") as log:
        query = "select any_value(prediction_id) from log where kind = 'feedback' and caller = 'replay'"
        ((asked,),) = log.sql(query).fetchall()
    told = {"labels": [{"prediction_id": asked, "kpis": {"minutes": 12.5}}]}
    httpx.post(f"{gateway.address('loans')}/feedback", json=told).raise_for_status()
    output = served.run("monitor", "loans")
    assert "rows-0-299" in output
    from tasks.monitoring.findings import findings

    (finding,) = findings("loans")
    assert finding.rows == 300
    assert finding.performance.labelled == 300
    report = httpx.get(finding.report, timeout=10)
    assert report.status_code == 200
    assert "loanamt" in report.text
    assert "distance over its calibrated bound" in report.text
    assert finding.drift.faults == {}
    kpis = finding.service.kpis
    assert (kpis["minutes"].value, kpis["minutes"].rows, kpis["refused"].value) == (12.5, 1, 0)
    assert 0 < kpis["latency_p50"].value < kpis["latency_p99"].value
    assert finding.performance.lower < finding.performance.value < finding.performance.upper
    assert "No closed window" in served.run("monitor", "loans")
    evidently = re.search(r"Evidently UI\W+(http\S+)", served.run("ui"))[1]
    (project,) = httpx.get(f"{evidently}/api/projects", timeout=10).json()
    asked = {"tags": [], "metadata": {}, "metric": "evidently:metric_v2:ValueDrift", "metric_labels": {"column": "loanamt"}}
    plot = httpx.post(
        f"{evidently}/api/v2/snapshots/{project['id']}/data_series_batch", json={"series_filter": [asked]}, timeout=30
    )
    (line,) = plot.json()["series"]
    assert line["values"] == [pytest.approx(finding.drift.columns["loanamt"].score)]
    assert "'rows-9-10' is not closed; closed: rows-0-299" in served.told("monitor", "loans", "--window", "rows-9-10")


def test_a_monitoring_run_that_stays_away_is_told(served):
    """The trigger of the use case, with ten seconds in place of 26 hours."""
    from prefect.client.orchestration import get_client
    from prefect.events.actions import RunDeployment
    from prefect.events.schemas.automations import AutomationCore, EventTrigger
    from prefect.settings import PREFECT_API_URL, temporary_settings

    from configs.settings import service_address
    from console.pattern import flow_of, rendered

    deployments = rendered(load_use_case("loans"), "slipway", False)["deployments"]
    (trigger,) = next(d for d in deployments if flow_of(d) == "missed")["triggers"]
    rule = {name: trigger[name] for name in ("posture", "match", "after", "expect", "threshold")}
    with temporary_settings({PREFECT_API_URL: f"{service_address('prefect')}/api"}), get_client(sync_client=True) as client:
        missed = client.read_deployment_by_name("missed/loans")
        action = RunDeployment(source="selected", deployment_id=missed.id, parameters=trigger["parameters"])
        soon = AutomationCore(name="soon", trigger=EventTrigger(within=10, **rule), actions=[action])
        automation = client.create_automation(soon)
        try:
            served.run("monitor", "loans")
            assert entries(served, "missed") == []
            told = wait_for(lambda: entries(served, "missed"), "a message that nobody monitored", 90)
        finally:
            client.delete_automation(automation)
    assert "has not come to its end for 26 hours; the last window looked at is rows-0-299" in told[0]["reason"]


def test_replay_goes_on_where_it_stopped(served):
    """Killed in the middle and started again, every row is in the log once."""
    from tasks.log.read import open_log

    query = "select count(*), count(distinct prediction_id) from log where caller = 'replay' and kind = ?"

    def in_the_middle():
        with open_log("loans") as log:
            return log.execute(query, ["prediction"]).fetchone()[1] > 400

    process = served.command("replay", "loans", "--rows", "900", "--rate", "100")
    wait_for(in_the_middle, "the 401st row")
    process.send_signal(signal.SIGKILL)
    process.wait()
    with open_log("loans") as log:
        assert log.execute(query, ["prediction"]).fetchone()[1] < 900
    served.run("replay", "loans", "--rows", "900")
    with open_log("loans") as log:
        rows, distinct = log.execute(query, ["prediction"]).fetchone()
        assert distinct == 900
        assert rows - distinct <= 24  # at most one answer a connection was on its way when the client died
        assert log.execute(query, ["feedback"]).fetchone()[1] == 900


def test_retrain_with_nothing_new_keeps_the_champion(served):
    before = released(served)
    assert "nothing new: the same bundle" in served.run("retrain", "loans")
    assert released(served) == before
    assert entries(served, "verdict")[-1]["better"] is False


def test_score_a_file_in_chunks_and_resume(served, tmp_path):

    rows = replay_rows(load_use_case("loans")).to_pandas()
    source = tmp_path / "applications.csv"
    rows.to_csv(source, index=False)
    served.run("score", "loans", str(source), str(tmp_path / "answers"))
    answers = pd.read_parquet(tmp_path / "answers" / "part-00000.parquet")
    assert len(answers) == len(rows)
    assert set(answers["prediction"]) <= {0, 1}
    assert json.loads((tmp_path / "answers" / "_summary.json").read_text())["rows"] == len(rows)
    served.run("score", "loans", str(source), str(tmp_path / "answers"))
    parquet = tmp_path / "applications.parquet"
    rows.to_parquet(parquet)
    told = served.told("score", "loans", str(parquet), str(tmp_path / "answers"))
    assert "holds the answers of another file or version" in told
    served.run("score", "loans", str(parquet), str(tmp_path / "more"))
    pd.testing.assert_series_equal(pd.read_parquet(tmp_path / "more")["probability"], answers["probability"])
    rows.loc[17, "loanamt"] = None
    rows.to_csv(source, index=False)
    assert "row 17, column 'loanamt': is missing" in served.told("score", "loans", str(source), str(tmp_path / "bad"))


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("release", "loan"), "use case 'loan': no file configs/loan.yaml; did you mean 'loans'?"),
        (("rollback", "loans"), "version 1 is the first, so there is none to go back to"),
        (("release", "loans", "--until", "soon"), "--until: 'soon' is not a time"),
        (("score", "loans", "/nowhere.csv", "/tmp/x"), "source '/nowhere.csv': no such file"),
        (("replay", "flights"), "use case 'flights' has no champion yet; run 'slipway release flights' first"),
        (("monitor", "flights"), "use case 'flights' has no champion yet"),
    ],
)
def test_bad_input_is_one_line_status_2_and_nothing_changed(served, words, told):
    before = everything(served)
    output = served.told(*words)
    assert told in output
    assert "Traceback" not in output
    assert everything(served) == before


def test_a_taken_port_is_told(served, tmp_path):
    from configs.settings import read_services

    port = str(read_services()["mlflow"]["port"])
    taken = {**own_ports(), "SLIPWAY_GATEWAY_PORT": port}
    output = served.told("up", SLIPWAY_HOME=str(tmp_path / "other"), **taken)
    assert f"SLIPWAY_GATEWAY_PORT={port}: this port is taken" in output
    assert not (tmp_path / "other" / "services.json").exists()


def test_a_second_run_waits_and_says_so(served):
    """The lock is held by this test, so that it does not depend on which of two processes is faster."""
    from configs.settings import use_case_home

    with open(use_case_home("loans") / "lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        print("flow run a-test, process 1", file=lock, flush=True)
        process = served.command("retrain", "loans")
        told = read_until(process, "waiting for it")
        assert "Another run works on loans (flow run a-test, process 1); waiting for it" in told
        time.sleep(1)
        assert process.poll() is None
    rest, _ = process.communicate(timeout=300)
    assert process.returncode == 0, told + rest


def test_five_switches_under_load_lose_no_request(served):
    """Five real roll-outs between two versions while clients send without a pause; then a rollback as a person does it."""
    from flows.chain import build, roll_out
    from tasks.registry.versions import champion
    from tasks.routing.gateway import address

    case = load_use_case("loans")

    def switches():
        first = champion("loans")
        other = case.model_copy(update={"model": case.model.model_copy(update={"seed": 1})})
        second = build(other, None).version
        return [roll_out(case, (second, first)[number % 2], "a test").name for number in range(5)]

    with Load(address("loans"), served.record) as load:
        seen = served.in_flow(switches)
        time.sleep(0.5)
    assert load.lost == [], f"{len(load.lost)} lost of {len(load.answers)}: {load.lost[:3]}"
    assert len(load.answers) > 500
    assert len(set(seen)) == 2
    assert set(seen) <= set(load.answers)
    assert released(served)["version"] == "2"
    assert "loans version 1 serves" in served.run("rollback", "loans")
    assert released(served)["version"] == "1"


def test_versions_side_by_side_and_what_became_of_them(served):
    """The holdout of a table without a time is one that no version learns from, so both answer as they serve."""
    output = served.run("compare", "loans", "1", "2")
    assert "Metrics on rows that none learned from" in output
    assert re.search(r"model\.seed\s+│\s+0\s+│\s+1\s", output)
    page = httpx.get(re.search(r"or (http\S+1-2\.html)", output)[1], timeout=10)
    assert page.status_code == 200
    assert "roc_auc" in page.text
    told = served.told("compare", "loans", "1", "2", "--json", status=0)
    found, _ = json.JSONDecoder().raw_decode(told[told.index('{\n "use_case"') :])
    assert found["basis"]["by"] == {"1": "as it serves", "2": "as it serves"}
    assert [origin["serves"] for origin in found["origins"]] == [True, False]
    assert "has no version '99'; versions: 1, 2" in served.told("compare", "loans", "1", "99")
    lines = served.run("history", "loans").strip().splitlines()
    assert lines[-1].startswith("Now: loans version 1 serves (release loans-v1-")
    told = served.told("history", "loans", "--json", status=0)
    events = json.JSONDecoder().raw_decode(told[told.index('{\n "use_case"') :])[0]["events"]
    assert (events[-1]["what"], events[-1]["version"]) == ("rolled back", "1")
    assert [event["what"] for event in events].count("released") == 1


def test_hyperparameters_are_searched_on_a_dask_cluster_and_found_again_without_it(served, monkeypatch):
    """Every recipe of every rung is trained by a worker; the same search again reads their results, whoever runs it."""
    from distributed import LocalCluster

    from configs.schema import Range, Search, Training
    from flows.choose_recipe import chosen_recipe
    from tasks.data.derive_contract import derive_contract
    from tasks.data.ingest import ingest
    from tasks.data.split import split

    space = {"max_iter": [1, 40], "learning_rate": Range(low=0.02, high=0.3, log=True)}
    training = Training(folds=2, search=Search(space=space, candidates=4))
    case = load_use_case("loans")
    usual = case.model.model_copy(update={"parameters": {"max_iter": 1}})
    case = case.model_copy(update={"training": training, "model": usual})

    def searched():
        snapshot = ingest(case, None)
        return chosen_recipe(case, split(case, snapshot), derive_contract(case, snapshot))

    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        monkeypatch.setenv("SLIPWAY_DASK", cluster.scheduler_address)
        first = served.in_flow(searched)
        seen = [sum(prefix.state_counts.values()) for prefix in cluster.scheduler.task_prefixes.values()]
        assert sum(seen) >= (4 + 2 + 2) * 2, cluster.scheduler.task_prefixes
    assert first.recipe.model.parameters["max_iter"] == 40, first.reason
    assert "of 4 candidates" in first.reason
    monkeypatch.delenv("SLIPWAY_DASK")
    assert served.in_flow(searched) == first


def test_without_a_docker_engine_it_says_so_and_serves_locally(served):
    """Near the end, because it moves the release to the local target, and back where there is an engine."""
    version = released(served)["version"]
    output = served.run("release", "loans", DOCKER_HOST="unix:///nowhere/docker.sock")
    assert "Platform local: no Docker Engine answers" in output
    assert released(served) | {"release": ""} == {**released(served), "version": version, "release": ""}
    assert "(local)" in served.run("status", DOCKER_HOST="unix:///nowhere/docker.sock")
    served.run("release", "loans")


def test_what_went_down_comes_back_as_it_was(served):
    before, deploys = released(served), len(entries(served, "deploy"))
    served.run("down")
    assert "down" in served.run("status")
    assert f"loans version {before['version']} serves again" in served.run("up")
    assert released(served) == before
    assert len(entries(served, "deploy")) == deploys


def test_what_went_down_comes_back_while_a_run_holds_the_use_case(served):
    """A training may last for hours; `up` waits for none, or all that come after it in the alphabet would stay down too."""
    before, deploys = released(served), len(entries(served, "deploy"))
    served.run("down")
    with open(use_case_home("loans") / "lock", "a+", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.truncate(0)
        file.write("flow run retrain-loans, process 1")
        file.flush()
        output = served.run("up")
    assert "flow run retrain-loans, process 1 works on loans, which comes back as it was" in output
    assert f"loans version {before['version']} serves again" in output
    assert released(served) == before
    assert len(entries(served, "deploy")) == deploys
