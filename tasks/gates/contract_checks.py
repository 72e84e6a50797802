"""The checks of the contract gate: what every replica must say and answer. A rollback makes them without a flow."""

from __future__ import annotations

import json
from typing import Any

import httpx
import numpy as np

from configs.settings import store
from serving.contract.contract import Column, Contract
from serving.contract.heads.choose import head_of
from serving.contract.heads.head import Head
from tasks.deploying.values import Release
from tasks.gates.answers import outputs
from tasks.gates.checks import Check, client, contract_of, expect, run
from tasks.problems.problem import problem_of
from tasks.registry.values import Version


def contract_checks(release: Release, version: Version) -> list[Check]:
    """Readiness, metadata and OpenAPI against the contract; golden rows in two protocols against scikit-learn."""
    contract = contract_of(release)
    head = head_of(contract)
    golden = json.loads((store("golden") / f"{version.golden}.json").read_text())
    checks: list[Check] = []
    for number, address in enumerate(release.addresses):
        with client(release, address) as http:
            replica = f"replica {number}: " if release.wanted > 1 else ""
            checks += [
                run(f"{replica}ready", lambda http=http: _ready(http, release)),  # type: ignore[misc]
                run(f"{replica}metadata", lambda http=http: _metadata(http, release, contract)),  # type: ignore[misc]
                run(f"{replica}OpenAPI", lambda http=http: _openapi(http, contract)),  # type: ignore[misc]
                run(f"{replica}golden rows", lambda http=http: _golden(http, contract, head, golden)),  # type: ignore[misc]
                run(f"{replica}golden tensors", lambda http=http: _tensors(http, release, contract, head, golden)),  # type: ignore[misc]
            ]
    return checks


def _ready(http: httpx.Client, release: Release) -> str:
    answer = http.get("/readyz").raise_for_status().json()
    expect(answer["bundle"] == release.bundle, f"bundle {answer['bundle']}")
    expect(answer["version"] == release.version, f"version {answer['version']}")
    return f"version {answer['version']}"


def _metadata(http: httpx.Client, release: Release, contract: Contract) -> str:
    """The Open Inference metadata names the contract's columns."""
    answer = http.get(f"/v2/models/{release.use_case}").raise_for_status().json()
    names = [tensor["name"] for tensor in answer["inputs"]]
    expect(names == list(contract.names), f"inputs {names}")
    return f"{len(names)} inputs"


def _openapi(http: httpx.Client, contract: Contract) -> str:
    """The document that clients are made from lists the same columns, and which of them are required."""
    document = http.get("/openapi.json").raise_for_status().json()
    record = document["components"]["schemas"]["Record"]
    required = {column.name for column in contract.columns if not column.nullable}
    missing = set(contract.names) - set(record["properties"])
    expect(not missing, f"columns {sorted(missing)} are missing")
    expect(set(record.get("required", [])) == required, f"required {record.get('required')}")
    return f"{len(contract.names)} columns, {len(required)} required"


def _golden(http: httpx.Client, contract: Contract, head: Head, golden: dict[str, Any]) -> str:
    """What scikit-learn answers comes back over HTTP."""
    return _same(contract, outputs(http, head, golden["records"]), golden)


def _tensors(http: httpx.Client, release: Release, contract: Contract, head: Head, golden: dict[str, Any]) -> str:
    """The same rows as tensors give the same outputs."""
    records = golden["records"]
    inputs = [_tensor(column, [record.get(column.name) for record in records]) for column in contract.columns]
    answer = http.post(f"/v2/models/{release.use_case}/infer", json={"inputs": inputs}).raise_for_status().json()
    found = {output["name"]: np.array(output["data"]).reshape(output["shape"]) for output in answer["outputs"]}
    return _same(contract, np.concatenate([found[name] for name in head.whole], axis=1), golden)


def _tensor(column: Column, values: list[Any]) -> dict[str, Any]:
    """A column as its table has it: what is true or false may stand there as numbers, and a number as true or false."""
    numbers = "BOOL" if any(isinstance(value, bool) for value in values) else "FP32"
    datatype = numbers if column.dtype == "float32" else "BYTES"
    return {"name": column.name, "shape": [len(values), 1], "datatype": datatype, "data": values}


def _same(contract: Contract, found: np.ndarray, golden: dict[str, Any]) -> str:
    wanted = np.array(golden["outputs"] if "outputs" in golden else golden["probabilities"])  # as versions before have it
    problem = problem_of(contract)
    difference = float(problem.difference(found, wanted).max())
    expect(difference <= problem.served, f"outputs differ by {difference:.1e} from scikit-learn's")
    return f"{len(found)} rows, at most {difference:.1e} from scikit-learn"
