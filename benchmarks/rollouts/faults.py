"""Challengers that are broken, under load, with real servers and the real flow `rollout`; stages last seconds.

`python -m benchmarks.rollouts faults [TIMES] [USE_CASE]`. Each run adds a line to `.bench/rollout_faults.jsonl`; one that
is there is not run again: a benchmark that was broken off goes on. Models are broken by training them on other labels, with
the gates off that would keep them out; servers by a proxy (`faulty.py`). Clients tell every label at once.
"""

from __future__ import annotations

import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple
from unittest import mock

import httpx
import msgspec
import psutil
from rich.console import Console
from rich.table import Table
from ruamel.yaml import YAML

from benchmarks.deploy.__main__ import in_flow, slipway
from configs.load import load_use_case
from configs.schema import UseCase
from configs.settings import PROJECT, use_case_home
from tasks.deploying.platforms.ports import free_port

RESULTS = PROJECT / ".bench" / "rollout_faults.jsonl"
STAGES = [{"canary": {"share": 0.3, "for": "6 seconds"}}, {"ab": {"for": "6 seconds"}}]
CHECKS = [
    {"measure": "errors", "margin": 0.01, "required": True},
    {"measure": "latency", "margin": 0.1},
    {"measure": "loss", "margin": 0.02},
]
CLIENTS, LONGEST = 8, 300.0


class Fault(NamedTuple):
    """What is wrong: the target's expression that the challenger learns, its parameters, or what its server does."""

    name: str
    target: str = ""
    parameters: dict[str, Any] | None = None
    server: str = ""


SERVERS = [
    Fault("none: an equal challenger"),
    Fault("+200 ms", server="delay"),
    Fault("5 % errors", server="errors"),
    Fault("a leak to death", server="leak"),
    Fault("kill -9 of its server, once", server="kill"),
]
CONSTANT = {"max_iter": 1, "learning_rate": 1e-9}
SLICE = (
    "case when marital_status in ('Divorced', 'Widowed') then (case when income = '>50K' then '<=50K' else '>50K' end) "
    "else income end"
)
FAULTS = {
    "loans": [
        *SERVERS,
        Fault("swapped labels", "1 - approve"),
        Fault("a constant answer", parameters=CONSTANT),
        Fault("denies the self-employed (13 %)", "case when self = 1 then 0 else approve end"),
        Fault("wrong where unemployment is above 5 % (12 %)", "case when unem > 5 then 1 - approve else approve end"),
    ],
    "bike": [
        *SERVERS,
        Fault("in dozens", "cnt / 12.0"),
        Fault("a constant answer", parameters=CONSTANT),
        Fault("wrong on Sundays", "case when weekday = 0 then 0 else cnt end"),
    ],
    "adult": [
        *SERVERS,
        Fault("swapped labels", "case when income = '>50K' then '<=50K' else '>50K' end"),
        Fault("a constant answer", parameters=CONSTANT),
        Fault("denies women (33 %)", "case when sex = 'Female' then '<=50K' else income end"),
        Fault("wrong on the widowed and divorced (17 %)", SLICE),
    ],
}


def faults(screen: Console, times: int = 3, name: str = "loans") -> None:
    """Run what is missing, then print the table."""
    done = [each for each in _results() if each["use_case"] == name]
    missing = [f for _ in range(times) for f in FAULTS[name]]
    for each in done:
        with contextlib.suppress(StopIteration):
            missing.remove(next(f for f in missing if f.name == each["fault"]))
    if missing:
        with home(name) as case:
            versions: dict[str, str] = {}  # by what they learn: those whose server is faulty share one
            for fault in missing:
                learned = json.dumps([fault.target, fault.parameters])
                if learned not in versions:
                    versions[learned] = in_flow(_broken, case=case, fault=fault)  # type: ignore[assignment]
                result = {"use_case": name, "fault": fault.name, **_run(case, versions[learned], fault)}
                print(result, flush=True)
                with RESULTS.open("a") as file:
                    file.write(json.dumps(result) + "\n")
    _show(screen, name, times)


@contextlib.contextmanager
def home(name: str) -> Iterator[UseCase]:
    """A home in which the use case serves, with the stages and checks of this benchmark and no gates."""
    with tempfile.TemporaryDirectory() as folder:
        work, yaml = Path(folder), YAML(typ="safe")
        content = CASES[name]()
        content |= {
            "deploy": {"platform": "local"},
            "rollout": {"stages": STAGES, "checks": CHECKS, "undecided": "promote"},
        }
        content.pop("gates", None)
        (work / "configs").mkdir()
        yaml.dump(content, work / "configs" / f"{name}.yaml")
        os.environ |= {"SLIPWAY_HOME": str(work / "home"), "SLIPWAY_USE_CASES": str(work / "configs")}
        RESULTS.parent.mkdir(exist_ok=True)
        try:
            slipway("up")
            slipway("release", name)
            yield load_use_case(name)
        finally:
            slipway("down")


