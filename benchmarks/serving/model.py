"""The model that every server in these benchmarks serves: `flights`, 100 trees, trained on January and February."""

from __future__ import annotations

import os
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch


@dataclass(frozen=True)
class BenchmarkModel:
    """The bundle, the fitted pipeline that scikit-learn servers load, and rows that were not trained on."""

    bundle: Path
    pipeline: Path
    rows: list[dict[str, Any]]
    text_columns: list[str]


def build(home: Path, rows: int = 10_000) -> BenchmarkModel:
    """Train and bundle it in a home of its own, with the steps of the flow `release`."""
    os.environ["SLIPWAY_HOME"] = str(home)
    from prefect.logging import disable_run_logger

    from configs.load import load_use_case
    from tasks.data import derive_contract, ingest, split
    from tasks.data.source import replay_rows
    from tasks.packaging import bundle, convert
    from tasks.registry import lineage
    from tasks.training import evaluate, train

    case = load_use_case("flights")
    assert case.replay is not None
    with ExitStack() as stack:
        stack.enter_context(disable_run_logger())
        stack.enter_context(patch("tasks.training.evaluate.create_table_artifact", lambda **_: None))
        snapshot = ingest.ingest.fn(case, case.replay.start)
        contract = derive_contract.derive_contract.fn(case, snapshot)
        parts = split.split.fn(case, snapshot)
        fitted = train.train.fn(snapshot, parts.learn, contract, case.recipe)
        evaluation = evaluate.evaluate.fn(case, parts, contract, fitted)
        onnx = convert.convert.fn(parts, contract, case.features, fitted)
        origin = lineage.lineage(case, parts, None, contract, onnx)
        built = bundle.bundle.fn(case, snapshot, contract, onnx, evaluation, origin)
    later = replay_rows(case).slice(0, rows).select(case.features.all).to_pylist()
    whole = [row for row in later if None not in row.values()]  # not every peer takes null in every protocol
    return BenchmarkModel(built.path, fitted.path, whole, case.features.categorical)
