"""Evaluate: the candidate on rows it has not seen, against the use case's gates, as a whole and by slices."""

from __future__ import annotations

from typing import Any

import numpy as np
from prefect import get_run_logger
from prefect.artifacts import create_table_artifact

from configs.schema import Gate, SliceGates, UseCase
from tasks.data.frames import contract_of, encode, read_rows
from tasks.data.values import Split
from tasks.problems.chance import enough_blocks
from tasks.problems.problem import Problem, problem_of
from tasks.step import step
from tasks.store import put_parquet
from tasks.training.calibrate import Calibrated
from tasks.training.coverage import coverage_gate
from tasks.training.failed import GateFailed
from tasks.training.fitted import load
from tasks.training.given import UNKNOWN
from tasks.training.reliability import reliability, show
from tasks.training.slices import slices_of, unjudged
from tasks.training.values import Calibration, Evaluation, FittedModel, GateResult


@step
def evaluate(use_case: UseCase, split: Split, contract: str, candidate: FittedModel) -> Evaluation:
    """Score the holdout, measure, and hold it against the gates; intervals also against what they promise.

    Raises:
        GateFailed: naming every gate that did not hold.
    """
    columns, problem = contract_of(contract), problem_of(use_case.target)
    frame = read_rows(split.snapshot, split.cut, split.snapshot.rows)
    target = problem.targets(columns, frame)
    encoded = encode(columns, frame)[use_case.features.all]
    model = load(candidate)
    output = problem.judged(problem.outputs(columns, model, encoded))
    measured = {name: metric.value(target, output) for name, metric in problem.metrics.items()}
    metrics = {name: value for name, value in measured.items() if not np.isnan(value)}  # NaN: not defined on these rows
    gates = [_judge(problem, gate, "all", target, output) for gate in use_case.evaluation.gates]
    promised = problem.promised(columns)
    if promised is not None and "coverage" not in [gate.metric for gate in use_case.evaluation.gates]:
        time = use_case.source.time_column
        blocks = enough_blocks(frame[time].to_numpy() if time else None, len(frame))  # rows that are hit or missed together
        gates.append(coverage_gate(promised, target, output, blocks, candidate.calibrated))
    remarks = problem.remarks(columns, target) + [UNKNOWN] * (use_case.model.onnx is not None)
    if use_case.evaluation.slices:
        gates += _slices(problem, use_case.evaluation.slices, frame, target, output)
        remarks += unjudged(frame, use_case.evaluation.slices, target, problem)
    create_table_artifact(
        key=f"gates-{use_case.name}",
        table=[gate.model_dump() for gate in gates],
        description=f"Quality gates of a candidate for `{use_case.name}` on {len(target):,} held out rows",
    )
    failed = [f"{gate.where}: {gate.metric} {gate.value:.4f}, bound {gate.bound}" for gate in gates if not gate.passed]
    if failed:
        raise GateFailed(f"{len(failed)} of {len(gates)} gates failed: {'; '.join(failed)}")
    for remark in remarks:
        get_run_logger().warning(remark)
    calibration = None
    if isinstance(model, Calibrated):
        plain = problem.judged(problem.outputs(columns, model.model, encoded))
        calibration = Calibration(before=reliability(target, plain), after=reliability(target, output))
        show(use_case.name, str(use_case.model.calibration), candidate.digest, calibration)
    return Evaluation(
        metrics=metrics,
        gates=gates,
        scores=_keep(use_case, problem, frame, target, output),
        contract=contract,
        remarks=remarks,
        calibration=calibration,
    )


def _judge(problem: Problem, gate: Gate, where: str, target: np.ndarray, output: np.ndarray) -> GateResult:
    value = problem.metrics[gate.metric].value(target, output)
    if gate.at_least is not None:
        passed, bound = value >= gate.at_least, f">= {gate.at_least:g}"
    else:
        passed, bound = value <= float(gate.at_most or 0), f"<= {gate.at_most:g}"
    return GateResult(where=where, metric=gate.metric, value=value, bound=bound, passed=passed, rows=len(target))


def _slices(problem: Problem, rules: SliceGates, frame: Any, target: np.ndarray, output: np.ndarray) -> list[GateResult]:
    return [
        _judge(problem, gate, where, target[inside], output[inside])
        for where, inside in slices_of(frame, rules, target, problem)
        for gate in rules.gates
    ]


def _keep(use_case: UseCase, problem: Problem, frame: Any, target: np.ndarray, output: np.ndarray) -> str:
    import pyarrow as pa

    columns = {"target": pa.array(list(target)), problem.column: problem.kept(output)}
    if use_case.source.time_column:
        columns["time"] = pa.array(frame[use_case.source.time_column])
    return put_parquet("scores", pa.table(columns))