def _loans() -> dict[str, Any]:
    content: dict[str, Any] = YAML(typ="safe").load((PROJECT / "configs" / "loans.yaml").read_text())
    return content


def _bike() -> dict[str, Any]:
    """Hours in a random order, since stages go by the clock, and a replay of history would have one of its own."""
    columns = ["season", "mnth", "hr", "holiday", "weekday", "workingday", "weathersit", "temp", "atemp", "hum", "windspeed"]
    return _shared(
        "bike",
        "How many bikes will be rented in this hour?",
        target={"column": "cnt", "problem": "regression"},
        features={"numeric": columns},
        evaluation={"gates": [{"metric": "r2", "at_least": 0}]},
        file="bike_hour.csv",
    )


def _adult() -> dict[str, Any]:
    return _shared(
        "adult",
        "Does this person earn more than 50,000 dollars a year?",
        target={"column": "income", "positive": ">50K"},
        features={
            "numeric": ["age", "education_num", "capital_gain", "capital_loss", "hours_per_week"],
            "categorical": ["workclass", "marital_status", "occupation", "relationship", "race", "sex"],
        },
        evaluation={"gates": [{"metric": "roc_auc", "at_least": 0.5}]},
        file="adult.csv",
    )


def _shared(name: str, description: str, file: str, **parts: Any) -> dict[str, Any]:
    path = Path(os.environ.get("SLIPWAY_DATA") or PROJECT.parent / "shared" / "data") / file
    return {
        "name": name,
        "description": description,
        "source": {"tables": {"rows": str(path)}, "query": "select * from rows"},
        "model": {"estimator": "hist_gradient_boosting", "parameters": {"max_iter": 100}, "seed": 0},
        "replay": {"share": 0.5, "seed": 1},
        **parts,
    }


CASES = {"loans": _loans, "bike": _bike, "adult": _adult}


def _broken(case: UseCase, fault: Fault) -> str:
    """The version of a challenger that has the fault in its model; another seed where the fault is its server's."""
    from flows.chain import build

    source, model, column = case.source, case.model, case.target.column
    if fault.target:
        query = f"select * replace ({fault.target} as {column}) from ({source.query})"
        source = source.model_copy(update={"query": query})
    model = model.model_copy(update={"parameters": {**model.parameters, **(fault.parameters or {})}, "seed": 1})
    gates = [gate.model_copy(update={"at_least": -1e9}) for gate in case.evaluation.gates]
    evaluation = case.evaluation.model_copy(update={"gates": gates})
    return build(case.model_copy(update={"source": source, "model": model, "evaluation": evaluation}), None).version.version


def _run(case: UseCase, version: str, fault: Fault) -> dict[str, Any]:
    """One rollout to its end, and back to the champion of before where the challenger came through."""
    from flows.rollout import rollout
    from tasks.quarantine import let_out, quarantined
    from tasks.rollouts.state import last_rollout

    if quarantined(case.name, version):  # the run before was of the same model, with another fault of its server
        let_out(case.name, version, "another fault", "the benchmark")
    with Clients(case) as clients, faulty(fault):
        deadline = time.monotonic() + LONGEST
        in_flow(lambda: rollout(case.name, version, fault.name))
        if fault.server == "kill":
            _kill(case.name)
        while not (state := last_rollout(case.name)).ended:  # type: ignore[union-attr]
            assert time.monotonic() < deadline, state
            in_flow(lambda: rollout(case.name))
    if state is not None and state.phase == "succeeded":
        slipway("rollback", case.name)
    return {**_told(case), "errors": len(clients.failed), "requests": clients.answered}


@contextlib.contextmanager
def faulty(fault: Fault) -> Iterator[None]:
    """While it is entered, a proxy stands before challenger and baseline in every traffic plan, and one is faulty."""
    from tasks.rollouts import carry_out

    if fault.server not in ("delay", "errors", "leak"):
        yield
        return
    proxies, ports, arm = list[subprocess.Popen[bytes]](), dict[str, int](), carry_out._arm

    def behind(name: str, release: Any) -> Any:
        true = arm(name, release)
        if name not in ports:
            ports[name], target = free_port(), true.addresses[0].rpartition(":")[2]
            does = fault.server if name == "challenger" else "nothing"  # the way to the baseline is as long
            command = [sys.executable, "-m", "benchmarks.rollouts.faulty", str(ports[name]), target, does]
            proxies.append(subprocess.Popen(command, cwd=PROJECT))
            time.sleep(1)
        return msgspec.structs.replace(true, addresses=(f"http://127.0.0.1:{ports[name]}",))

    try:
        with mock.patch.object(carry_out, "_arm", behind):
            yield
    finally:
        for proxy in proxies:
            proxy.kill()
            proxy.wait()


