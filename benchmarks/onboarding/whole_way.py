"""One table all the way, in a process and a home of its own: `python -m benchmarks.onboarding.whole_way CSV TARGET RESULT`.

`init` without an edit; the very steps of a release up to the bundle, each holdout row compared; a real server, asked by
three protocols over HTTP; its log read as a window and judged. Then the score beside skrub's on the same rows. The result is
JSON: the stage at which it ended and why, seconds, and the scores. Where a gate closed, skrub's pipeline says whether there
was anything to learn: cross-validated over all rows, is it better than always the same answer, at an error of 5 %?
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from unittest.mock import patch

import httpx
import numpy as np

from configs.errors import CheckFailed, InputError
from configs.settings import PROJECT

PEER = PROJECT / ".bench" / "skrub" / "bin" / "python"
ARTIFACTS = (
    *("data.validate.create_link", "training.evaluate.create_table", "packaging.variants.create_table"),
    *("monitoring.report.create_link", "monitoring.performance.create_link"),
)
ASKED = 300  # rows of the holdout
READY_SECONDS = 30
RESAMPLES = 200


def main(table: Path, target: str, result: Path) -> None:
    """Go as far as it goes, and write down how far that was."""
    from prefect.logging import disable_run_logger

    told: dict[str, Any] = {"stage": "init", "why": ""}
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        os.environ |= {
            "SLIPWAY_HOME": f"{folder}/home",
            "SLIPWAY_USE_CASES": f"{folder}/cases",
            "SLIPWAY_LOG_PEPPER": "benchmark",
        }
        for name in ARTIFACTS:
            stack.enter_context(patch(f"tasks.{name}_artifact", lambda **_: None))
        for name in ("data.validate", "monitoring.report", "monitoring.performance"):
            stack.enter_context(patch(f"tasks.{name}.report_address", str))
        stack.enter_context(disable_run_logger())  # after these, whose import sets Prefect's loggers up
        try:
            go(table, target, Path(folder), told)
            told["stage"] = "done"
        except (InputError, CheckFailed, AssertionError) as error:
            told["why"] = f"{type(error).__name__}: {error}"[:600]
        except Exception as error:  # a defect: counted as one
            told["why"] = f"DEFECT {type(error).__name__}: {error}"[:600]
    told["seconds"] = round(time.monotonic() - began, 1)
    result.write_text(json.dumps(told, indent=1))


def go(table: Path, target: str, folder: Path, told: dict[str, Any]) -> None:
    """Every stage, named before it begins."""
    from rich.console import Console

    from configs.load import load_use_case
    from console.commands.init import init

    with open(os.devnull, "w", encoding="utf-8") as nothing:
        init(str(table), target, "table", False, Console(file=nothing))
    case = load_use_case("table")
    told |= {"problem": case.target.problem, "features": len(case.features.all), "metric": case.promotion.metric}
    version, parts, contract, evaluation = released(case, told)
    told["stage"] = "serve"
    asked = serve_and_ask(case, version, parts, folder)
    told["stage"] = "watch"
    watch(case, version, asked)
    told["stage"] = "skrub"
    told |= beside_skrub(case, parts, contract, evaluation, folder)


def released(case: Any, told: dict[str, Any]) -> tuple[Any, Any, str, Any]:
    """The steps of a release up to the bundle."""
    from tasks.data.derive_contract import derive_contract
    from tasks.data.ingest import ingest
    from tasks.data.split import split
    from tasks.data.validate import validate
    from tasks.packaging.bundle import bundle
    from tasks.packaging.convert import convert
    from tasks.packaging.variants import choose_variant
    from tasks.registry.lineage import lineage
    from tasks.registry.values import Version
    from tasks.training.evaluate import evaluate
    from tasks.training.train import train

    told["stage"] = "contract"
    snapshot = ingest.fn(case, None)
    contract = derive_contract.fn(case, snapshot)
    validate.fn(case, snapshot, contract, None)
    parts = split.fn(case, snapshot)
    told["stage"] = "train"
    candidate = train.fn(snapshot, parts.learn, contract, case.recipe)
    told["stage"] = "gate"
    try:
        evaluation = evaluate.fn(case, parts, contract, candidate)
    except CheckFailed:
        told["nothing"] = not learned_by_skrub(case, parts)
        raise
    final = train.fn(snapshot, parts.final, contract, case.recipe)
    told["stage"] = "convert"
    onnx = convert.fn(parts, contract, case.features, final)
    onnx = choose_variant.fn(parts, contract, case.features, onnx)
    told["stage"] = "bundle"
    packed = bundle.fn(case, snapshot, contract, onnx, evaluation, lineage(case, parts, None, contract, onnx))
    version = Version(use_case=case.name, version="1", run_id="", bundle=packed, golden=onnx.golden)
    return version, parts, contract, evaluation


def serve_and_ask(case: Any, version: Any, parts: Any, folder: Path) -> int:
    """Rows of the holdout to a real server, by three protocols that must agree, with labels; returns how many."""
    from configs.settings import prediction_log
    from serving.contract.contract import read_contract
    from serving.contract.heads.choose import head_of
    from tasks.data.frames import client_values, plain, read_rows
    from tasks.deploying.platforms.ports import free_port

    contract, port = read_contract(version.bundle.path / "contract.json"), free_port()
    head = head_of(contract)
    frame = read_rows(parts.snapshot, parts.cut, parts.snapshot.rows).iloc[-ASKED:]
    columns = {name: client_values(frame[name]) for name in contract.names}
    records = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    ids = [f"row-{number}" for number in range(len(records))]
    command = [
        sys.executable,
        "-m",
        "serving",
        "--bundle",
        str(version.bundle.path),
        "--version",
        version.version,
        "--log",
        str(prediction_log(case.name)),
    ]
    with (folder / "server.log").open("ab") as log:
        server = subprocess.Popen([*command, "--port", str(port)], cwd=PROJECT, stdout=log, stderr=log)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as http:
            _wait(http, server, folder / "server.log")
            native = _good(http.post("/predict", json={"records": records, "prediction_ids": ids, **head.everything}))
            answers = [row["prediction"] for row in native["predictions"]]
            said = _good(http.post("/invocations", json={"dataframe_records": records}))["predictions"]
            assert said == answers, "/invocations answers otherwise than /predict"
            tensors = _good(http.post("/v2/models/table/infer", json={"inputs": list(_tensors(contract, columns))}))
            found = {each["name"]: each["data"] for each in tensors["outputs"]}[contract.target]
            same = found == answers or [str(each) for each in answers] == found or np.allclose(found, answers, rtol=1e-6)
            assert same, "/v2 answers otherwise than /predict"
            labels = [head.label_of(value) for value in plain(frame[case.target.column])]
            outcomes = [{"prediction_id": name, "label": label} for name, label in zip(ids, labels, strict=True)]
            _good(http.post("/feedback", json={"labels": outcomes}))
    finally:
        server.terminate()
        server.wait()
    return len(records)


def _wait(http: httpx.Client, server: Any, log: Path) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        try:
            if http.get("/readyz").status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.05)
    raise AssertionError(f"the server did not come up: {log.read_text(errors='replace')[-400:]}")


def _good(answer: httpx.Response) -> Any:
    assert answer.status_code == 200, f"{answer.request.url.path} answered {answer.status_code}: {answer.text[:300]}"
    return answer.json()


def _tensors(contract: Any, columns: dict[str, list[Any]]) -> Any:
    for column in contract.columns:
        values = columns[column.name]
        known = [value for value in values if value is not None]
        kind = "BYTES" if known and all(isinstance(value, str) for value in known) else "FP64"
        kind = "BOOL" if known and all(isinstance(value, bool) for value in known) else kind
        yield {"name": column.name, "shape": [len(values)], "datatype": kind, "data": values}


def watch(case: Any, version: Any, asked: int) -> None:
    """The rows that were asked as one window: drift, and the performance on their labels."""
    from tasks.log.values import Bounds
    from tasks.monitoring.collect import collect_window
    from tasks.monitoring.drift.calibrate_joint import calibrate_joint, seasons_of, size_class
    from tasks.monitoring.drift.detect import detect_drift
    from tasks.monitoring.performance import measure_performance
    from tasks.monitoring.report import drift_report

    case = case.model_copy(update={"monitoring": case.monitoring.model_copy(update={"window": f"{asked} rows"})})
    window = collect_window.fn(case, Bounds(name="all", start="0", end=str(asked)), {"1": version})
    assert window.judged, f"no part of the window is judged: {[part.not_judged for part in window.parts]}"
    part = window.judged[0]
    joint = calibrate_joint.fn(case, version.bundle, size_class(part.rows), seasons_of(case, part))
    drift = detect_drift.fn(case, part, version, joint)
    assert drift.columns.keys() == set(case.watched)
    measure_performance.fn(case, part, version.bundle, [])
    drift_report.fn(case, part, version.bundle, drift)


def learned_by_skrub(case: Any, parts: Any) -> bool:
    """Whether the peer, cross-validated over all rows, is better than always the same answer in 95 % of resamples."""
    from tasks.data.frames import read_rows
    from tasks.problems.two_classes import roc_auc

    problem, target = case.target.problem, case.target.column
    whole = read_rows(parts.snapshot, 0, parts.snapshot.rows)[[*case.features.all, target]]
    with tempfile.TemporaryDirectory() as folder:
        for part in ("learn", "judge"):
            whole.to_parquet(f"{folder}/{part}.parquet")
        task = {"target": target, "problem": problem, "crossed": True}
        (Path(folder) / "task.json").write_text(json.dumps(task))
        _peer(Path(folder))
        outputs, truth = np.load(f"{folder}/outputs.npy"), whole[target].to_numpy()
    names = truth.astype(str)

    def gain(rows: np.ndarray) -> float:
        some, said = truth[rows], outputs[rows]
        if problem == "regression":
            return float(((some - some.mean()) ** 2).sum() - ((some - said) ** 2).sum())
        if problem == "binary":
            second = names[rows] == max(names)
            return roc_auc(second.astype(float), said) - 0.5 if 0 < second.sum() < len(rows) else 0.0
        return float(said.mean() - np.unique(names[rows], return_counts=True)[1].max() / len(rows))

    generator = np.random.default_rng(0)
    gains = [gain(generator.integers(0, len(truth), len(truth))) for _ in range(RESAMPLES)]
    return bool(np.quantile(gains, 0.05) > 0)


def _peer(folder: Path) -> None:
    command = [PEER, str(Path(__file__).with_name("skrub_side.py")), str(folder)]
    peer = subprocess.run(command, capture_output=True, text=True)
    assert peer.returncode == 0, f"skrub: {peer.stderr[-400:]}"


def beside_skrub(case: Any, parts: Any, contract: str, evaluation: Any, folder: Path) -> dict[str, Any]:
    """The metric of both on the same holdout, and the interval of 95 % of what is gained."""
    import pandas as pd

    from tasks.data.frames import contract_of, read_rows
    from tasks.problems.chance import day_blocks, resamples
    from tasks.problems.problem import problem_of

    problem, columns, target = problem_of(case.target), contract_of(contract), case.target.column
    whole = read_rows(parts.snapshot, 0, parts.snapshot.rows)[[*case.features.all, target]]
    whole.iloc[: parts.learn].to_parquet(folder / "learn.parquet")
    judge = whole.iloc[parts.cut :]
    judge.to_parquet(folder / "judge.parquet")
    (folder / "task.json").write_text(json.dumps({"target": target, "problem": problem.name}))
    _peer(folder)
    outputs, classes = np.load(folder / "outputs.npy"), json.loads((folder / "classes.json").read_text())
    if columns.classes:  # in the contract's order; one that the peer did not learn has probability 0
        known = {name: outputs[:, place] for place, name in enumerate(classes)}
        outputs = np.stack([known.get(str(name), np.zeros(len(outputs))) for name in columns.classes], axis=1)
    scores = pd.read_parquet(evaluation.scores_path)
    truth, ours, theirs = scores["target"].to_numpy(), problem.read(scores[problem.column]), problem.judged(outputs)
    metric = problem.metrics[case.promotion.metric]
    one, other = metric.resampled(truth, ours), metric.resampled(truth, theirs)
    blocks = day_blocks(scores["time"].to_numpy() if "time" in scores else None, len(scores))
    drawn = resamples(blocks, RESAMPLES, len(np.unique(blocks)), seed=0)
    gains = [metric.gain(one(rows), other(rows)) for rows in drawn]
    low, high = np.nanquantile(gains, [0.025, 0.975])
    return {"ours": metric.value(truth, ours), "skrub": metric.value(truth, theirs), "low": float(low), "high": float(high)}


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))
