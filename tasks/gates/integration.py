"""Integration: a real client, the real gateway, the release behind it with keys on, and its log."""

from __future__ import annotations

import json
from typing import Any

import httpx
from prefect import task

from configs.settings import store
from serving.contract.contract import Contract
from serving.contract.heads.choose import head_of
from tasks.deploying.values import Release
from tasks.gates.checks import conclude, contract_of, expect, gateway_client, run
from tasks.log.read import find_prediction
from tasks.registry.values import Version
from tasks.routing import gateway


@task
def integration_gate(release: Release, version: Version) -> None:
    """Keys, a refusal that names the column, a prediction with its label found in the log, metrics.

    Raises:
        GateClosed: naming each check that failed, and what came back.
    """
    golden = json.loads((store("golden") / f"{version.golden}.json").read_text())
    record, contract = golden["records"][0], contract_of(release)
    with gateway_client(release) as http:
        checks = [
            run("the gateway leads to it", lambda: _leads_to(http, release)),
            run("no answer without a key", lambda: _no_key(release, record)),
            run("bad input is refused by name", lambda: _refuses(http, record)),
            run("prediction and label are in the log", lambda: _logged(http, release, record, contract)),
            run("metrics", lambda: _metrics(http)),
        ]
    conclude("integration", release, checks)


def _leads_to(http: httpx.Client, release: Release) -> str:
    answer = http.get("/readyz").raise_for_status()
    expect(answer.headers["x-slipway-release"] == release.name, f"release {answer.headers['x-slipway-release']} answered")
    return release.name


def _no_key(release: Release, record: dict[str, Any]) -> str:
    address, headers = gateway.address(release.use_case), {gateway.CANDIDATE: release.name}
    statuses = []
    for more in ({}, {"authorization": "Bearer slipway_nobody_gave_this_key"}):
        body = {"records": [record]}
        statuses.append(httpx.post(f"{address}/predict", json=body, headers={**headers, **more}, timeout=20).status_code)
    expect(statuses == [401, 401], f"without a key {statuses[0]}, with a wrong one {statuses[1]}")
    return "401 without one, 401 with a wrong one"


def _refuses(http: httpx.Client, record: dict[str, Any]) -> str:
    answer = http.post("/predict", json={"records": [{**record, "no_such_column": 1}]})
    expect(answer.status_code == 422, f"status {answer.status_code}")
    expect(answer.json().get("column") == "no_such_column", answer.text)
    return str(answer.json()["error"])


def _logged(http: httpx.Client, release: Release, record: dict[str, Any], contract: Contract) -> str:
    answer = http.post("/predict", json={"records": [record]}).raise_for_status().json()
    prediction_id = answer["predictions"][0]["prediction_id"]
    label = {"prediction_id": prediction_id, "label": head_of(contract).example}
    http.post("/feedback", json={"labels": [label]}).raise_for_status()
    found = find_prediction(release.use_case, prediction_id, release.log)
    expect(found == {"prediction", "feedback"}, f"the log holds {sorted(found) or 'nothing'} of {prediction_id}")
    return "both found"


def _metrics(http: httpx.Client) -> str:
    text = http.get("/metrics").raise_for_status().text
    expect("slipway_requests_total" in text, "no slipway_requests_total")
    return "slipway_requests_total is there"