def _kill(use_case: str) -> None:
    """SIGKILL to the challenger's server; who supervises it starts it again."""
    from tasks.rollouts.state import last_rollout

    state = last_rollout(use_case)
    assert state is not None
    assert state.release is not None
    status = use_case_home(use_case) / "releases" / state.release.name / "status.json"
    root = psutil.Process(int(json.loads(status.read_text())[0]["process"][0]))
    for process in [*root.children(recursive=True), root]:
        process.kill()


class Clients:
    """Rows that nothing was trained on, through the gateway, one a request; each answer's label follows at once."""

    def __init__(self, case: UseCase) -> None:
        from tasks.data.source import replay_rows
        from tasks.routing.gateway import address

        self.case, self.rows, self.url = case, replay_rows(case).to_pylist(), address(case.name)
        self.failed: list[str] = []
        self.answered, self.over = 0, threading.Event()
        self.threads = [threading.Thread(target=self._ask, args=(number,)) for number in range(CLIENTS)]

    def __enter__(self) -> Clients:
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.over.set()
        for thread in self.threads:
            thread.join()

    def _ask(self, number: int) -> None:
        features, target, place = self.case.features.all, self.case.target.column, number
        with httpx.Client(base_url=self.url, timeout=30) as client:
            while not self.over.is_set():
                row, name = self.rows[place % len(self.rows)], uuid.uuid4().hex
                place += CLIENTS
                record = {each: row[each] for each in features if row[each] is not None}
                self._send(client, "/predict", {"records": [record], "prediction_ids": [name]})
                self._send(client, "/feedback", {"labels": [{"prediction_id": name, "label": row[target]}]})
                self.answered += 1

    def _send(self, client: httpx.Client, path: str, body: Any) -> None:
        try:
            answer = client.post(f"{self.url}{path}", json=body)
        except httpx.TransportError as error:
            self.failed.append(repr(error))
        else:
            if answer.status_code != 200:
                self.failed.append(answer.text)


def _told(case: UseCase) -> dict[str, Any]:
    """Of the rollout that has ended: whether it was taken back, why, who the challenger answered, and for how long."""
    from tasks.data.frames import contract_of
    from tasks.history import read_history
    from tasks.log.exposures import read_exposures
    from tasks.rollouts.state import last_rollout

    state = last_rollout(case.name)
    assert state is not None
    contract = contract_of(state.challenger.tags["contract"])
    met = [read_exposures(case.name, f"{state.id}.{stage + 1}", contract) for stage in range(len(STAGES))]
    began = min(rows.loc[rows["assigned"] == "challenger", "time"].min() for rows in met if len(rows))
    ended = [each for each in read_history(case.name, "rollout") if each["rollout"] == state.id][-1]["time"]
    return {
        "back": state.phase == "failed",
        "why": state.outcome,
        "answered": int(sum((rows["variant"] == "challenger").sum() for rows in met)),
        "seconds": datetime.fromisoformat(str(ended)).timestamp() - _epoch(began),
    }


def _epoch(moment: Any) -> float:
    import pandas as pd

    at = pd.Timestamp(moment)
    return float((at.tz_localize("UTC") if at.tzinfo is None else at).timestamp())


def _results() -> list[dict[str, Any]]:
    return [json.loads(line) for line in RESULTS.read_text().splitlines()] if RESULTS.exists() else []


def _show(screen: Console, name: str, times: int) -> None:
    table = Table(title=f"{name}: broken challengers", title_justify="left")
    heads = (
        "fault",
        "taken back",
        "by",
        "answered by it meanwhile",
        "errors seen by clients",
        "seconds until back, median",
        "max",
    )
    for column in heads:
        table.add_column(column, justify="left" if column in ("fault", "by") else "right")
    runs = defaultdict(list)
    for each in _results():
        if each["use_case"] == name:
            runs[each["fault"]].append(each)
    for fault, found in runs.items():
        back = [each for each in found[:times] if each["back"]]
        seconds = [each["seconds"] for each in back]
        table.add_row(
            fault,
            f"{len(back)} of {len(found[:times])}",
            ", ".join(sorted({each["why"].partition(":")[0] for each in back})),
            f"{statistics.median(each['answered'] for each in found[:times]):,.0f}",
            f"{sum(each['errors'] for each in found[:times])}",
            f"{statistics.median(seconds):.1f}" if seconds else "",
            f"{max(seconds):.1f}" if seconds else "",
        )
    screen.print(table)
