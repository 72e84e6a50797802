"""Evaluate: the candidate on rows it has not seen, against the use case's gates, as a whole and by slices."""

from __future__ import annotations

from typing import Any, get_args

import numpy as np
from prefect.artifacts import create_table_artifact

from configs.errors import CheckFailed
from configs.schema import Gate, Metric, SliceGates, UseCase
from tasks.data.frames import contract_of, encode, labels, read_rows
from tasks.data.values import Split
from tasks.problems.metrics import score
from tasks.step import step
from tasks.store import put_parquet
from tasks.training.fitted import load
from tasks.training.slices import slices_of
from tasks.training.values import Evaluation, FittedModel, GateResult


class GateFailed(CheckFailed):
    """A gate did not hold; nothing is built from this candidate."""


@step
def evaluate(use_case: UseCase, split: Split, contract: str, candidate: FittedModel) -> Evaluation:
    """Score the holdout, measure, and hold it against the gates.

    Raises:
        GateFailed: naming every gate that did not hold.
    """
    frame = read_rows(split.snapshot, split.cut, split.snapshot.rows)
    target = labels(use_case.target, frame)
    probability = load(candidate).predict_proba(encode(contract_of(contract), frame)[use_case.features.all])[:, 1]
    metrics = {name: score(name, target, probability) for name in get_args(Metric)}
    gates = [_judge(gate, "all", target, probability) for gate in use_case.evaluation.gates]
    if use_case.evaluation.slices:
        gates += _slices(use_case.evaluation.slices, frame, target, probability)
    create_table_artifact(
        key=f"gates-{use_case.name}",
        table=[gate.model_dump() for gate in gates],
        description=f"Quality gates of a candidate for `{use_case.name}` on {len(target):,} held out rows",
    )
    failed = [f"{gate.where}: {gate.metric} {gate.value:.4f}, bound {gate.bound}" for gate in gates if not gate.passed]
    if failed:
        raise GateFailed(f"{len(failed)} of {len(gates)} gates failed: {'; '.join(failed)}")
    return Evaluation(metrics=metrics, gates=gates, scores=_keep(use_case, frame, target, probability))


def _judge(gate: Gate, where: str, target: np.ndarray, probability: np.ndarray) -> GateResult:
    value = score(gate.metric, target, probability)
    if gate.at_least is not None:
        passed, bound = value >= gate.at_least, f">= {gate.at_least:g}"
    else:
        passed, bound = value <= float(gate.at_most or 0), f"<= {gate.at_most:g}"
    return GateResult(where=where, metric=gate.metric, value=value, bound=bound, passed=passed, rows=len(target))


def _slices(rules: SliceGates, frame: Any, target: np.ndarray, probability: np.ndarray) -> list[GateResult]:
    return [
        _judge(gate, where, target[inside], probability[inside])
        for where, inside in slices_of(frame, rules, target)
        for gate in rules.gates
    ]


def _keep(use_case: UseCase, frame: Any, target: np.ndarray, probability: np.ndarray) -> str:
    import pyarrow as pa

    columns = {"target": pa.array(target), "probability": pa.array(probability)}
    if use_case.source.time_column:
        columns["time"] = pa.array(frame[use_case.source.time_column])
    return put_parquet("scores", pa.table(columns))
