"""Integration test: the release that will serve, over HTTP, before it gets any traffic."""

from __future__ import annotations

import json
from typing import Any

import httpx
import numpy as np
from prefect import task
from prefect.artifacts import create_table_artifact

from configs.errors import CheckFailed
from configs.settings import store
from serving.contract import Contract
from tasks.keys import internal_headers
from tasks.prediction_log import TEST_CALLER, find_prediction
from tasks.values import BundleRef, Release, Version

TOLERANCE = 1e-6


class IntegrationFailed(CheckFailed):
    """The release does not behave as its bundle says."""


@task
def integration_test(release: Release, version: Version) -> None:
    """Health, metadata against the contract, golden rows, refused input, Open Inference, feedback, log, metrics.

    Raises:
        IntegrationFailed: naming each check that failed and what came back.
    """
    from serving.bundle import read_bundle

    contract = read_bundle(BundleRef(digest=release.bundle).path).contract
    golden = json.loads((store("golden") / f"{version.golden}.json").read_text())
    results: list[dict[str, str]] = []
    headers = internal_headers(release.use_case, TEST_CALLER)
    with httpx.Client(base_url=release.address, headers=headers, timeout=10) as client:
        checks = Checks(client, release, contract, golden)
        for name in (name for name in dir(checks) if name.startswith("check_")):
            try:
                found, passed = getattr(checks, name)(), "yes"
            except (AssertionError, httpx.HTTPError, KeyError, ValueError) as error:
                found, passed = f"{type(error).__name__}: {error}", "no"
            results.append({"check": name.removeprefix("check_").replace("_", " "), "passed": passed, "found": found})
    create_table_artifact(key=f"integration-{release.use_case}", table=results, description=f"Release `{release.name}`")
    failed = [f"{result['check']}: {result['found']}" for result in results if result["passed"] == "no"]
    if failed:
        raise IntegrationFailed(f"{len(failed)} of {len(results)} checks failed; {'; '.join(failed)}")


class Checks:
    """Each `check_` method returns what it found, or raises."""

    def __init__(self, client: httpx.Client, release: Release, contract: Contract, golden: dict[str, Any]) -> None:
        self.client, self.release, self.contract, self.golden = client, release, contract, golden

    def check_ready(self) -> str:
        """The release that answers is the one that was started."""
        answer = self.client.get("/readyz").raise_for_status().json()
        expect(answer["bundle"] == self.release.bundle, f"bundle {answer['bundle']}")
        expect(answer["version"] == self.release.version, f"version {answer['version']}")
        return f"version {answer['version']}"

    def check_metadata(self) -> str:
        """The Open Inference metadata names the contract's columns."""
        answer = self.client.get(f"/v2/models/{self.release.use_case}").raise_for_status().json()
        names = [tensor["name"] for tensor in answer["inputs"]]
        expect(names == list(self.contract.names), f"inputs {names}")
        return f"{len(names)} inputs"

    def check_golden_rows(self) -> str:
        """What scikit-learn answers comes back over HTTP."""
        answer = self.client.post("/predict", json={"records": self.golden["records"]}).raise_for_status().json()
        found = [list(row["probabilities"].values()) for row in answer["predictions"]]
        difference = float(np.abs(np.array(found) - np.array(self.golden["probabilities"])).max())
        expect(difference <= TOLERANCE, f"probabilities differ by {difference:.1e} from scikit-learn's")
        return f"{len(found)} rows, at most {difference:.1e} from scikit-learn"

    def check_open_inference(self) -> str:
        """The same rows as tensors give the same probabilities."""
        records = self.golden["records"]
        inputs = [
            {
                "name": column.name,
                "shape": [len(records), 1],
                "datatype": "FP32" if column.dtype == "float32" else "BYTES",
                "data": [record.get(column.name) for record in records],
            }
            for column in self.contract.columns
        ]
        path = f"/v2/models/{self.release.use_case}/infer"
        answer = self.client.post(path, json={"inputs": inputs}).raise_for_status().json()
        output = next(output for output in answer["outputs"] if output["name"] == "probabilities")
        found = np.array(output["data"]).reshape(output["shape"])
        difference = float(np.abs(found - np.array(self.golden["probabilities"])).max())
        expect(difference <= TOLERANCE, f"probabilities differ by {difference:.1e}")
        return f"{len(found)} rows, at most {difference:.1e} from scikit-learn"

    def check_refuses_bad_input(self) -> str:
        """A column that the contract does not know is refused by name."""
        record = {**self.golden["records"][0], "no_such_column": 1}
        answer = self.client.post("/predict", json={"records": [record]})
        expect(answer.status_code == 422, f"status {answer.status_code}")
        expect(answer.json().get("column") == "no_such_column", answer.text)
        return answer.json()["error"]

    def check_feedback_and_log(self) -> str:
        """A prediction and its label are found in the log."""
        answer = self.client.post("/predict", json={"records": self.golden["records"][:1]}).raise_for_status().json()
        prediction_id = answer["predictions"][0]["prediction_id"]
        label = {"prediction_id": prediction_id, "label": self.contract.classes[1]}
        self.client.post("/feedback", json={"labels": [label]}).raise_for_status()
        found = find_prediction(self.release.use_case, prediction_id)
        expect(found == {"prediction", "feedback"}, f"the log holds {sorted(found) or 'nothing'} of {prediction_id}")
        return "prediction and label found"

    def check_metrics(self) -> str:
        """Prometheus metrics count these requests."""
        text = self.client.get("/metrics").raise_for_status().text
        expect("slipway_requests_total" in text, "no slipway_requests_total")
        return "slipway_requests_total is there"


def expect(condition: bool, found: str) -> None:
    """Raise what was found unless the condition holds."""
    if not condition:
        raise AssertionError(found)
